package evaluate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var gateFailed = Rule{
	ID: "registry/gate-failed", Severity: spec.Error, Kind: "model_version",
	Summary: "A metric misses its gate",
	Check: judge(func(s *versionSubject) Verdict {
		if !s.known {
			return later
		}
		verdict := pass
		for _, gate := range s.gates {
			switch {
			case !exists(gate.value):
				verdict.Findings = append(verdict.Findings, gate.absent(s.declared.Metrics))
			case gate.margin() < 0:
				verdict.Findings = append(verdict.Findings, gate.missed())
			}
		}
		return verdict
	}),
}

// absent is the finding on a gate whose metric nobody reported.
func (g gateSubject) absent(metrics spec.Value[map[string]spec.Value[float64]]) spec.Finding {
	all, _ := metrics.Get()
	have := "metrics is empty"
	if len(all) > 0 {
		have = "metrics has " + strings.Join(slices.Sorted(maps.Keys(all)), ", ")
	}
	return spec.Finding{
		Path:   g.declared.Metric.Path(),
		Detail: fmt.Sprintf("The gate says that %s, and the version does not report %s: %s. A gate that nothing is held against passes everything.", g.name(), g.metric, have),
		Fix:    fmt.Sprintf("Add %s to metrics, or name the metric as metrics does.", spec.ValueString(cty.StringVal(g.metric))),
	}
}

func (g gateSubject) missed() spec.Finding {
	detail := fmt.Sprintf("The gate says that %s, and the version scored %s: it misses by %s.", g.name(), show(g.value), show(-g.margin()))
	if se, ok := g.standardError(g.samples()); ok && se > 0 {
		if g.settles(g.samples()) {
			detail += fmt.Sprintf(" That is %s standard errors of %s test samples: no accident.", show(round(-g.margin()/se)), show(g.samples()))
		} else {
			detail += fmt.Sprintf(" The standard error on %s test samples is %s, so a model that is exactly at the gate misses it by as much in about one test set of %s.",
				show(g.samples()), show(round(se)), show(g.oneIn(se)))
		}
	}
	word := "lower"
	if !g.minimum {
		word = "raise"
	}
	at := spec.PathString(g.limitPath())
	return spec.Finding{
		Path: g.limitPath(), Detail: detail,
		Fix:          fmt.Sprintf("Do not promote this version: train a better one; or %s %s to %s, if that is good enough.", word, at, show(g.value)),
		Alternatives: []spec.Change{change(map[string]cty.Value{at: spec.Number(g.value)})},
	}
}
