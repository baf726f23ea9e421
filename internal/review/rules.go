package review

import (
	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// Ids of the rules that the review itself judges.
const (
	RuleWaiverExpired  = "meta/waiver-expired"
	RuleWaiverUnused   = "meta/waiver-unused"
	RuleFileUnreadable = "baseline/file-unreadable"
	RuleFileDigest     = "baseline/file-digest"
	RuleInternal       = "meta/internal"
)

var (
	waiverExpired  = evaluate.Rule{ID: RuleWaiverExpired, Severity: spec.Error, Summary: "A waiver has expired"}
	waiverUnused   = evaluate.Rule{ID: RuleWaiverUnused, Severity: spec.Error, Summary: "A waiver covers nothing"}
	fileUnreadable = evaluate.Rule{ID: RuleFileUnreadable, Severity: spec.Error, Kind: "baseline", Summary: "The baseline's file gives no profile"}
	fileDigest     = evaluate.Rule{ID: RuleFileDigest, Severity: spec.Error, Kind: "baseline", Summary: "The baseline's file is another one"}
	internal       = evaluate.Rule{ID: RuleInternal, Severity: spec.Error, Summary: "An object could not be evaluated"}
)

// constraints are the ids that package spec yields, which this package passes on.
var constraints = []evaluate.Rule{
	{ID: spec.RuleInvalidValue, Severity: spec.Error, Summary: "Invalid value"},
	{ID: spec.RuleMissingAttribute, Severity: spec.Error, Summary: "Missing attribute"},
	{ID: spec.RuleUnknownAttribute, Severity: spec.Error, Summary: "Unknown attribute"},
	{ID: spec.RuleWaiverReason, Severity: spec.Error, Summary: "A waiver has no reason"},
}

// Rules lists every rule whose findings a review can yield: those that package
// evaluate judges, those that the review judges itself, and the constraints. Their
// documentation is docs/rules/<id>.md.
func Rules() []evaluate.Rule {
	out := append(evaluate.Rules(), fileUnreadable, fileDigest, waiverExpired, waiverUnused, internal)
	return append(out, constraints...)
}

// Waivable reports whether a waiver may name the rule: findings about the policy
// itself (meta/...) and about unreadable files cannot be accepted away.
func Waivable(id string) bool {
	for _, rule := range evaluate.Rules() {
		if rule.ID == id {
			return true
		}
	}
	return false
}
