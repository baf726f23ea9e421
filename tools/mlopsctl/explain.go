package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/spf13/cobra"

	"github.com/mlops-as-code/terraform-provider-mlops/docs/rules"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
)

func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain [RULE]",
		Short: "Say what a rule finds and what to do about it; without a rule, list them",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			all := review.Rules()
			if len(args) == 0 {
				return listRules(cmd.OutOrStdout(), all)
			}
			if page, ok := rules.Page(args[0]); ok {
				_, err := io.WriteString(cmd.OutOrStdout(), page)
				return err
			}
			nearest, distance := "", len(args[0])
			for _, rule := range all {
				if rule.ID == args[0] {
					// A page is missing only in a build of unfinished work: say what is known.
					_, err := fmt.Fprintf(cmd.OutOrStdout(), "%s (%s): %s.\n", rule.ID, rule.Severity, rule.Summary)
					return err
				}
				if d := levenshtein.Distance(args[0], rule.ID, nil); d < distance {
					nearest, distance = rule.ID, d
				}
			}
			if distance <= len(args[0])/3 {
				return fmt.Errorf("there is no rule %q; did you mean %q?", args[0], nearest)
			}
			return fmt.Errorf("there is no rule %q; mlopsctl explain lists them", args[0])
		},
	}
}

func listRules(w io.Writer, all []evaluate.Rule) error {
	slices.SortFunc(all, func(a, b evaluate.Rule) int { return strings.Compare(a.ID, b.ID) })
	for _, rule := range all {
		if _, err := fmt.Fprintf(w, "%-32s %-8s %s\n", rule.ID, rule.Severity, rule.Summary); err != nil {
			return err
		}
	}
	return nil
}
