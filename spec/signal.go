package spec

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
)

// The kinds of signals, one for each kind of monitor.
const (
	SignalDataDrift   = "data_drift"
	SignalPerformance = "performance"
	SignalService     = "service"
)

// Signal says what a monitor measures and how it is sampled: everything that a
// threshold or a guardrail needs in order to be judged. Its fields depend on its kind.
type Signal struct {
	// Every kind.
	Model            Value[string]            `cty:"model"`
	Monitor          Value[string]            `cty:"monitor"`
	Kind             Value[string]            `cty:"kind"`
	Metric           Value[string]            `cty:"metric"`
	WindowSamples    Value[float64]           `cty:"window_samples"`
	EffectiveSamples Value[float64]           `cty:"effective_samples"`
	DesignEffect     Value[float64]           `cty:"design_effect"`
	WindowSeconds    Value[float64]           `cty:"window_seconds"`
	EverySeconds     Value[float64]           `cty:"every_seconds"`
	Sensitivity      Value[SignalSensitivity] `cty:"sensitivity"`

	// Data drift.
	Engine          Value[string]           `cty:"engine"`
	Feature         Value[string]           `cty:"feature"`
	Bins            Value[float64]          `cty:"bins"`
	BinShares       Value[[]Value[float64]] `cty:"bin_shares"`
	Ordered         Value[bool]             `cty:"ordered"`
	Smoothing       Value[string]           `cty:"smoothing"`
	Epsilon         Value[float64]          `cty:"epsilon"`
	BaselineSamples Value[float64]          `cty:"baseline_samples"`

	// Performance and service.
	BaselineValue Value[float64] `cty:"baseline_value"`
	StdDev        Value[float64] `cty:"std_dev"`

	// Performance.
	Tolerance           Value[float64] `cty:"tolerance"`
	LabelDelaySeconds   Value[float64] `cty:"label_delay_seconds"`
	Prevalence          Value[float64] `cty:"prevalence"`
	FlaggedShare        Value[float64] `cty:"flagged_share"`
	StandardErrorMethod Value[string]  `cty:"standard_error_method"`
	Kurtosis            Value[float64] `cty:"kurtosis"`

	// Service; a latency's profile has BinShares too.
	Quantile  Value[float64]          `cty:"quantile"`
	LogStdDev Value[float64]          `cty:"log_std_dev"`
	Edges     Value[[]Value[float64]] `cty:"edges"`
}

// SignalSensitivity is what a monitor's alerts must be able to see: a shift of a
// distribution, or a change of a metric's true value.
type SignalSensitivity struct {
	ShiftSD Value[float64] `cty:"shift_sd"`
	Change  Value[float64] `cty:"change"`
	Power   Value[float64] `cty:"power"`
}

// ChangeSensitivity is the change of its metric that a performance or a service
// monitor's alerts must be able to see.
type ChangeSensitivity struct {
	Change Value[float64] `cty:"change"`
	Power  Value[float64] `cty:"power"`
}

const methodDescription = "How the figures were computed: `exact`, `gamma`, `monte_carlo`, `asymptotic`, or `interpolated` (exact, but for a law that is read between a profile's edges)."

// measure is what is known of a metric of a performance or a service monitor.
type measure struct {
	kind         string
	lowerIsWorse bool
	highest      float64  // the largest value that it can have; 0 where there is none
	needs        []string // fields that must be set
	takes        []string // fields that may be set
}

// measures are the metrics whose estimates have a known law. The F1 score has none
// that two or three numbers decide, so it is not among them.
var measures = map[string]measure{
	"auc":        {kind: SignalPerformance, lowerIsWorse: true, highest: 1, needs: []string{"prevalence"}, takes: []string{"standard_error_method"}},
	"accuracy":   {kind: SignalPerformance, lowerIsWorse: true, highest: 1, takes: []string{"prevalence"}},
	"precision":  {kind: SignalPerformance, lowerIsWorse: true, highest: 1, needs: []string{"flagged_share"}, takes: []string{"prevalence"}},
	"recall":     {kind: SignalPerformance, lowerIsWorse: true, highest: 1, needs: []string{"prevalence"}},
	"rmse":       {kind: SignalPerformance, takes: []string{"kurtosis"}},
	"mae":        {kind: SignalPerformance, needs: []string{"std_dev"}},
	"latency":    {kind: SignalService, needs: []string{"quantile"}, takes: []string{"log_std_dev", "baseline", "edges", "bins", "bin_shares"}},
	"error_rate": {kind: SignalService, highest: 1},
	"throughput": {kind: SignalService, lowerIsWorse: true},
	"resource":   {kind: SignalService, needs: []string{"std_dev"}},
}

