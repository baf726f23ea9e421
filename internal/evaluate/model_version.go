package evaluate

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// versionSubject is what the rules on model versions judge.
type versionSubject struct {
	declared spec.ModelVersion
	// gates is nil while a gate or a metric is unknown.
	gates []gateSubject
	known bool
}

// gateSubject is a gate with the metric it limits.
type gateSubject struct {
	declared spec.Gate
	path     cty.Path
	metric   string
	// value is what the version scored; it does not exist where metrics lacks it.
	value float64
	limit float64
	// minimum says that the limit is the lowest value that passes.
	minimum bool
	// noise is the metric's law, or nil where the gate does not say enough for one.
	noise *metricNoise
	// critical is how many standard errors a margin must have to be more than noise.
	critical float64
}

// metricNoise is how much a metric varies from test set to test set.
type metricNoise struct {
	kind, method string
	// of gives the standard error of the metric on so many test samples if its true
	// value is `at`; false where so few samples, or such a value, have none.
	of func(samples, at float64) (float64, bool)
}

func evaluateModelVersion(kind *spec.Kind, value cty.Value, _ Inputs) (any, map[string]cty.Value, error) {
	declared, err := spec.Decode[spec.ModelVersion](value)
	if err != nil {
		return nil, nil, err
	}
	s := &versionSubject{declared: declared}
	if !value.GetAttr("gates").IsWhollyKnown() || !value.GetAttr("metrics").IsWhollyKnown() {
		return s, map[string]cty.Value{spec.AttributeEvaluation: unknown(kind, spec.AttributeEvaluation)}, nil
	}
	s.known = true
	figures := kind.Type().AttributeType(spec.AttributeEvaluation).AttributeType("gates")
	shown := cty.ListValEmpty(figures.ElementType())
	elements, _ := declared.Gates.Get()
	var rows []cty.Value
	for _, element := range elements {
		gate, err := newGateSubject(element, declared.Metrics)
		if err != nil {
			return nil, nil, err
		}
		s.gates = append(s.gates, gate)
		rows = append(rows, gate.figures())
	}
	if len(rows) > 0 {
		shown = cty.ListVal(rows)
	}
	return s, map[string]cty.Value{spec.AttributeEvaluation: cty.ObjectVal(map[string]cty.Value{"gates": shown})}, nil
}

func newGateSubject(element spec.Value[spec.Gate], metrics spec.Value[map[string]spec.Value[float64]]) (gateSubject, error) {
	declared := element.Fields()
	g := gateSubject{declared: declared, path: element.Path(), metric: declared.Metric.Or(""), value: none}
	if all, ok := metrics.Get(); ok {
		if value, ok := all[g.metric]; ok {
			g.value = value.Or(none)
		}
	}
	g.limit, g.minimum = declared.Minimum.Get()
	if !g.minimum {
		g.limit = declared.Maximum.Or(none)
	}
	g.noise = noiseOf(declared, metrics)
	var err error
	g.critical, err = stats.NormalUpperQuantile(declared.SignificanceLevel.Or(0.05) / 2)
	return g, err
}

