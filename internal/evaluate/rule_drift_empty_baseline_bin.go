package evaluate

import (
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var emptyBaselineBin = Rule{
	ID: "drift/empty-baseline-bin", Severity: spec.Warning, Kind: "baseline",
	Summary: "The baseline has an empty or a collapsed bin",
	Check: judge(func(s baselineSubject) Verdict {
		p, b := s.profile.Fields(), s.declared.Binning.Fields()
		empty, emptyKnown := p.EmptyBins.Get()
		bins, binsKnown := p.Bins.Get()
		if !emptyKnown || !binsKnown || p.Smoothing.IsUnknown() || spec.AnyUnknown(s.declared.Bins, s.declared.Binning, b.Method, b.Bins) {
			return later
		}
		smoothing := p.Smoothing.Or(stats.SmoothingEpsilon)
		asked := b.Bins.Or(10)
		byNumber := s.declared.Bins.IsNull() && (b.Method.Or("quantile") == "quantile" || b.Method.Or("quantile") == "equal_width")
		switch {
		case smoothing == stats.SmoothingLaplace || smoothing == stats.SmoothingJeffreys:
			return pass
		case empty > 0:
			at := s.declared.Bins.Path()
			if s.declared.Bins.IsNull() {
				at = s.declared.Binning.Path()
			}
			detail := fmt.Sprintf("%s of the %s bins %s no value in the baseline. The first observation that falls there moves the metric at once: ", show(empty), show(bins), plural2(empty, "has", "have"))
			if smoothing == stats.SmoothingNone {
				detail += `without smoothing it is infinite.`
			} else {
				detail += fmt.Sprintf("with %s added to each proportion, 1 %% of a window in an empty bin adds %s to psi.", show(p.Epsilon.Or(1e-8)), show(round(emptyBinEffect(p.Epsilon.Or(1e-8)))))
			}
			detail += " The false alarms that a plan shows leave this out: they take an empty bin to stay empty."
			finding := spec.Finding{
				Path: at, Detail: detail,
				Fix:          `Merge the empty bins with their neighbours, or set smoothing = "jeffreys", which adds half a count to every bin.`,
				Alternatives: []spec.Change{change(map[string]cty.Value{"binning.smoothing": cty.StringVal(stats.SmoothingJeffreys)})},
			}
			return found(finding)
		case byNumber && bins < asked:
			return found(spec.Finding{
				Path: b.Bins.Path(),
				Detail: fmt.Sprintf("%s bins were asked for and %s are left: many values are equal, so that edges coincide. The bins do not hold equal shares, and the largest one hides what happens inside it.",
					show(asked), show(bins)),
				Fix: `Ask for fewer bins until none collapses, or set binning.method = "explicit" with edges between the frequent values ("categorical" where there are few distinct ones).`,
			})
		}
		return pass
	}),
}

// emptyBinEffect is what 1 % of a window in a bin that is empty in the baseline adds
// to PSI under epsilon smoothing.
func emptyBinEffect(epsilon float64) float64 {
	psi, err := stats.PSIProportions([]float64{0, 1}, []float64{0.01, 0.99}, stats.Smoothing{Method: stats.SmoothingEpsilon, Epsilon: min(epsilon, 0.1)})
	if err != nil {
		return none
	}
	return psi
}
