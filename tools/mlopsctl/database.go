package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"
)

const (
	dataFlag     = "data"
	databaseFlag = "database"
	// databaseVariable stands for the flag: an address may have a password, and
	// everybody on the machine can read command lines.
	databaseVariable = "MLOPS_DATABASE_URL"
)

// databaseOf is the address of the PostgreSQL database that the command line or the
// environment names, or empty where it is a file that counts. A file on the command
// line is more than a variable that a whole session has.
func databaseOf(cmd *cobra.Command) (string, error) {
	address, err := cmd.Flags().GetString(databaseFlag)
	if err != nil {
		return "", err
	}
	named, file := cmd.Flags().Changed(databaseFlag), cmd.Flags().Changed(dataFlag)
	switch {
	case named && file:
		return "", errors.New("--data names a SQLite file and --database a PostgreSQL database, and the control plane is in one of them: leave one out. To take what a file has to a database, apply the same Terraform configurations to a server of the database")
	case named && address == "":
		return "", errors.New("--database is empty. It is an address that begins with postgres://; leave it out to serve the file that --data names, mlops.db unless it is set")
	case named || file:
		return address, nil
	}
	return os.Getenv(databaseVariable), nil
}
