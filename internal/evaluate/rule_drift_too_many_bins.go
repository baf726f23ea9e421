package evaluate

import (
	"fmt"
	"math"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// leastSamplesPerBin is Cochran's rule: below, no law of a chi-squared kind holds.
const leastSamplesPerBin = 5

var tooManyBins = Rule{
	ID: "drift/too-many-bins", Severity: spec.Warning, Kind: "drift_monitor",
	Summary: "Too few samples for so many bins",
	Check: judge(func(m monitorSubject) Verdict {
		b := m.declared.Baseline.Fields()
		if !m.known || spec.AnyUnknown(b.Digest, b.Edges) {
			return later // what the fix is depends on where the bins come from
		}
		s := m.sampling
		scarce, what := float64(s.effective), fmt.Sprintf("a window's %s samples", show(s.window))
		if s.designEffect != 1 {
			what = fmt.Sprintf("a window's %s samples, worth %s independent ones at a design effect of %s", show(s.window), show(float64(s.effective)), show(round(s.designEffect)))
		}
		windowIsScarce := true
		if float64(s.baseline) < scarce {
			scarce, what, windowIsScarce = float64(s.baseline), fmt.Sprintf("the baseline's %s samples", show(float64(s.baseline))), false
		}
		expected := scarce * s.smallestShare()
		if !s.binned() || s.bins() < 2 || expected >= leastSamplesPerBin-tolerance(leastSamplesPerBin) {
			return pass
		}
		alone := ""
		if s.emptyBinsCount() {
			alone = ", and an empty bin alone can raise an alert"
		}
		finding := spec.Finding{
			Path: b.Bins.Path(),
			Detail: fmt.Sprintf("Of %s, the smallest of the %d bins expects %s; below %d, single observations move the metric%s.",
				what, s.bins(), show(round(expected)), leastSamplesPerBin, alone),
		}
		var ways []string
		if bins := m.fewerBins(scarce); bins >= 2 {
			ways = append(ways, fmt.Sprintf("use %d bins", bins))
			kind, path := "", "baseline.bins"
			if !b.Digest.IsNull() {
				kind, path = "baseline", "binning.bins"
			}
			finding.Alternatives = append(finding.Alternatives, spec.Change{Kind: kind, Assign: map[string]cty.Value{path: spec.Number(float64(bins))}})
		}
		if duration, samples, ok := m.longerWindow(); ok && windowIsScarce {
			ways = append(ways, fmt.Sprintf("lengthen window.duration to %q, which collects %s samples at the same traffic", duration, show(samples)))
			assign := map[string]cty.Value{"window.duration": cty.StringVal(duration.String())}
			if !m.declared.Window.Fields().Samples.IsNull() {
				assign["window.samples"] = spec.Number(samples)
			}
			finding.Alternatives = append(finding.Alternatives, change(assign))
		}
		finding.Fix = "Merge the smallest bins with their neighbours."
		if s.smallestShare() == 0 {
			finding.Fix = "Merge the empty bin with its neighbour."
		}
		if !windowIsScarce {
			finding.Fix = "Merge the smallest bins with their neighbours, or use a larger baseline."
		}
		if len(ways) > 0 {
			finding.Fix = sentence(ways)
		}
		return found(finding)
	}),
}

// fewerBins is the largest number of bins of equal counts that expect enough; 0
// where the bins are not the policy's to choose by number.
func (m monitorSubject) fewerBins(scarce float64) int {
	b := m.declared.Baseline.Fields()
	byHand := b.Shares.IsNull() && b.Edges.IsNull() && b.Categories.IsNull()
	byNumber := byHand || b.Method.Or("") == "quantile" && !b.Digest.IsNull()
	if !byNumber {
		return 0
	}
	n := float64(m.sampling.baseline)
	for bins := m.sampling.bins() - 1; bins >= 2; bins-- {
		smallest := 1 / float64(bins)
		if !b.Shares.IsNull() {
			// Quantile bins of counted values are equal to one value.
			smallest = (math.Floor(n/float64(bins)) - 1) / n
		}
		if scarce*smallest >= leastSamplesPerBin {
			return bins
		}
	}
	return 0
}

// longerWindow is the shortest window whose smallest bin expects enough; false where
// the baseline has too few itself, or a bin is empty.
func (m monitorSubject) longerWindow() (spec.Duration, float64, bool) {
	s := m.sampling
	if float64(s.baseline)*s.smallestShare() < leastSamplesPerBin {
		return 0, 0, false
	}
	samples := ceil((ceil(leastSamplesPerBin/s.smallestShare()) + 1) * s.designEffect)
	needed := samples * s.windowSeconds / s.window
	if !(needed < maximumSeconds) {
		return 0, 0, false
	}
	duration := niceDuration(needed)
	return duration, floor(s.window * duration.Seconds() / s.windowSeconds), true
}
