package prometheus

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The scenarios of a unit test are simulated: counters that rise evenly for as long as
// the slowest monitor needs, and what each monitor and alert must make of them. What
// is expected comes from the definition of the index, not from the rules.

// stream is what a feature's exporter sees: how many values a second, and the share of
// them up to each bound.
type stream struct {
	rate float64
	cdf  func(bound float64) float64
}

// scenario is one test: the streams by feature. A feature without one has no series.
type scenario struct {
	name    string
	streams map[string]stream
	// goSpelling writes integer bounds as "1"; otherwise as "1.0", as Prometheus 3
	// and Python do.
	goSpelling bool
}

// plentiful is how many times the smallest sample the simulated windows have.
const plentiful = 4

// test writes the unit test of the rules in ruleFile.
func (f *file) test(ruleFile string) []byte {
	var out bytes.Buffer
	f.header(&out)
	clock := f.clock()
	fmt.Fprintf(&out, "rule_files: [%s]\nevaluation_interval: %s\ntests:\n", quote(ruleFile), promDuration(clock.evaluation))
	for _, s := range f.scenarios() {
		f.scenario(&out, s, clock)
	}
	return out.Bytes()
}

// clock is how long the simulation lasts and how finely it looks.
type clock struct {
	scrape, evaluation, end time.Duration
}

func (f *file) clock() clock {
	c := clock{scrape: 15 * time.Second, evaluation: longestInterval}
	end := unmeasuredFor
	for _, m := range f.monitors {
		c.evaluation = min(c.evaluation, m.interval())
		filled := m.window + max(m.step(), longestInterval)
		pending := time.Duration(0)
		for _, t := range m.thresholds {
			pending = max(pending, t.pending)
		}
		if m.held() {
			filled = (filled + m.every - 1) / m.every * m.every
		}
		end = max(end, filled+pending)
	}
	if end > 12*time.Hour {
		c.scrape = time.Minute
	}
	// A simulation of weeks looks at them more rarely: all that is looked up in between
	// stands at whole steps.
	switch {
	case end > 4*24*time.Hour && f.allLong():
		c.evaluation = longStep
	case end > 24*time.Hour:
		c.evaluation = longestInterval
	}
	// A few evaluations later everything that is due has happened.
	settled := 3 * max(c.evaluation, longestInterval)
	c.end = (end + settled + c.evaluation - 1) / c.evaluation * c.evaluation
	return c
}

// allLong says that every monitor counts in long steps and speaks at whole ones.
func (f *file) allLong() bool {
	return !slices.ContainsFunc(f.monitors, func(m *monitor) bool { return m.step() != longStep || m.every%longStep != 0 })
}

func (f *file) scenarios() []scenario {
	steady := map[string]stream{}
	idle := map[string]stream{}
	for _, feature := range f.features() {
		first := feature.monitors[0]
		steady[feature.name] = stream{rate: feature.rate(), cdf: first.cdf(first.raw())}
		idle[feature.name] = stream{cdf: first.cdf(first.raw())}
	}
	all := []scenario{{name: "no drift", streams: steady, goSpelling: true}}
	// All features drift at once, so that the test grows with the policy and not with
	// its square: once for each monitor that a feature has.
	for turn := 0; ; turn++ {
		streams, drifting := map[string]stream{}, 0
		for _, feature := range f.features() {
			streams[feature.name] = steady[feature.name]
			if turn < len(feature.monitors) {
				m := feature.monitors[turn]
				streams[feature.name] = stream{rate: feature.rate(), cdf: m.cdf(m.shifted(feature.rate()))}
				drifting++
			}
		}
		if drifting == 0 {
			break
		}
		name := "drift"
		if turn > 0 {
			name = fmt.Sprintf("drift, as monitor %d of a feature sees it", turn+1)
		}
		all = append(all, scenario{name: name, streams: streams})
	}
	return append(all,
		scenario{name: "no traffic", streams: idle, goSpelling: true},
		scenario{name: "no histogram", streams: map[string]stream{}})
}

// rate is enough for all monitors of the feature.
func (f *feature) rate() float64 {
	rate := 0.0
	for _, m := range f.monitors {
		rate = max(rate, plentiful*max(m.minimum, 1)/m.window.Seconds())
	}
	return rate
}

// raw are the baseline's shares before smoothing, as nearly as the rules know them.
func (m *monitor) raw() []float64 { return m.shares }

// cdf spreads shares over the bins: evenly within each, so that the bounds of other
// monitors of the feature get their part.
func (m *monitor) cdf(shares []float64) func(float64) float64 {
	return func(bound float64) float64 {
		sum := 0.0
		for bin, share := range shares {
			upper := m.bound(bin)
			if bound >= upper {
				sum += share
				continue
			}
			lower := upper
			if bin > 0 {
				lower = m.bound(bin - 1)
			}
			if bound > lower && bin > 0 && bin < len(shares)-1 {
				sum += share * (bound - lower) / (upper - lower)
			}
			break
		}
		return sum
	}
}

// counts are what a window of the monitor has in each bin.
func (m *monitor) counts(s stream) []float64 {
	counts := make([]float64, m.bins())
	before := 0.0
	for bin := range counts {
		upTo := 1.0
		if bin < m.bins()-1 {
			upTo = s.cdf(m.bound(bin))
		}
		counts[bin] = (upTo - before) * s.rate * m.window.Seconds()
		before = upTo
	}
	return counts
}

