package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var toleranceInNoise = Rule{
	ID: "performance/tolerance-in-noise", Severity: spec.Warning, Kind: "performance_monitor",
	Summary: "The tolerance is inside the metric's sampling noise",
	Check: judge(func(s performanceSubject) Verdict {
		tolerance, ok := s.declared.Tolerance.Get()
		if !s.known || !ok {
			return later
		}
		e := s.estimate
		if !e.measures(e.effective) {
			return pass // performance/label-delay or performance/label-support tells
		}
		beyond, err := e.beyond(e.effective, tolerance)
		if err != nil || beyond <= testLevel {
			return pass
		}
		finding := spec.Finding{
			Path: s.declared.Tolerance.Path(),
			Detail: fmt.Sprintf("With %s, a model whose true %s is still %s measures worse by more than the tolerance of %s in a share of %s of the windows: the standard error is %s. What is within the tolerance cannot be told from what is not.",
				e.describe(), e.title(), show(e.baseline), show(tolerance), show(beyond), show(s.figures.standardError)),
		}
		var ways []string
		wider, err := smallestOnGrid(gridValue(gridIndex(tolerance)), gridValue(gridIndex(e.room())-1), tolerance, func(tolerance float64) (bool, error) {
			beyond, err := e.beyond(e.effective, tolerance)
			return beyond <= testLevel, err
		})
		if err == nil && exists(wider) {
			ways = append(ways, fmt.Sprintf("accept %s", show(wider)))
			finding.Alternatives = append(finding.Alternatives, change(map[string]cty.Value{"tolerance": spec.Number(wider)}))
		}
		if duration, samples, ok := s.sharperWindow(tolerance); ok {
			ways = append(ways, fmt.Sprintf("lengthen window.duration to %q, which collects %s at the same traffic", duration, plural(samples, "labelled row", "labelled rows")))
			finding.Alternatives = append(finding.Alternatives, change(s.windowOf(duration, samples)))
		}
		finding.Fix = "Label more rows, or accept a larger tolerance."
		if len(ways) > 0 {
			finding.Fix = sentence(ways)
		}
		return found(finding)
	}),
}

// beyond is the chance, as it is shown, that a window measures worse than the baseline
// by more than a tolerance, though nothing has changed.
func (e estimate) beyond(effective int64, tolerance float64) (float64, error) {
	law, err := e.at(effective, e.baseline)
	if err != nil {
		return none, err
	}
	return roundProbability(e.worse(law, e.worsened(e.baseline, tolerance), false)), nil
}

// sharperWindow is the shortest window, as a person would write it, whose noise stays
// within a tolerance.
func (s performanceSubject) sharperWindow(tolerance float64) (spec.Duration, float64, bool) {
	e := s.estimate
	within := func(samples float64) (bool, error) {
		effective := effectiveSamples(samples, e.designEffect)
		if !e.measures(effective) {
			return false, nil
		}
		beyond, err := e.beyond(effective, tolerance)
		return beyond <= testLevel, err
	}
	last := countIndex(min(e.window*longestWindow, maximumCount))
	index, ok, err := smallest(countIndex(e.window), last, countIndex(e.window), manyAsks, func(i int) (bool, error) { return within(countOnGrid(i)) })
	if err != nil || !ok {
		return 0, 0, false
	}
	needed := e.durationOf(countOnGrid(index))
	for range 20 {
		if !(needed < maximumSeconds) {
			return 0, 0, false
		}
		duration := niceDuration(needed)
		samples := e.samplesIn(duration.Seconds())
		if ok, err := within(samples); err == nil && ok {
			return duration, samples, true
		}
		needed = duration.Seconds() * 1.05
	}
	return 0, 0, false
}