// metricsOf lists the metrics of a kind of signal.
func metricsOf(kind string) []string {
	if kind == SignalDataDrift {
		return driftMetricNames()
	}
	var out []string
	for _, name := range slices.Sorted(maps.Keys(measures)) {
		if measures[name].kind == kind {
			out = append(out, name)
		}
	}
	return out
}

// LowerIsWorse reports whether a metric of a performance or a service signal is bad
// where it is low.
func LowerIsWorse(metric string) bool { return measures[metric].lowerIsWorse }

// Highest is the largest value that such a metric can have; false where there is none.
func Highest(metric string) (float64, bool) {
	m := measures[metric]
	return m.highest, m.highest > 0
}

var measureDescriptions = map[string]string{
	"baseline_value":        "The metric's value while all is well.",
	"prevalence":            "The share of positives among labelled rows.",
	"flagged_share":         "The share of labelled rows that the model predicts to be positive.",
	"standard_error_method": "How an AUC's standard error follows from its value: scores are taken as `binormal`, or as exponential (`hanley_mcneil`), which is too wide where one class is rare.",
	"kurtosis":              "The kurtosis of the errors, 3 for normal ones and more for heavy tails: how much single rows decide a root mean squared error.",
	"quantile":              "Which quantile a latency is: 0.99 for the p99.",
	"log_std_dev":           "The standard deviation of the natural logarithm of a latency, where it is taken as log-normal.",
	"tolerance":             "How much worse the metric may become, in its own unit.",
}

// signalAttribute is the signal as a monitor computes it or as a threshold takes
// it. A threshold's may be written by hand; which fields it needs depends on its kind.
func signalAttribute(input bool) schema.SingleNestedAttribute {
	text := func(required bool, description string) schema.StringAttribute {
		return schema.StringAttribute{Computed: !input, Required: input && required, Optional: input && !required, MarkdownDescription: description}
	}
	number := func(required bool, description string) schema.NumberAttribute {
		return schema.NumberAttribute{Computed: !input, Required: input && required, Optional: input && !required, MarkdownDescription: description}
	}
	numbers := func(description string) schema.ListAttribute {
		return schema.ListAttribute{Computed: !input, Optional: input, ElementType: types.NumberType, MarkdownDescription: description}
	}
	a := schema.SingleNestedAttribute{
		Computed: !input, Required: input,
		Attributes: map[string]schema.Attribute{
			"model":             text(true, "The registered model."),
			"monitor":           text(true, "The monitor's name."),
			"kind":              text(true, "What kind of monitor it is: `data_drift`, `performance` or `service`."),
			"metric":            text(true, "The metric."),
			"window_samples":    number(true, "How many values a window has, at the least."),
			"effective_samples": number(false, "The same, divided by the design effect and rounded down."),
			"design_effect":     number(false, "How many observations count as one independent observation."),
			"window_seconds":    number(true, "How long a window is, in seconds."),
			"every_seconds":     number(true, "How long it is from one evaluation to the next, in seconds."),
			"sensitivity": schema.SingleNestedAttribute{
				Computed: !input, Optional: input, MarkdownDescription: "What its alerts must be able to see. Null where nothing was declared.",
				Attributes: map[string]schema.Attribute{
					"shift_sd": number(false, "A shift of the mean, in standard deviations, for data drift."),
					"change":   number(false, "A change of the metric for the worse, in its own unit, for performance and service."),
					"power":    number(true, "The probability with which it must be seen."),
				},
			},

			"engine":           text(false, "The tool that computes a data drift metric, where it is not computed over the baseline's own bins."),
			"feature":          text(false, "The feature or score, for data drift."),
			"bins":             number(false, "How many bins there are, for data drift and for a latency with a profile."),
			"bin_shares":       numbers("The baseline's proportion in each bin. Where it is left out, every bin has the same."),
			"ordered":          schema.BoolAttribute{Computed: !input, Optional: input, MarkdownDescription: "Whether the bins have an order: false for categories, to which no shift applies."},
			"smoothing":        text(false, "What is done about empty bins."),
			"epsilon":          number(false, "What `epsilon` smoothing adds to each proportion."),
			"baseline_samples": number(false, "How many values the baseline has, for data drift."),

			"baseline_value": number(false, measureDescriptions["baseline_value"]+" For performance and service."),
			"std_dev":        number(false, "The standard deviation of a single observation, for `mae` and `resource`."),

			"tolerance":             number(false, measureDescriptions["tolerance"]),
			"label_delay_seconds":   number(false, "How long labels take to arrive, in seconds: the window's last part has none."),
			"prevalence":            number(false, measureDescriptions["prevalence"]),
			"flagged_share":         number(false, measureDescriptions["flagged_share"]),
			"standard_error_method": text(false, measureDescriptions["standard_error_method"]),
			"kurtosis":              number(false, measureDescriptions["kurtosis"]),

			"quantile":    number(false, measureDescriptions["quantile"]),
			"log_std_dev": number(false, measureDescriptions["log_std_dev"]),
			"edges":       numbers("The inner edges between a latency's bins, ascending."),
		},
	}
	a.MarkdownDescription = "What the monitor measures and how it is sampled: what an alert threshold's `signal` takes."
	if input {
		a.MarkdownDescription = "The signal to hold against the threshold: a monitor's `signal`, or the same object written by hand. Data drift needs `bins` and `baseline_samples`; performance and service need `baseline_value` and what their metric needs."
	}
	return a
}

