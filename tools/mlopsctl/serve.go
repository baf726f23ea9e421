package main

import (
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
)

func newServe() *cobra.Command {
	var options controlplane.ListenOptions
	cmd := &cobra.Command{
		Use:   "serve --listen HOST:PORT [--data FILE | --database postgres://...]",
		Short: "Serve the control plane's API to a team",
		Long: `Serve the control plane's API to a team, from one SQLite file (--data) or from a
PostgreSQL database (--database), which several servers may share.

The address of a database is postgres://USER@HOST:PORT/NAME?sslmode=verify-full, or
libpq's keywords and values. MLOPS_DATABASE_URL stands for the flag, so that neither
has to be on a command line, and libpq's own variables fill what it leaves out: keep
the password in PGPASSWORD or, better, in a file that PGPASSFILE names.
pool_max_conns=N in it limits the connections; 10 unless it is set, and one more.

An address that other machines can reach needs tokens and TLS. Token file and
certificate are read again when they change, and on SIGHUP. On SIGTERM the
running requests end first. The log is JSON lines on standard error.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options.Logger = slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil))
			options.Version = version
			database, err := databaseOf(cmd)
			if err != nil {
				return err
			}
			options.Database = database
			hangups := make(chan os.Signal, 1)
			signal.Notify(hangups, syscall.SIGHUP)
			defer signal.Stop(hangups)
			options.Reload = hangups
			options.OnListen = func(base string) {
				_, _ = fmt.Fprintln(cmd.OutOrStdout(), "Listening on", base) // it serves though nobody reads
			}
			return controlplane.Serve(cmd.Context(), options)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&options.Address, "listen", "127.0.0.1:8787", "`HOST:PORT` to listen on")
	flags.StringVar(&options.DataFile, dataFlag, "mlops.db", "the control plane's SQLite `FILE`; made where it does not exist")
	flags.String(databaseFlag, "", "the `ADDRESS` of a PostgreSQL database instead: postgres://..., or MLOPS_DATABASE_URL; what it leaves out, PGPASSFILE and libpq's other variables say")
	flags.StringVar(&options.TokenFile, "token-file", "", "`FILE` of hashed bearer tokens, one of which every request must carry: see mlopsctl token")
	flags.StringVar(&options.TLSCertFile, "tls-cert", "", "TLS certificate `FILE`, PEM")
	flags.StringVar(&options.TLSKeyFile, "tls-key", "", "TLS key `FILE`, PEM")
	flags.Float64Var(&options.Rate, "rate", 200, "requests a `SECOND` that one token may send, or one address where there are no tokens; twice as many at once; 0 is no limit")
	flags.DurationVar(&options.RequestTimeout, "request-timeout", 90*time.Second, "`TIME` that one request may take, waiting for locks included")
	flags.DurationVar(&options.ShutdownTimeout, "shutdown-timeout", 30*time.Second, "`TIME` that running requests may take to end after SIGTERM")
	return cmd
}
