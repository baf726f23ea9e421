// Mlopsctl judges MLOps policies where they are written, compiles them for other
// systems, and serves the control plane to a team.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/lint"
)

// version is set by the linker.
var version = "dev"

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	err := newRoot().ExecuteContext(ctx)
	var code exitCode
	switch {
	case err == nil:
		return lint.ExitClean
	case errors.As(err, &code):
		return int(code)
	}
	fmt.Fprintln(os.Stderr, "mlopsctl:", err)
	return lint.ExitCouldNotRun
}

// exitCode ends a command that has said everything already.
type exitCode int

func (c exitCode) Error() string { return fmt.Sprintf("exit %d", int(c)) }

func exit(code int) error {
	if code == lint.ExitClean {
		return nil
	}
	return exitCode(code)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "mlopsctl",
		Short:         "MLOps policy as code: judge it, compile it, serve it",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("mlopsctl {{.Version}}\n")
	root.AddCommand(newLint(), newCompile(), newProfile(), newServe(), newToken(), newBackup(), newExplain(), &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "mlopsctl", version)
			return err
		},
	})
	return root
}

// isTerminal reports whether output goes to a person's terminal that may be coloured.
func isTerminal(file any) bool {
	f, ok := file.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
