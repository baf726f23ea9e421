package evaluate

import (
	"fmt"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var emptyBaselineBin = Rule{
	ID: "drift/empty-baseline-bin", Severity: spec.Warning, Kind: "baseline",
	Summary: "The baseline has an empty or a collapsed bin",
	Check: judge(func(s baselineSubject) Verdict {
		b := s.declared.Binning.Fields()
		if len(s.profiles) == 0 || spec.AnyUnknown(s.declared.Bins, s.declared.Binning, b.Method, b.Bins) {
			return later
		}
		columns, _ := s.declared.File.Fields().Columns.Get()
		if slices.ContainsFunc(columns, func(c spec.Value[string]) bool { return c.IsUnknown() }) {
			return later // it may be the one with the empty bin
		}
		verdict := pass
		for _, p := range s.profiles {
			one := emptyOrCollapsed(s.declared, p)
			if !one.Judged {
				return later
			}
			verdict.Findings = append(verdict.Findings, one.Findings...)
		}
		return verdict
	}),
}

// emptyOrCollapsed judges one profile; among several, the finding names its column.
func emptyOrCollapsed(declared spec.Baseline, p columnProfile) Verdict {
	b := declared.Binning.Fields()
	empty, emptyKnown := p.EmptyBins.Get()
	bins, binsKnown := p.Bins.Get()
	if !emptyKnown || !binsKnown || p.Smoothing.IsUnknown() {
		return later
	}
	in, at := "", func(path cty.Path) cty.Path { return path }
	if p.path != nil {
		in, at = fmt.Sprintf("Column %q: ", p.column), func(cty.Path) cty.Path { return p.path }
	}
	smoothing := p.Smoothing.Or(stats.SmoothingEpsilon)
	asked := b.Bins.Or(10)
	byNumber := declared.Bins.IsNull() && (b.Method.Or("quantile") == "quantile" || b.Method.Or("quantile") == "equal_width")
	switch {
	case smoothing == stats.SmoothingLaplace || smoothing == stats.SmoothingJeffreys:
		return pass
	case empty > 0:
		path := declared.Bins.Path()
		if declared.Bins.IsNull() {
			path = declared.Binning.Path()
		}
		detail := in + fmt.Sprintf("%s of the %s bins %s no value in the baseline. The first observation that falls there moves the metric at once: ", show(empty), show(bins), plural2(empty, "has", "have"))
		if smoothing == stats.SmoothingNone {
			detail += `without smoothing it is infinite.`
		} else {
			detail += fmt.Sprintf("with %s added to each proportion, 1 %% of a window in an empty bin adds %s to psi.", show(p.Epsilon.Or(1e-8)), show(round(emptyBinEffect(p.Epsilon.Or(1e-8)))))
		}
		detail += " The false alarms that a plan shows leave this out: they take an empty bin to stay empty."
		return found(spec.Finding{
			Path: at(path), Detail: detail,
			Fix:          `Merge the empty bins with their neighbours, or set smoothing = "jeffreys", which adds half a count to every bin.`,
			Alternatives: []spec.Change{change(map[string]cty.Value{"binning.smoothing": cty.StringVal(stats.SmoothingJeffreys)})},
		})
	case byNumber && bins < asked:
		return found(spec.Finding{
			Path: at(b.Bins.Path()),
			Detail: in + fmt.Sprintf("%s bins were asked for and %s are left: many values are equal, so that edges coincide. The bins do not hold equal shares, and the largest one hides what happens inside it.",
				show(asked), show(bins)),
			Fix: `Ask for fewer bins until none collapses, or set binning.method = "explicit" with edges between the frequent values ("categorical" where there are few distinct ones).`,
		})
	}
	return pass
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
