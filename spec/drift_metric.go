package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
)

// DriftMetric is a measure of data drift that a monitor may name.
type DriftMetric struct {
	Name string
	// Law is the name under which its law on no drift is known.
	Law stats.Metric
	// Formula defines it, of the proportions A of a window and E of a baseline.
	Formula string
	// Ordered says that it is of values that have an order, and reads no bins.
	Ordered bool
}

// DriftMetrics are all of them, in the order of the documentation. Logarithms are
// natural where no base is named.
var DriftMetrics = []DriftMetric{
	{"psi", stats.MetricPSI, "the population stability index, `sum (A-E) ln(A/E)`", false},
	{"kl", stats.MetricKL, "the Kullback-Leibler divergence of the window from the baseline, `sum A ln(A/E)`", false},
	{"kl_reverse", stats.MetricKLReverse, "that of the baseline from the window, `sum E ln(E/A)`", false},
	{"js", stats.MetricJS, "the Jensen-Shannon divergence, `(sum A ln(A/H) + sum E ln(E/H)) / 2` with `H = (A+E)/2`, at most ln 2", false},
	{"js_distance", stats.MetricJSDistance, "its square root, at most 0.833", false},
	{"js_distance_base2", stats.MetricJSDistance2, "its square root with logarithms to base 2, at most 1", false},
	{"hellinger", stats.MetricHellinger, "the Hellinger distance, `sqrt(1 - sum sqrt(A E))`, at most 1", false},
	{"total_variation", stats.MetricTotalVariation, "`sum |A-E| / 2`, at most 1", false},
	{"l_infinity", stats.MetricLInfinity, "the largest `|A-E|`, at most 1", false},
	{"pearson", stats.MetricPearson, "Pearson's divergence, `sum (A-E)^2 / E`", false},
	{"chi2", stats.MetricChiSquared, "the two-sample chi-squared statistic (not its p-value), `N M sum (A-E)^2 / (M A + N E)` for N values of the baseline and M of the window", false},
	{"ks", stats.MetricKS, "the two-sample Kolmogorov-Smirnov statistic of the values themselves (not its p-value), at most 1", true},
	{"wasserstein", stats.MetricWasserstein, "the first Wasserstein distance of the values themselves, divided by the baseline's standard deviation", true},
}

// DriftMetricByName looks one up.
func DriftMetricByName(name string) (DriftMetric, bool) {
	i := slices.IndexFunc(DriftMetrics, func(m DriftMetric) bool { return m.Name == name })
	if i < 0 {
		return DriftMetric{}, false
	}
	return DriftMetrics[i], true
}

// Engine is another tool's way to bin, smooth and compare.
type Engine struct {
	Name string
	// Does says what the tool does, and in which version.
	Does string
}

// Engines are the tools whose way a monitor may take.
var Engines = []Engine{
	{string(stats.EngineMission), "as many bins at the baseline's quantiles as the baseline has bins, 1e-8 added to each proportion"},
	{string(stats.EngineEvidently), "Evidently 0.7: bins of equal width over baseline and window together, 1e-4 in the place of an empty proportion"},
	{string(stats.EngineNannyML), "NannyML 0.13: bins of equal width over the baseline, by Doane's rule, one more for what lies beyond"},
	{string(stats.EngineAzure), "Azure Machine Learning: bins of equal width over baseline and window together, 1 added to each count for `psi`"},
}

// EngineMetrics are the metrics that an engine computes for numbers or for categories,
// by the names of [DriftMetrics].
func EngineMetrics(engine string, categorical bool) []string {
	known := stats.EngineMetrics(stats.Engine(engine), categorical)
	var names []string
	for _, m := range DriftMetrics {
		if slices.Contains(known, m.Law) && !(m.Ordered && categorical) {
			names = append(names, m.Name)
		}
	}
	return names
}

func driftMetricNames() []string {
	names := make([]string, len(DriftMetrics))
	for i, m := range DriftMetrics {
		names[i] = m.Name
	}
	return names
}

func engineNames() []string {
	names := make([]string, len(Engines))
	for i, e := range Engines {
		names[i] = e.Name
	}
	return names
}

func driftMetricDescription() string {
	parts := make([]string, len(DriftMetrics))
	for i, m := range DriftMetrics {
		parts[i] = "`" + m.Name + "` is " + m.Formula
	}
	return "The metric, of the proportions `A` of a window and `E` of the baseline in each bin: " + strings.Join(parts, "; ") +
		". The last two read no bins. Logarithms are natural where no base is named."
}

func engineDescription() string {
	parts := make([]string, len(Engines))
	for i, e := range Engines {
		numbers, categories := EngineMetrics(e.Name, false), EngineMetrics(e.Name, true)
		parts[i] = fmt.Sprintf("`%s` (%s; it has %s, and for categories %s)", e.Name, e.Does, backquoted(numbers), backquoted(categories))
	}
	return "The tool that computes the metric, where it is not computed over the baseline's own bins and smoothing: " + strings.Join(parts, ", ") +
		". The figures are then that tool's, for numbers of a normal shape: at the same value, each tool has other false alarms."
}

func backquoted(words []string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = "`" + w + "`"
	}
	return strings.Join(out, " ")
}

// checkDriftMetric says where a metric, an engine and the kind of values do not go
// together. What is unknown raises nothing.
func checkDriftMetric(metric, engine Value[string], categorical, known bool) []Finding {
	m, ok := DriftMetricByName(metric.Or(""))
	if !ok || engine.IsUnknown() || !known {
		return nil
	}
	if m.Ordered && categorical {
		return []Finding{Invalid(metric.Path(), cty.StringVal(m.Name), "is of values that have an order, and the baseline has categories", `Use a metric over bins, for instance "psi", "js_distance" or "chi2".`)}
	}
	name, ok := engine.Get()
	if !ok {
		return nil
	}
	has := EngineMetrics(name, categorical)
	if slices.Contains(has, m.Name) {
		return nil
	}
	of := "numbers"
	if categorical {
		of = "categories"
	}
	why := fmt.Sprintf("is not computed by the engine %q for %s, which has %s", name, of, quotedList(has))
	if name == string(stats.EngineNannyML) && m.Name == "wasserstein" {
		why += " (its own Wasserstein distance is in the values' unit, of which a baseline's profile says nothing)"
	}
	return []Finding{Invalid(metric.Path(), cty.StringVal(m.Name), why, "Use one of them, or remove engine.")}
}