// withSignalConstraints adds the constraints on a signal that is written by hand.
func withSignalConstraints(constraints map[string][]Constraint) map[string][]Constraint {
	maps.Copy(constraints, map[string][]Constraint{
		"signal.kind":                 {oneOf(SignalDataDrift, SignalPerformance, SignalService)},
		"signal.engine":               {oneOf(engineNames()...)},
		"signal.bins":                 {wholeNumber(), between(from(1), upTo(MaximumBins))},
		"signal.bin_shares":           {proportions()},
		"signal.smoothing":            {oneOf(smoothings...)},
		"signal.epsilon":              {between(above(0), upTo(0.1))},
		"signal.baseline_samples":     {wholeNumber(), between(from(1), upTo(1e15))},
		"signal.window_samples":       {wholeNumber(), between(from(0), upTo(1e15))},
		"signal.effective_samples":    {wholeNumber(), between(from(0), upTo(1e15))},
		"signal.design_effect":        {between(from(1), upTo(1e6))},
		"signal.window_seconds":       {between(from(1), upTo(1e10))},
		"signal.every_seconds":        {between(from(1), upTo(1e10))},
		"signal.label_delay_seconds":  {between(from(0), upTo(1e10))},
		"signal.sensitivity.shift_sd": {between(above(0), upTo(10))},
		"signal.sensitivity.power":    {between(above(0), below(1))},
	})
	for name, list := range measureConstraints {
		constraints["signal."+name] = list
	}
	constraints["signal.sensitivity.change"] = constraints["signal.tolerance"]
	return constraints
}

// measureConstraints hold for the parameters of a metric, in a monitor and in a signal.
var measureConstraints = map[string][]Constraint{
	"baseline_value":        {between(above(0), upTo(largestMeasure))},
	"tolerance":             {between(above(0), upTo(largestMeasure))},
	"prevalence":            {between(above(0), below(1))},
	"flagged_share":         {between(above(0), upTo(1))},
	"standard_error_method": {oneOf("binormal", "hanley_mcneil")},
	"kurtosis":              {between(above(1), upTo(1e6))},
	"std_dev":               {between(above(0), upTo(largestMeasure))},
	"quantile":              {between(above(0), below(1))},
	"log_std_dev":           {between(above(0), upTo(10))},
}

// largestMeasure is the largest value of a metric that is computed with.
const largestMeasure = 1e12

