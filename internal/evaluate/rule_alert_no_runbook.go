package evaluate

import (
	"fmt"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var noRunbook = Rule{
	ID: "alert/no-runbook", Severity: spec.Warning, Kind: "alert_threshold",
	Summary: "Nothing says what to do about the alert",
	Check: judge(func(s alerting) Verdict {
		declared := s.alert()
		runbook, severity := declared.RunbookURL, declared.Severity
		switch {
		case spec.AnyUnknown(runbook, severity):
			return later
		case !runbook.IsNull():
			return pass
		}
		does := map[string]string{"page": "pages somebody", "ticket": "opens a ticket", "info": "is shown to somebody"}[severity.Or("ticket")]
		return found(spec.Finding{
			Path:   runbook.Path(),
			Detail: fmt.Sprintf("The alert %s, and no runbook_url says what to do then: whoever answers it starts from nothing, each time.", does),
			Fix:    `Set runbook_url to the page that says what to look at and whom to ask, for instance runbook_url = "https://runbooks.example.com/score-drift".`,
		})
	}),
}
