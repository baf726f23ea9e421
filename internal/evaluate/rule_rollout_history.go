package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// leastVersions is how many previous versions a rollback needs.
const leastVersions = 2

var history = Rule{
	ID: "rollout/history", Severity: spec.Warning, Kind: "rollout_policy",
	Summary: "Too few versions to go back to",
	Check: judge(func(s *rolloutSubject) Verdict {
		keep := s.declared.Rollback.Fields().KeepVersions
		switch {
		case spec.AnyUnknown(s.declared.Rollback, keep):
			return later
		case keep.Or(leastVersions) >= leastVersions:
			return pass
		}
		why := "there is nothing to roll back to"
		if keep.Or(0) == 1 {
			why = "when that one turns out to be bad as well, or was rolled back itself, there is nothing left"
		}
		return found(spec.Finding{
			Path:         keep.Path(),
			Detail:       fmt.Sprintf("%s kept ready: %s.", plural(keep.Or(0), "previous version is", "previous versions are"), why),
			Fix:          fmt.Sprintf("Raise rollback.keep_versions to %d.", leastVersions),
			Alternatives: []spec.Change{change(map[string]cty.Value{"rollback.keep_versions": spec.Number(leastVersions)})},
		})
	}),
}