// checkSignal judges whether a signal has what its kind needs.
func checkSignal(declared Value[Signal]) []Finding {
	s := declared.Fields()
	kind, ok := s.Kind.Get()
	metric, metricKnown := s.Metric.Get()
	if !declared.IsKnown() || !ok || !metricKnown {
		return nil
	}
	if known := metricsOf(kind); !slices.Contains(known, metric) {
		return []Finding{Invalid(s.Metric.Path(), cty.StringVal(metric), fmt.Sprintf("the metrics of a %s signal are %s", kind, quotedList(known)), "Use "+strconvQuote(nearest(metric, known))+".")}
	}
	if kind == SignalDataDrift {
		findings := checkDriftMetric(s.Metric, s.Engine, !s.Ordered.Or(true), !s.Ordered.IsUnknown())
		findings = append(findings, missing(kind+" signal", s.Bins, "bins")...)
		findings = append(findings, missing(kind+" signal", s.BaselineSamples, "baseline_samples")...)
		return append(findings, sameLength(s.BinShares, s.Bins)...)
	}
	m := measured{
		metric: metric, baseline: s.BaselineValue, change: s.Sensitivity.Fields().Change, tolerance: s.Tolerance,
		quantile: s.Quantile, logStdDev: s.LogStdDev, bins: s.Bins, shares: s.BinShares, edges: s.Edges,
		parameters: map[string]Leaf{
			"prevalence": s.Prevalence, "flagged_share": s.FlaggedShare, "std_dev": s.StdDev, "quantile": s.Quantile,
		},
	}
	return append(missing(kind+" signal", s.BaselineValue, "baseline_value"), m.check()...)
}

// missing is the finding for a leaf that a kind needs and nobody has declared.
func missing(what string, leaf Leaf, name string) []Finding {
	if !leaf.IsNull() {
		return nil
	}
	return []Finding{{
		Rule: RuleMissingAttribute, Severity: Error, Path: leaf.Path(), Summary: "Missing attribute",
		Detail: fmt.Sprintf("A %s needs %s.", what, PathString(leaf.Path())),
		Fix:    fmt.Sprintf("Set %s.", name),
	}}
}

// measured is a metric with its parameters, as a monitor or a signal declares them.
type measured struct {
	metric              string
	baseline            Value[float64]
	change, tolerance   Value[float64]
	quantile, logStdDev Value[float64]
	bins                Value[float64]
	shares, edges       Value[[]Value[float64]]
	// parameters are those that belong to some metrics only, by name.
	parameters map[string]Leaf
}

// check judges the parameters together.
func (m measured) check() []Finding {
	known := measures[m.metric]
	var findings []Finding
	for _, name := range sortedKeys(m.parameters) {
		leaf := m.parameters[name]
		switch needed, taken := slices.Contains(known.needs, name), slices.Contains(known.takes, name); {
		case needed:
			findings = append(findings, missing(fmt.Sprintf("metric of %q", m.metric), leaf, name)...)
		case !taken && leaf.IsKnown():
			findings = append(findings, Invalid(leaf.Path(), cty.NilVal, fmt.Sprintf("is for %s, and the metric is %q", strings.Join(metricsWith(name), ", "), m.metric), "Remove "+name+"."))
		}
	}
	baseline, ok := m.baseline.Get()
	if !ok {
		return append(findings, m.checkLatency()...)
	}
	if known.highest > 0 && baseline >= known.highest {
		findings = append(findings, Invalid(m.baseline.Path(), Number(baseline), fmt.Sprintf("%s is a share, and one of %s or more has no noise to judge", article(m.metric), formatNumber(known.highest)), "Use a number below "+formatNumber(known.highest)+", as it was measured."))
	}
	for _, leaf := range []Value[float64]{m.tolerance, m.change} {
		change, ok := leaf.Get()
		room := baseline
		if !known.lowerIsWorse {
			room = known.highest - baseline
		}
		if ok && (known.lowerIsWorse || known.highest > 0) && change >= room && room > 0 {
			findings = append(findings, Invalid(leaf.Path(), Number(change), fmt.Sprintf("from %s, %s can only worsen by less than %s", formatNumber(baseline), article(m.metric), formatNumber(shortest(room))), "Changes are absolute: 3 percentage points are 0.03."))
		}
	}
	return append(findings, m.checkLatency()...)
}

// shortest is a difference without the digits that only its binary form has.
func shortest(x float64) float64 { return stats.RoundSignificant(x, 12) }

