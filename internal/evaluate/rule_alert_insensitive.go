package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var alertInsensitive = Rule{
	ID: "alert/insensitive", Severity: spec.Error, Kind: "alert_threshold",
	Summary: "The alert does not see the worsening that it is for",
	Check: judge(func(s *estimateSubject) Verdict {
		if !s.known {
			return later
		}
		a, f := s.alarm, s.figures
		if !s.measured || !a.sensitive || f.power >= a.power {
			return pass
		}
		e := a.estimate
		finding := spec.Finding{
			Path: s.declared.Value.Path(),
			Detail: fmt.Sprintf("sensitivity asks that a worsening by %s is seen with probability %s. With %s, one evaluation sees a true %s of %s pass the value %s with probability %s.",
				show(a.change), show(a.power), e.describe(), e.title(), show(e.worsened(e.baseline, a.change)), show(a.value), show(f.power)),
			Fix: "Lengthen the monitor's window: no value is sensitive enough at this one.",
		}
		if exists(f.detectableChange) {
			finding.Detail += fmt.Sprintf(" The smallest worsening that it sees with probability %s is %s.", show(a.power), show(f.detectableChange))
		}
		var ways []string
		if value, err := a.loosest(); err == nil && exists(value) {
			way := fmt.Sprintf("set value to %s", show(value))
			if quiet := f.smallestValue; exists(quiet) && quiet != value && (quiet < value) == spec.LowerIsWorse(e.metric) {
				way += fmt.Sprintf(" (which then fires on noise: the budget of false alarms needs %s at this window, so lengthen the window as well)", show(quiet))
			}
			ways = append(ways, way)
			finding.Alternatives = append(finding.Alternatives, change(map[string]cty.Value{"value": spec.Number(value)}))
		}
		if exists(f.detectableChange) {
			ways = append(ways, fmt.Sprintf("ask for a change of %s in the monitor's sensitivity", show(f.detectableChange)))
			finding.Alternatives = append(finding.Alternatives, spec.Change{Kind: e.lengthen(0, 0).Kind, Assign: map[string]cty.Value{"sensitivity.change": spec.Number(f.detectableChange)}})
		}
		if len(ways) > 0 {
			finding.Fix = sentence(ways)
		}
		return found(finding)
	}),
}

// loosest is the value furthest from the baseline, on its worse side, at which the
// declared worsening is still seen; none where not even the nearest is.
func (a estimateAlarm) loosest() (float64, error) {
	e := a.estimate
	law, err := e.at(e.effective, e.worsened(e.baseline, a.change))
	if err != nil {
		return none, err
	}
	largest := gridValue(gridIndex(a.change) + 900)
	if room := e.room(); largest >= room {
		largest = gridValue(gridIndex(room) - 1)
	}
	distance, err := largestOnGrid(gridValue(gridIndex(a.change*1e-6)), largest, a.change, func(distance float64) (bool, error) {
		return roundProbability(a.passes(law, e.worsened(e.baseline, distance))) >= a.power, nil
	})
	if err != nil || !exists(distance) {
		return none, err
	}
	return e.worsened(e.baseline, distance), nil
}
