package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/token"
)

func newToken() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: "Make, list and revoke the tokens of a served control plane",
		Long: `Make, list and revoke the tokens of a served control plane.

The file holds a salted hash of each token, never the token. Servers that use it
(mlopsctl serve --token-file) see each change with their next request.`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(newTokenCreate(), newTokenList(), newTokenRevoke())
	return cmd
}

func tokenFileFlag(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "token-file", "", "`FILE` of hashed tokens")
	_ = cmd.MarkFlagRequired("token-file") // the flag is there
}

func newTokenCreate() *cobra.Command {
	var name, role, expires, from, file string
	cmd := &cobra.Command{
		Use:   "create --name NAME --role ROLE --token-file FILE",
		Short: "Make a token, and print it this once",
		Long: `Make a token of 256 random bits, append its hash to the file, and print it. It
cannot be shown again.

The roles, each with the rights of those before it:
  read   read objects, lists, events and metrics
  plan   what terraform plan asks for, which writes nothing
  apply  write
  admin  read the audit log`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			parsed, err := token.ParseRole(role)
			if err != nil {
				return fmt.Errorf("--role: %w", err)
			}
			now := time.Now()
			var last time.Time
			if expires != "" {
				if last, err = token.ParseDay(expires); err != nil {
					return fmt.Errorf("--expires: %w", err)
				}
				if !now.Before(last.AddDate(0, 0, 1)) {
					return fmt.Errorf("--expires: %s is over: set the last day on which the token shall work", expires)
				}
			}
			secret := token.Generate()
			if from != "" {
				if secret, err = readSecret(cmd.InOrStdin(), from); err != nil {
					return err
				}
			}
			entry, err := token.NewEntry(name, parsed, secret, now, last)
			if err != nil {
				return err
			}
			if err := token.Append(file, entry); err != nil {
				return err
			}
			if from != "" {
				_, err = fmt.Fprintf(cmd.ErrOrStderr(), "The token of %s is now accepted as %s, with the role %s.\n", from, name, parsed)
				return err
			}
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), secret); err != nil {
				return fmt.Errorf("%w: nobody has seen the token: revoke %s, and make another one", err, name)
			}
			_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "Keep it now: it is not shown again. Give it to the provider as MLOPS_TOKEN.")
			return nil
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&name, "name", "", "`NAME` of who uses it, for the log and the events")
	flags.StringVar(&role, "role", "", "`ROLE`: read, plan, apply or admin")
	flags.StringVar(&expires, "expires", "", "last `DATE` on which it works, for instance 2027-01-31, in UTC")
	flags.StringVar(&from, "value-from", "", "take the token from a `FILE`, or - for standard input, and print none")
	tokenFileFlag(cmd, &file)
	for _, required := range []string{"name", "role"} {
		_ = cmd.MarkFlagRequired(required) // the flags are there
	}
	return cmd
}

// readSecret reads a token that was made elsewhere; errors do not show it.
func readSecret(stdin io.Reader, from string) (string, error) {
	in := stdin
	if from != "-" {
		file, err := os.Open(from)
		if err != nil {
			return "", fmt.Errorf("--value-from: %w", err)
		}
		defer file.Close()
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, 64<<10))
	if err != nil {
		return "", fmt.Errorf("--value-from: %w", err)
	}
	return strings.TrimSpace(string(data)), nil
}

func newTokenList() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "list --token-file FILE",
		Short: "List the tokens of a file",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			set, err := token.Load(file)
			if err != nil {
				return err
			}
			table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
			_, _ = fmt.Fprintln(table, "NAME\tROLE\tCREATED\tEXPIRES\tSTATE") // an error stays for Flush
			now := time.Now()
			for _, entry := range set.Entries() {
				state := "valid"
				if entry.Expired(now) {
					state = "expired"
				}
				_, _ = fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", entry.Name, entry.Role, token.Day(entry.Created), token.Day(entry.Expires), state)
			}
			return table.Flush()
		},
	}
	tokenFileFlag(cmd, &file)
	return cmd
}

func newTokenRevoke() *cobra.Command {
	var name, file string
	cmd := &cobra.Command{
		Use:   "revoke --name NAME --token-file FILE",
		Short: "Take a token out of a file: servers refuse it from their next request on",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return token.Revoke(file, name)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the token")
	_ = cmd.MarkFlagRequired("name") // the flag is there
	tokenFileFlag(cmd, &file)
	return cmd
}