// shifted moves values to the last bin until the highest threshold is well passed, or
// nearly all values are there.
func (m *monitor) shifted(rate float64) []float64 {
	highest := 0.0
	for _, t := range m.thresholds {
		highest = max(highest, t.value)
	}
	var shares []float64
	for percent := 2; percent <= 98; percent += 2 {
		moved := float64(percent) / 100
		shares = make([]float64, m.bins())
		for bin, share := range m.raw() {
			shares[bin] = share * (1 - moved)
		}
		shares[len(shares)-1] += moved
		if m.value(m.counts(stream{rate: rate, cdf: m.cdf(shares)})) > 1.25*highest {
			break
		}
	}
	return shares
}

func (f *file) scenario(out *bytes.Buffer, s scenario, c clock) {
	fmt.Fprintf(out, "- name: %s\n  interval: %s\n", quote(s.name), promDuration(c.scrape))
	if len(s.streams) == 0 {
		out.WriteString("  input_series: []\n")
	} else {
		out.WriteString("  input_series:\n")
	}
	steps := int(c.end/c.scrape) + 1
	for _, feature := range f.features() {
		if stream, ok := s.streams[feature.name]; ok {
			f.series(out, feature, stream, s.goSpelling, c.scrape, steps)
		}
	}
	at := promDuration(c.end)
	f.expressions(out, s, at)
	f.alerts(out, s, at)
}

func (f *file) series(out *bytes.Buffer, feature *feature, s stream, goSpelling bool, scrape time.Duration, steps int) {
	for _, bound := range append(slices.Clone(feature.edges), math.Inf(1)) {
		spellings := leSpellings(bound)
		le := spellings[len(spellings)-1]
		if goSpelling {
			le = spellings[0]
		}
		share := 1.0
		if !math.IsInf(bound, 1) {
			share = s.cdf(bound)
		}
		fmt.Fprintf(out, "  - series: %s\n    values: '0+%sx%d'\n",
			quote(fmt.Sprintf(`%s{model=%s,feature=%s,instance="a",le="%s"}`, histogramMetric, promString(f.model), promString(feature.name), le)),
			strconv.FormatFloat(share*s.rate*scrape.Seconds(), 'f', -1, 64), steps)
	}
}

// expressions checks the index and the window's size.
func (f *file) expressions(out *bytes.Buffer, s scenario, at string) {
	out.WriteString("  promql_expr_test:\n")
	for _, m := range f.monitors {
		labels := m.own("")
		stream, exists := s.streams[m.feature]
		if !exists || stream.rate == 0 {
			continue
		}
		counts := m.counts(stream)
		total := 0.0
		for _, n := range counts {
			total += n
		}
		value := m.value(counts)
		near := fmt.Sprintf("abs(%s - %s) < bool %s", m.own(valueRecord(m)), number(value), number(1e-6*max(1, value)))
		fmt.Fprintf(out, "  - expr: %s\n    eval_time: %s\n    exp_samples: [{labels: %s, value: 1}]\n", quote(near), at, quote(labels))
		enough := fmt.Sprintf("abs(%s - %s) < bool %s", m.own(windowRecord(m)), number(total), number(1e-6*max(1, total)))
		fmt.Fprintf(out, "  - expr: %s\n    eval_time: %s\n    exp_samples: [{labels: %s, value: 1}]\n", quote(enough), at, quote(labels))
	}
	if s.idle() {
		// Nothing to compare: the gate is what keeps the index of no values quiet.
		for _, m := range f.monitors {
			fmt.Fprintf(out, "  - expr: %s\n    eval_time: %s\n    exp_samples: []\n", quote(m.own(windowRecord(m))+" > 0"), at)
		}
	}
}

func (s scenario) idle() bool {
	for _, stream := range s.streams {
		if stream.rate > 0 {
			return false
		}
	}
	return true
}

// alerts lists every alert that the file's monitors raise in a scenario.
func (f *file) alerts(out *bytes.Buffer, s scenario, at string) {
	var drift, unmeasured []string
	for _, m := range f.monitors {
		identity := map[string]string{labelModel: m.model, labelFeature: m.feature, labelMonitor: m.name}
		stream, exists := s.streams[m.feature]
		if !exists || stream.rate == 0 {
			unmeasured = append(unmeasured, expected(identity, m.unmeasuredLabels(), map[string]string{
				annotationSummary: expand(unmeasuredSummary, identity),
			}))
			continue
		}
		value := m.value(m.counts(stream))
		for _, t := range m.thresholds {
			if !t.passed(value) {
				continue
			}
			annotations := map[string]string{
				annotationSummary:     strings.Replace(expand(m.summary(t), identity), `{{ $value | printf "%.3f" }}`, fmt.Sprintf("%.3f", value), 1),
				annotationDescription: expand(m.description(t), identity),
			}
			if t.runbook != "" {
				annotations[annotationRunbook] = t.runbook
			}
			drift = append(drift, expected(identity, m.alertLabels(t), annotations))
		}
	}
	out.WriteString("  alert_rule_test:\n")
	for _, alert := range []struct {
		name     string
		expected []string
	}{{alertDrift, drift}, {alertUnmeasured, unmeasured}} {
		fmt.Fprintf(out, "  - alertname: %s\n    eval_time: %s\n", alert.name, at)
		if len(alert.expected) == 0 {
			out.WriteString("    exp_alerts: []\n")
			continue
		}
		out.WriteString("    exp_alerts:\n" + strings.Join(alert.expected, ""))
	}
}

// expand does what Prometheus does with the labels in a template.
func expand(template string, labels map[string]string) string {
	for name, value := range labels {
		template = strings.ReplaceAll(template, "{{ $labels."+name+" }}", value)
	}
	return template
}

func expected(identity, labels, annotations map[string]string) string {
	all := map[string]string{}
	for _, part := range []map[string]string{identity, labels} {
		for key, value := range part {
			all[key] = value
		}
	}
	return fmt.Sprintf("    - exp_labels: %s\n      exp_annotations: %s\n", mapping(all), mapping(annotations))
}
