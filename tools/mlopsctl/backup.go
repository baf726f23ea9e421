package main

import (
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
copy the backup there: mlopsctl backup --data BACKUP --out FILE.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			found, err := controlplane.Backup(cmd.Context(), data, out)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: %d objects, %d events, %d bytes of store %s\n", out, found.Objects, found.Events, found.Bytes, found.StoreID)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&data, "data", "mlops.db", "the control plane's `FILE`")
	flags.StringVar(&out, "out", "", "`FILE` to make")
	_ = cmd.MarkFlagRequired("out") // the flag is there
	return cmd
}
