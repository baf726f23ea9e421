package prometheus

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// carried are the metrics that PromQL computes over the bins of a histogram.
var carried = []string{
	"psi", "kl", "kl_reverse", "js", "js_distance", "js_distance_base2", "hellinger", "total_variation", "l_infinity", "pearson", "chi2",
}

// endless are those that an empty bin makes infinite, or no number, without smoothing.
var endless = []string{"psi", "kl", "kl_reverse", "pearson"}

// readMetric refuses what needs more than a histogram with the baseline's edges.
func (m *monitor) readMetric(r *reader, metric, engine spec.Value[string]) {
	m.metric = need(r, metric)
	if m.metric != "" && !slices.Contains(carried, m.metric) {
		r.refuse(metric.Path(), "Use a metric over bins, for instance "+`"psi", "js_distance" or "chi2".`,
			"The metric %s is of the values themselves, and Prometheus has only their histogram", m.metric)
	}
	if !engine.IsNull() {
		r.refuse(engine.Path(), "Remove engine, or let "+need(r, engine)+" itself watch this feature.",
			"Rules compare over the baseline's own bins and smoothing, and not as an engine does")
	}
}

// value is the metric of a window with so many samples in each bin, by its definition.
func (m *monitor) value(counts []float64) float64 {
	if m.metric == "psi" {
		return m.psi(counts)
	}
	total, actual := 0.0, make([]float64, len(counts))
	for _, n := range counts {
		total += n
	}
	for i, n := range counts {
		actual[i] = (n + m.pseudo) / (total + m.pseudo*float64(len(counts)))
	}
	smoothing := stats.Smoothing{Method: stats.SmoothingNone}
	if m.epsilon > 0 {
		smoothing = stats.Smoothing{Method: stats.SmoothingEpsilon, Epsilon: m.epsilon}
	}
	var value float64
	var err error
	switch m.metric {
	case "kl":
		value, err = stats.KLProportions(m.shares, actual, smoothing)
	case "kl_reverse":
		value, err = stats.KLReverseProportions(m.shares, actual, smoothing)
	case "js":
		value, err = stats.JSProportions(m.shares, actual, smoothing)
	case "js_distance":
		value, err = stats.JSDistanceProportions(m.shares, actual, math.E, smoothing)
	case "js_distance_base2":
		value, err = stats.JSDistanceProportions(m.shares, actual, 2, smoothing)
	case "hellinger":
		value, err = stats.HellingerProportions(m.shares, actual, smoothing)
	case "total_variation":
		value, err = stats.TotalVariationProportions(m.shares, actual, smoothing)
	case "l_infinity":
		value, err = stats.LInfinityProportions(m.shares, actual)
	case "pearson":
		value, err = stats.PearsonProportions(m.shares, actual, smoothing)
	case "chi2":
		for i, e := range m.shares {
			if e+actual[i] > 0 {
				value += m.samples * total * (actual[i] - e) * (actual[i] - e) / (total*actual[i] + m.samples*e)
			}
		}
	}
	if err != nil {
		return math.Inf(1) // an empty bin without smoothing
	}
	return value
}

// title is how an alert calls the metric.
func (m *monitor) title() string {
	if m.metric == "psi" {
		return "PSI"
	}
	return m.metric
}

// valueExpr is the metric over the recorded shares. It has no value where a bin is
// missing: a partial sum would be another metric.
func (m *monitor) valueExpr(counts string) string {
	terms := make([]string, m.bins())
	for bin, share := range m.shares {
		p := m.own(shareRecord(m), labelBin+`="`+binLabel(bin, m.bins())+`"`)
		if m.metric == "l_infinity" {
			terms[bin] = fmt.Sprintf("abs(%s - %s)", p, proportion(share))
			continue
		}
		terms[bin] = fmt.Sprintf("sum by (%s) (%s)", by, m.term(p, share))
	}
	before, between, after := "(", "+ ", ")"
	switch m.metric {
	case "l_infinity":
		before, between = "max by ("+by+") (", "or "
	case "js_distance", "hellinger":
		before, after = "sqrt(clamp_min(", ", 0))"
	case "js_distance_base2":
		before, after = "sqrt(clamp_min(", ", 0) / "+number(math.Ln2)+")"
	case "chi2":
		before = fmt.Sprintf("%s * %s * (", number(m.samples), m.own(windowRecord(m)))
	}
	var out strings.Builder
	out.WriteString(before + "\n")
	for bin, term := range terms {
		sign := strings.Repeat(" ", len(between))
		if bin > 0 {
			sign = between
		}
		out.WriteString("  " + sign + term + "\n")
	}
	fmt.Fprintf(&out, "%s\nand on (%s) count by (%s) (%s) == %d", after, by, by, counts, m.bins())
	return out.String()
}

// term is a bin's part of the sum: p selects its share of the window.
func (m *monitor) term(p string, share float64) string {
	current, reference := p, proportion(share)
	if m.epsilon > 0 {
		current = fmt.Sprintf("(%s + %s)", p, number(m.epsilon))
		reference = fmt.Sprintf("(%s + %s)", reference, number(m.epsilon))
	}
	// 0 ln 0 is 0 by convention, and no number in PromQL.
	positive := current
	if m.epsilon == 0 {
		positive = "clamp_min(" + current + ", 1e-300)"
	}
	switch m.metric {
	case "kl":
		return fmt.Sprintf("%s * ln(%s / %s)", current, positive, reference)
	case "kl_reverse":
		return fmt.Sprintf("%s * ln(%s / %s)", reference, reference, current)
	case "js", "js_distance", "js_distance_base2":
		term := fmt.Sprintf("%s * ln(2 * %s / (%s + %s))", current, positive, positive, reference)
		if share+m.epsilon > 0 {
			term += fmt.Sprintf(" + %s * ln(2 * %s / (%s + %s))", reference, reference, current, reference)
		}
		return "(" + term + ") / 2"
	case "hellinger":
		return fmt.Sprintf("(sqrt(%s) - %s) ^ 2 / 2", current, proportion(math.Sqrt(share+m.epsilon)))
	case "total_variation":
		return fmt.Sprintf("abs(%s - %s) / 2", p, proportion(share))
	case "pearson":
		return fmt.Sprintf("(%s - %s) ^ 2 / %s", p, proportion(share), reference)
	case "chi2":
		// A bin that is empty on both sides adds nothing, and must not divide by nothing.
		return fmt.Sprintf("(%s - %s) ^ 2 / on (%s) clamp_min(%s * on (%s) %s + %s, 1e-9)",
			p, proportion(share), by, p, by, m.own(windowRecord(m)), number(m.samples*share))
	}
	return fmt.Sprintf("(%s - %s) * ln(%s / %s)", p, proportion(share), current, reference)
}
