package functions

import (
	"errors"
	"fmt"
	"math"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
)

const (
	expectedDescription = "The baseline's bins: counts, or proportions that add up to 1."
	actualDescription   = "The current window's bins, in the same order."
)

var definitions = []definition{
	{
		name:        "psi",
		summary:     "Population stability index of two binned distributions",
		description: "The population stability index, `sum (A - E) ln(A / E)`, with 1e-8 added to each proportion. Bins are counts or proportions.",
		arguments: []argument{
			{"expected", true, expectedDescription},
			{"actual", true, actualDescription},
		},
		compute: onProportions(func(expected, actual []float64) (float64, error) {
			return stats.PSIProportions(expected, actual, stats.DefaultSmoothing())
		}),
	},
	{
		name:        "psi_samples",
		summary:     "Population stability index of two samples",
		description: "The population stability index of two samples, over bins that hold equal shares of the expected one: numpy's linear-interpolated percentiles, open outer edges, 1e-8 added to each proportion.",
		arguments: []argument{
			{"expected", true, "The baseline's values."},
			{"actual", true, "The current window's values."},
			{"bins", false, "How many quantile bins."},
		},
		compute: func(a []any) (any, error) {
			bins, err := whole(a, 2)
			if err != nil {
				return nil, err
			}
			return stats.PSISamples(list(a, 0), list(a, 1), int(bins))
		},
	},
	{
		name:        "psi_band",
		summary:     "The customary word for a population stability index",
		description: "`none` below 0.1, `moderate` from 0.1 to 0.25, `significant` above. The bands ignore sample sizes: on a small window noise alone is `moderate`. See `psi_false_alarm_rate`.",
		arguments:   []argument{{"psi", false, "A population stability index."}},
		text:        true,
		compute:     func(a []any) (any, error) { return stats.PSIBand(number(a, 0)) },
	},
	{
		name:        "kl_divergence",
		summary:     "Kullback-Leibler divergence of the current window from the baseline",
		description: "`sum C ln(C / B)` in nats, of the current window from the baseline. Without smoothing: a bin that only the window has is an error, because the divergence is infinite.",
		arguments: []argument{
			{"current", true, "The current window's bins: counts, or proportions that add up to 1."},
			{"baseline", true, "The baseline's bins, in the same order."},
		},
		compute: onProportions(func(current, baseline []float64) (float64, error) {
			return stats.KLProportions(baseline, current, stats.Smoothing{Method: stats.SmoothingNone})
		}),
	},
	{
		name:        "js_divergence",
		summary:     "Jensen-Shannon divergence of two binned distributions",
		description: "The Jensen-Shannon divergence in nats (not its square root, the distance): between 0 and ln 2, symmetric, finite also where bins are empty.",
		arguments: []argument{
			{"p", true, "One distribution's bins: counts, or proportions that add up to 1."},
			{"q", true, "The other distribution's bins, in the same order."},
		},
		compute: onProportions(func(p, q []float64) (float64, error) {
			return stats.JSProportions(q, p, stats.Smoothing{Method: stats.SmoothingNone})
		}),
	},
	{
		name:        "sample_size_mean",
		summary:     "Samples for each of two equal arms to compare means",
		description: "`2 (z_{alpha/2} + z_beta)^2 sigma^2 / d^2`, two-sided, rounded up. For a canary, whose arms are unequal, see the figures of `mlops_rollout_policy`.",
		arguments: []argument{
			{"std_dev", false, "The standard deviation of one observation."},
			{"effect", false, "The smallest difference of the means that must be seen."},
			{"significance_level", false, "The probability of seeing a difference where there is none."},
			{"power", false, "The probability of seeing the difference where it is there."},
		},
		compute: sampleSize(stats.MissionSampleSizeMean),
	},
	{
		name:        "sample_size_proportion",
		summary:     "Samples for each of two equal arms to compare proportions",
		description: "`2 (z_{alpha/2} + z_beta)^2 p (1 - p) / d^2` with `p` the mean of both proportions, two-sided, rounded up. For a canary, whose arms are unequal, see the figures of `mlops_rollout_policy`.",
		arguments: []argument{
			{"baseline_rate", false, "The proportion today."},
			{"effect", false, "The smallest absolute difference that must be seen: 0.01 is one percentage point."},
			{"significance_level", false, "The probability of seeing a difference where there is none."},
			{"power", false, "The probability of seeing the difference where it is there."},
		},
		compute: sampleSize(stats.MissionSampleSizeProportion),
	},
	{
		name:        "psi_false_alarm_rate",
		summary:     "How often a PSI threshold is passed when nothing has drifted",
		description: "The probability that the population stability index of one window passes the threshold on no drift, over redrawn baselines and windows, with equal bins and 1e-8 added to each proportion. Good to 2 to 3 significant digits.",
		arguments: []argument{
			{"bins", false, "How many bins, with equal shares of the baseline."},
			{"baseline_samples", false, "How many values the baseline has."},
			{"window_samples", false, "How many independent values a window has."},
			{"threshold", false, "The threshold."},
		},
		compute: func(a []any) (any, error) {
			law, err := noDrift(a)
			if err != nil {
				return nil, err
			}
			p, _ := law.Survival(number(a, 3))
			return stats.RoundProbability(p), nil
		},
	},
	{
		name:        "psi_threshold",
		summary:     "The PSI threshold that is passed at a given rate when nothing has drifted",
		description: "The smallest threshold whose false-alarm rate on no drift is at most the given one: the inverse of `psi_false_alarm_rate`, rounded up to 3 significant digits.",
		arguments: []argument{
			{"bins", false, "How many bins, with equal shares of the baseline."},
			{"baseline_samples", false, "How many values the baseline has."},
			{"window_samples", false, "How many independent values a window has."},
			{"false_alarm_rate", false, "The probability of a false alarm in one evaluation."},
		},
		compute: func(a []any) (any, error) {
			law, err := noDrift(a)
			if err != nil {
				return nil, err
			}
			rate := number(a, 3)
			if !(rate > 0 && rate < 1) {
				return nil, &argumentError{3, fmt.Errorf("must be above 0 and below 1, got %s", stats.FormatFloat(rate))}
			}
			threshold, _ := law.UpperQuantile(rate)
			return stats.RoundUpSignificant(threshold, 3), nil
		},
	},
}

