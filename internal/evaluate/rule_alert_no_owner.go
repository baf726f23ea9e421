package evaluate

import (
	"fmt"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var noOwner = Rule{
	ID: "alert/no-owner", Severity: spec.Warning, Kind: "alert_threshold",
	Summary: "Nobody owns the alert",
	Check: judge(func(s alerting) Verdict {
		declared := s.alert()
		owner, severity := declared.Owner, declared.Severity
		switch {
		case spec.AnyUnknown(owner, severity):
			return later
		case !owner.IsNull():
			return pass
		}
		does := map[string]string{"page": "pages somebody", "ticket": "opens a ticket", "info": "is shown to somebody"}[severity.Or("ticket")]
		return found(spec.Finding{
			Path:   owner.Path(),
			Detail: fmt.Sprintf("The alert %s, and owner says not whom: an alert that is nobody's is answered by nobody.", does),
			Fix:    `Set owner to the team that answers it, for instance owner = "risk-ml".`,
		})
	}),
}
