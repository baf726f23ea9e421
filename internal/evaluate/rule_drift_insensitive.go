package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var insensitive = Rule{
	ID: "drift/insensitive", Severity: spec.Error, Kind: "alert_threshold",
	Summary: "The alert does not see what it is for",
	Check: judge(func(s *thresholdSubject) Verdict {
		if !s.known {
			return later
		}
		a, f := s.alarm, s.figures
		if !a.sensitive || !exists(f.power) || f.power >= a.power || !a.reachable() {
			return pass
		}
		detail := fmt.Sprintf("sensitivity asks that a shift of the mean by %s standard deviations is seen with probability %s. With %s, one evaluation sees it with probability %s.",
			show(a.shift), show(a.power), a.describe(), show(f.power))
		if exists(f.detectableShift) {
			detail += fmt.Sprintf(" The smallest shift that it sees with probability %s is %s standard deviations.", show(a.power), show(f.detectableShift))
		}
		finding := spec.Finding{Path: s.declared.Value.Path(), Detail: detail}
		largest, err := largestOnGrid(smallestAnyValue, largestValue, a.value, func(value float64) (bool, error) {
			seen, err := s.seenAt(value)
			return seen >= a.power, err
		})
		var ways []string
		if err == nil && exists(largest) && largest < a.value {
			way := fmt.Sprintf("lower value to %s", show(largest))
			if lowest := f.smallestValue; exists(lowest) && lowest > largest {
				way += fmt.Sprintf(" (which then fires on noise: the budget of false alarms needs %s at this window, so lengthen the window as well)", show(lowest))
			}
			ways = append(ways, way)
			finding.Alternatives = append(finding.Alternatives, change(map[string]cty.Value{"value": spec.Number(largest)}))
		}
		if exists(f.detectableShift) {
			ways = append(ways, fmt.Sprintf("ask for a shift of %s standard deviations in the monitor's sensitivity", show(f.detectableShift)))
			finding.Alternatives = append(finding.Alternatives, spec.Change{Kind: "drift_monitor", Assign: map[string]cty.Value{"sensitivity.shift_sd": spec.Number(f.detectableShift)}})
		}
		finding.Fix = "Lengthen the monitor's window: no value is sensitive enough at this one."
		if len(ways) > 0 {
			finding.Fix = sentence(ways)
		}
		return found(finding)
	}),
}
