package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var duplicate = Rule{
	ID: "drift/duplicate", Severity: spec.Warning, Kind: "drift_monitor",
	Summary: "Two monitors measure the same thing",
	Across: func(b *bundle) map[int]Verdict {
		out := map[int]Verdict{}
		first := map[string][]memberOf[spec.DriftMonitor]{}
		values := map[int]cty.Value{}
		waiting := false // a monitor that is not known yet may be the same as any after it
		for _, m := range b.monitors {
			measures := measured(m.Value)
			if !measures.IsWhollyKnown() {
				waiting = true
				continue
			}
			values[m.index] = measures
			key := m.declared.Model.Or("") + "/" + m.declared.Feature.Or("")
			verdict := Verdict{Judged: !waiting}
			for _, other := range first[key] {
				if values[other.index].RawEquals(measures) {
					verdict = found(sameAs(m, other))
					break
				}
			}
			if len(verdict.Findings) == 0 {
				first[key] = append(first[key], m)
			}
			out[m.index] = verdict
		}
		return out
	},
}

// measured is what a monitor measures and how, without its name and without what its
// alerts are meant to see: two monitors that are equal in it give the same numbers.
// The signal has the times in seconds and rates as counts, so that 60m is 1h.
func measured(monitor cty.Value) cty.Value {
	signal := monitor.GetAttr("signal")
	if !signal.IsKnown() || signal.IsNull() {
		return cty.DynamicVal
	}
	attributes := signal.AsValueMap()
	delete(attributes, "monitor")
	delete(attributes, "sensitivity")
	return cty.ObjectVal(map[string]cty.Value{"signal": cty.ObjectVal(attributes), "baseline": monitor.GetAttr("baseline")})
}

func sameAs(m, other memberOf[spec.DriftMonitor]) spec.Finding {
	d := m.declared
	return spec.Finding{
		Path: d.Name.Path(),
		Detail: fmt.Sprintf("%s measures %s of %q over windows of %s, every %s, against the baseline %q, and so does %s: they always give the same number. Whatever one raises, the other raises as well, and nothing more is seen.",
			m.Address, d.Metric.Or(""), d.Feature.Or(""), d.Window.Fields().Duration.Or(0), d.Schedule.Fields().Every.Or(0), d.Baseline.Fields().Name.Or(""), other.Address),
		Fix:          fmt.Sprintf("Remove %s, and let its alerts take %s.signal.", m.Address, other.Address),
		Alternatives: []spec.Change{{Remove: true}},
	}
}