// kindOfMetric says what a metric is by its name, or nothing: the last known word
// in it counts, so that test_roc_auc is an AUC and auc_loss is not.
func kindOfMetric(gate spec.Gate) string {
	if kind, ok := gate.Kind.Get(); ok {
		return kind
	}
	words := strings.FieldsFunc(strings.ToLower(gate.Metric.Or("")), func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	if slices.ContainsFunc(words, func(word string) bool { return slices.Contains(averages, word) }) {
		return ""
	}
	for _, suffix := range metricNames {
		name := strings.Fields(suffix.name)
		if len(words) >= len(name) && slices.Equal(words[len(words)-len(name):], name) {
			return suffix.kind
		}
	}
	return ""
}

// averages are the words of metrics that average over classes or thresholds: they
// have no law that a few numbers give.
var averages = []string{"average", "balanced", "macro", "micro", "pr", "weighted"}

// metricNames are the usual names of metrics, as words.
var metricNames = []struct{ name, kind string }{
	{"auc", spec.MetricAUC}, {"auroc", spec.MetricAUC}, {"rocauc", spec.MetricAUC}, {"auc roc", spec.MetricAUC},
	{"accuracy", spec.MetricAccuracy}, {"error rate", spec.MetricAccuracy},
	{"recall", spec.MetricRecall}, {"sensitivity", spec.MetricRecall}, {"tpr", spec.MetricRecall}, {"true positive rate", spec.MetricRecall},
	{"fnr", spec.MetricRecall}, {"false negative rate", spec.MetricRecall},
	{"specificity", spec.MetricSpecificity}, {"tnr", spec.MetricSpecificity}, {"true negative rate", spec.MetricSpecificity},
	{"fpr", spec.MetricSpecificity}, {"false positive rate", spec.MetricSpecificity},
	{"precision", spec.MetricPrecision},
	{"rmse", spec.MetricRMSE}, {"root mean squared error", spec.MetricRMSE},
	{"mae", spec.MetricMAE}, {"mean absolute error", spec.MetricMAE},
}

// The methods of a standard error.
const (
	methodBinormal = "binormal"
	methodBinomial = "binomial"
	methodNormal   = "normal"
	methodStdDev   = "std_dev"
)

// noiseOf is the law of a gate's metric. Nil where test_samples, or what the law
// needs beside it, is not declared.
func noiseOf(gate spec.Gate, metrics spec.Value[map[string]spec.Value[float64]]) *metricNoise {
	if gate.TestSamples.IsNull() {
		return nil
	}
	kind := kindOfMetric(gate)
	effect := gate.DesignEffect.Or(1)
	prevalence, hasPrevalence := gate.Prevalence.Get()
	deviation, hasDeviation := gate.StdDev.Get()
	law := func(method string, of func(rows, at float64) (float64, error)) *metricNoise {
		return &metricNoise{kind: kind, method: method, of: func(samples, at float64) (float64, bool) {
			se, err := of(samples/effect, at)
			return se, err == nil && exists(se)
		}}
	}
	proportion := func(share float64) *metricNoise {
		return law(methodBinomial, func(rows, at float64) (float64, error) {
			if rows*share < 1 {
				return 0, fmt.Errorf("less than one row counts")
			}
			return stats.AccuracyStandardError(at, rows*share)
		})
	}
	switch kind {
	case spec.MetricAUC:
		if hasPrevalence {
			return law(methodBinormal, func(rows, at float64) (float64, error) {
				return stats.AUCStandardError(stats.AUCBinormal, at, rows*prevalence, rows*(1-prevalence))
			})
		}
	case spec.MetricAccuracy:
		return proportion(1)
	case spec.MetricRecall:
		if hasPrevalence {
			return proportion(prevalence)
		}
	case spec.MetricSpecificity:
		if hasPrevalence {
			return proportion(1 - prevalence)
		}
	case spec.MetricPrecision:
		// Of the rows, prevalence * recall are found, and those are `precision` of all
		// that are taken for positive.
		all, _ := metrics.Get()
		recall, precision := all["recall"].Or(0), all[gate.Metric.Or("")].Or(0)
		if hasPrevalence && recall > 0 && recall <= 1 && precision > 0 && precision <= 1 {
			return proportion(min(prevalence*recall/precision, 1))
		}
	case spec.MetricRMSE:
		if hasDeviation {
			return law(methodStdDev, func(rows, at float64) (float64, error) {
				if at <= 0 {
					return 0, fmt.Errorf("an error of 0 has no law")
				}
				return deviation / (2 * at * math.Sqrt(rows)), nil
			})
		}
		return law(methodNormal, func(rows, at float64) (float64, error) {
			return stats.RMSEStandardError(at, rows, normalKurtosis)
		})
	case spec.MetricMAE:
		if !hasDeviation {
			// Of normal errors, E|e| = sigma sqrt(2/pi) and Var|e| = sigma^2 (1 - 2/pi).
			return law(methodNormal, func(rows, at float64) (float64, error) {
				return math.Abs(at) * math.Sqrt((math.Pi/2-1)/rows), nil
			})
		}
	}
	if hasDeviation && (kind == spec.MetricMAE || kind == spec.MetricMean || kind == "") {
		return law(methodStdDev, func(rows, _ float64) (float64, error) { return deviation / math.Sqrt(rows), nil })
	}
	return nil
}

// maximumSamples ends the search for a test set that is large enough.
const maximumSamples = 1e12

// samples is the declared size of the test set.
func (g gateSubject) samples() float64 { return g.declared.TestSamples.Or(none) }

// margin is by how much the value passes; negative where it misses.
func (g gateSubject) margin() float64 {
	if g.minimum {
		return decimal(g.value - g.limit)
	}
	return decimal(g.limit - g.value)
}

// decimal takes binary dust from a difference of decimal numbers: 0.92 - 0.9 is
// 0.02.
func decimal(x float64) float64 {
	if math.Abs(x) < 1e-15 {
		return 0
	}
	return stats.RoundSignificant(x, 12)
}

// standardError is that of a model which is exactly at its gate: the law under which
// the margin would be noise.
func (g gateSubject) standardError(samples float64) (float64, bool) {
	if g.noise == nil || !exists(g.limit) {
		return 0, false
	}
	return g.noise.of(samples, g.limit)
}

// settles reports whether the margin is outside the noise of so many samples.
func (g gateSubject) settles(samples float64) bool {
	se, ok := g.standardError(samples)
	return ok && math.Abs(g.margin()) >= g.critical*se*(1-1e-12)
}

// required is the least number of test samples with which a margin of this size is
// more than noise; it does not exist where there is none.
func (g gateSubject) required() float64 {
	if g.noise == nil || !exists(g.value) || g.margin() == 0 {
		return none
	}
	low, high := 0.0, 1.0
	for !g.settles(high) {
		if low, high = high, high*2; high > maximumSamples {
			return none
		}
	}
	for high-low > 1 {
		if middle := math.Floor((low + high) / 2); g.settles(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

func (g gateSubject) figures() cty.Value {
	out := map[string]cty.Value{
		"metric": cty.StringVal(g.metric), "value": number(g.value),
		"margin": nullNumber, "standard_error": nullNumber, "z": nullNumber, "p_value": nullNumber, "required_test_samples": nullNumber, "method": nullString,
	}
	if exists(g.value) && exists(g.limit) {
		out["margin"] = number(g.margin())
		out["required_test_samples"] = number(g.required())
	}
	if g.noise == nil {
		return cty.ObjectVal(out)
	}
	out["method"] = cty.StringVal(g.noise.method)
	se, ok := g.standardError(g.samples())
	if !ok {
		return cty.ObjectVal(out)
	}
	out["standard_error"] = number(round(se))
	if exists(g.value) && se > 0 {
		out["z"] = number(round(g.margin() / se))
		if p, err := stats.GateChance(g.limit, se, g.value, !g.minimum); err == nil {
			out["p_value"] = number(roundProbability(p))
		}
	}
	return cty.ObjectVal(out)
}

// name is the gate in words: "auc, at least 0.9".
func (g gateSubject) name() string {
	if g.minimum {
		return fmt.Sprintf("%s must be at least %s", g.metric, show(g.limit))
	}
	return fmt.Sprintf("%s must be at most %s", g.metric, show(g.limit))
}

// limitPath is the attribute that has the limit.
func (g gateSubject) limitPath() cty.Path {
	if g.minimum {
		return g.declared.Minimum.Path()
	}
	return g.declared.Maximum.Path()
}
