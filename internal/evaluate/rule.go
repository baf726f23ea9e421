package evaluate

import (
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// Rule is one thing that the evaluator can find wrong.
type Rule struct {
	// ID is family/name, also the documentation page; it never changes meaning.
	ID string
	// Severity is what its findings are unless they say otherwise.
	Severity spec.Severity
	// Kind is the kind it judges; empty for rules that are about every kind.
	Kind string
	// Summary is short and the same for every finding.
	Summary string
	// Check judges the subject that the kind's evaluator made. Nil for rules over
	// many objects, and for those that another package judges.
	Check func(subject any) Verdict
	// Across judges many objects together, and says what it finds by the place of the
	// member where the fix goes, always one of Kind. Nil for rules on one object.
	Across func(b *bundle) map[int]Verdict
}

// Verdict is what a rule says about an object.
type Verdict struct {
	// Judged is false where the rule had to wait for an unknown value.
	Judged bool
	// Findings need no rule, summary or address; an empty severity is the rule's.
	Findings []spec.Finding

	err error // a fault of this program
}

// registry lists the rules, one entry each, in the order of their findings.
var registry = []Rule{
	gateFailed,
	gateInNoise,
	mutableSource,
	emptyBaselineBin,
	tooManyBins,
	noiseFloor,
	unreachableThreshold,
	insensitive,
	oversensitive,
	epsilonDominates,
	windowVsSchedule,
	performanceLabelDelay,
	performanceLabelSupport,
	toleranceInNoise,
	quantileSupport,
	alertNoiseFloor,
	alertInsensitive,
	seasonalWindow,
	duplicate,
	familyWise,
	noOwner,
	noRunbook,
	forInterval,
	unrouted,
	nonMonotone,
	missingShadow,
	blastRadius,
	underpowered,
	labelDelay,
	peeking,
	noMargin,
	noRollbackTrigger,
	holdTooShort,
	falseAbort,
	guardrailBlind,
	history,
}

// Rules lists every rule that [Object] and [Bundle] judge.
func Rules() []Rule { return slices.Clone(registry) }

// judge gives a rule its subject by type.
func judge[S any](check func(S) Verdict) func(any) Verdict {
	return func(subject any) Verdict {
		s, ok := subject.(S)
		if !ok {
			return later
		}
		return check(s)
	}
}

// later is the verdict of a rule that needs an unknown value.
var later = Verdict{}

// pass is the verdict of a rule that finds nothing wrong.
var pass = Verdict{Judged: true}

// found is the verdict with one finding.
func found(finding spec.Finding) Verdict {
	return Verdict{Judged: true, Findings: []spec.Finding{finding}}
}

// change assigns attributes of the object itself.
func change(assign map[string]cty.Value) spec.Change { return spec.Change{Assign: assign} }