func article(metric string) string {
	if strings.ContainsAny(metric[:1], "aeiou") {
		return "an " + metric
	}
	return "a " + metric
}

func metricsWith(parameter string) []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(measures)) {
		if m := measures[name]; slices.Contains(m.needs, parameter) || slices.Contains(m.takes, parameter) {
			out = append(out, name)
		}
	}
	return out
}

// checkLatency judges what the law of a latency is read from.
func (m measured) checkLatency() []Finding {
	switch {
	case m.metric != "latency" || m.logStdDev.IsUnknown() || m.edges.IsUnknown() || m.bins.IsUnknown():
		return nil
	case m.logStdDev.IsNull() && m.edges.IsNull():
		return []Finding{Invalid(m.logStdDev.Path(), cty.NilVal, "the noise of a quantile follows from how latencies are spread, and neither log_std_dev nor a baseline with edges says so", "Set baseline to the profile of measured latencies, or log_std_dev to the standard deviation of their logarithm (typically 0.3 to 1).")}
	case !m.logStdDev.IsNull() && !m.edges.IsNull():
		return []Finding{Invalid(m.logStdDev.Path(), cty.NilVal, "a baseline says how latencies are spread, and log_std_dev says it again", "Remove one of them.")}
	case m.edges.IsNull():
		return nil
	}
	findings := sameLength(m.shares, m.bins)
	edges, ok := m.edges.Get()
	bins, binsKnown := m.bins.Get()
	if !ok || !binsKnown || len(findings) > 0 {
		return findings
	}
	if float64(len(edges)) != bins-1 || len(edges) == 0 {
		return []Finding{Invalid(m.edges.Path(), cty.NilVal, fmt.Sprintf("there are %d edges between %s bins", len(edges), formatNumber(bins)), "Give at least two bins, and one edge between each two of them.")}
	}
	last := 0.0
	for _, edge := range edges {
		x, ok := edge.Get()
		if edge.IsNull() || ok && x <= last {
			return []Finding{Invalid(m.edges.Path(), cty.NilVal, "latencies are above 0, and so must the edges be, in ascending order", "Profile the latencies themselves, not their logarithms, and put the edges in order.")}
		}
		last = x
	}
	return append(findings, m.checkQuantile(edges, bins)...)
}

// checkQuantile holds the healthy value against the profile: its bin must be the one in
// which the profile's own quantile lies.
func (m measured) checkQuantile(edges []Value[float64], bins float64) []Finding {
	baseline, baselineKnown := m.baseline.Get()
	quantile, quantileKnown := m.quantile.Get()
	shares, sharesKnown := m.shares.Get()
	if !baselineKnown || !quantileKnown || m.shares.IsUnknown() {
		return nil
	}
	const slack = 1e-9
	below, lowest, highest, telling := 0.0, 0.0, 0.0, false
	for i, edge := range edges {
		at, ok := edge.Get()
		share := 1 / bins
		if sharesKnown {
			if share, ok = shares[i].Get(); !ok {
				return nil
			}
		}
		if !ok {
			return nil
		}
		below += share
		if below <= quantile+slack {
			lowest = at
		}
		if below >= quantile-slack && highest == 0 {
			highest = at
		}
		telling = telling || below > slack && below < 1-slack && math.Abs(below-quantile) > slack && math.Abs(at-baseline) > slack*baseline
	}
	if !telling {
		return []Finding{Invalid(m.edges.Path(), cty.NilVal, "besides the quantile itself, no edge has latencies on both sides, so that nothing says how latencies are spread", "Use more bins, with an edge where many latencies are.")}
	}
	if lowest == 0 && highest == 0 || baseline >= lowest && (highest == 0 || baseline <= highest) {
		return nil
	}
	where := fmt.Sprintf("above %s", formatNumber(lowest))
	if highest > 0 {
		where = fmt.Sprintf("between %s and %s", formatNumber(lowest), formatNumber(highest))
	}
	return []Finding{Invalid(m.baseline.Path(), Number(baseline), fmt.Sprintf("by the baseline, the quantile %s of the latency lies %s", formatNumber(quantile), where), "Set baseline_value to the quantile that was measured with the baseline, in the same unit.")}
}
