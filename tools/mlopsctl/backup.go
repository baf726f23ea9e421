package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
)

func newBackup() *cobra.Command {
	var data, out string
	cmd := &cobra.Command{
		Use:   "backup --data FILE --out FILE",
		Short: "Copy the control plane's file while it is in use",
		Long: `Copy the control plane's file, as it is at one moment, while servers and
providers go on using it. The copy is read and checked before it appears under
its name; a file that is there is never overwritten.

To restore, end the server, move its file with its -wal and -shm files away, and
copy the backup there: mlopsctl backup --data BACKUP --out FILE.

A PostgreSQL database is backed up by its own tools, also while servers use it:
pg_dump --format=custom --file=FILE "$MLOPS_DATABASE_URL". To restore, end the
servers, and pg_restore --clean --if-exists --dbname="$MLOPS_DATABASE_URL" FILE.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if address, err := databaseOf(cmd); err != nil {
				return err
			} else if address != "" {
				return errors.New("this copies a SQLite file, and the control plane is in a PostgreSQL database (--database or MLOPS_DATABASE_URL), whose own tools copy it while it is in use: " +
					`pg_dump --format=custom --file=FILE "$MLOPS_DATABASE_URL". To copy a file all the same, name it: --data FILE`)
			}
			found, err := controlplane.Backup(cmd.Context(), data, out)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d objects, %d events, %d bytes of store %s\n", out, found.Objects, found.Events, found.Bytes, found.StoreID)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&data, dataFlag, "mlops.db", "the control plane's SQLite `FILE`")
	flags.String(databaseFlag, "", "the `ADDRESS` of a PostgreSQL database, or MLOPS_DATABASE_URL: says what to do instead")
	flags.StringVar(&out, "out", "", "`FILE` to make")
	_ = cmd.MarkFlagRequired("out") // the flag is there
	return cmd
}