func number(arguments []any, i int) float64 {
	f, _ := arguments[i].(float64)
	return f
}

func list(arguments []any, i int) []float64 {
	l, _ := arguments[i].([]float64)
	return l
}

// whole reads a count.
func whole(arguments []any, i int) (int64, error) {
	f := number(arguments, i)
	if f != math.Trunc(f) || f < 1 || f > 1e15 {
		return 0, &argumentError{i, fmt.Errorf("must be a whole number from 1 to 1e15, got %s", stats.FormatFloat(f))}
	}
	return int64(f), nil
}

func sampleSize(formula func(a, b, c, d float64) (float64, error)) func([]any) (any, error) {
	return func(a []any) (any, error) {
		n, err := formula(number(a, 0), number(a, 1), number(a, 2), number(a, 3))
		if err != nil {
			return nil, err
		}
		count, err := stats.CeilCount(n)
		return float64(count), err
	}
}

// onProportions takes bins as counts or as proportions.
func onProportions(divergence func(a, b []float64) (float64, error)) func([]any) (any, error) {
	return func(a []any) (any, error) {
		first, err := asProportions(list(a, 0))
		if err != nil {
			return nil, &argumentError{0, err}
		}
		second, err := asProportions(list(a, 1))
		if err != nil {
			return nil, &argumentError{1, err}
		}
		return divergence(first, second)
	}
}

// asProportions divides counts by their sum and leaves proportions, whose sum is
// 1, as they are.
func asProportions(bins []float64) ([]float64, error) {
	sum, whole := 0.0, true
	for i, bin := range bins {
		if bin < 0 {
			return nil, fmt.Errorf("element %d is negative: %s", i, stats.FormatFloat(bin))
		}
		sum += bin
		whole = whole && bin == math.Trunc(bin)
	}
	switch {
	case len(bins) == 0:
		return nil, errors.New("has no bins")
	case sum == 0:
		return nil, errors.New("all bins are empty")
	case math.Abs(sum-1) <= 0.001:
		return bins, nil
	case !whole:
		return nil, fmt.Errorf("adds up to %s: bins are counts, which are whole numbers, or proportions, which add up to 1", stats.FormatFloat(sum))
	}
	out := make([]float64, len(bins))
	for i, bin := range bins {
		out[i] = bin / sum
	}
	return out, nil
}

// noDrift is the law of the index over equal bins when nothing has drifted.
func noDrift(a []any) (*stats.NoDrift, error) {
	bins, err := whole(a, 0)
	if err != nil {
		return nil, err
	}
	if bins > 1000 {
		return nil, &argumentError{0, fmt.Errorf("must be at most 1000, got %d", bins)}
	}
	baseline, err := whole(a, 1)
	if err != nil {
		return nil, err
	}
	window, err := whole(a, 2)
	if err != nil {
		return nil, err
	}
	shares := make([]float64, bins)
	for i := range shares {
		shares[i] = 1 / float64(bins)
	}
	return stats.NewPSINoDrift(shares, baseline, window, stats.DefaultSmoothing())
}
