package main

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
)

func newServe() *cobra.Command {
	var options controlplane.ListenOptions
	cmd := &cobra.Command{
		Use:   "serve --listen HOST:PORT --data FILE",
		Short: "Serve the control plane's API to a team",
		Long: `Serve the control plane's API to a team, from one SQLite file.

An address that other machines can reach needs a token and TLS.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Logger = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			options.OnListen = func(base string) {
				_, _ = fmt.Fprintln(cmd.OutOrStdout(), "Listening on", base) // it serves though nobody reads
			}
			return controlplane.Serve(cmd.Context(), options)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&options.Address, "listen", "127.0.0.1:8787", "`HOST:PORT` to listen on")
	flags.StringVar(&options.DataFile, "data", "mlops.db", "the control plane's `FILE`; made where it does not exist")
	flags.StringVar(&options.TokenFile, "token-file", "", "`FILE` with the bearer token that every request must carry")
	flags.StringVar(&options.TLSCertFile, "tls-cert", "", "TLS certificate `FILE`, PEM")
	flags.StringVar(&options.TLSKeyFile, "tls-key", "", "TLS key `FILE`, PEM")
	return cmd
}
