package prometheus

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/compile"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// monitor is a drift monitor with all that its rules are made from.
type monitor struct {
	address  string
	model    string
	name     string
	feature  string
	metric   string
	baseline string
	samples  float64   // of the baseline
	shares   []float64 // of the baseline, as the smoothing leaves them
	edges    []float64 // between the bins, ascending
	// pseudo is added to each count, epsilon to each proportion: one of them is 0.
	pseudo, epsilon float64
	window, every   time.Duration
	minimum         float64 // samples of a window
	thresholds      []*threshold
}

func (m *monitor) bins() int { return len(m.shares) }

// step is how long the shorter windows are that add up to the window, or 0 where it is
// counted at once.
func (m *monitor) step() time.Duration {
	switch {
	case m.window > 24*time.Hour && m.window%longStep == 0:
		return longStep
	case m.window >= shortestTwoStep && m.window%shortStep == 0:
		return shortStep
	}
	return 0
}

// held says that the monitor speaks more rarely than its rules must run: between two
// evaluations the alert looks at the last one.
func (m *monitor) held() bool { return m.every > longestInterval }

// interval is how often the group runs.
func (m *monitor) interval() time.Duration {
	if m.held() {
		return heldInterval
	}
	return m.every
}

// bound is a bin's upper bound.
func (m *monitor) bound(bin int) float64 {
	if bin == len(m.edges) {
		return math.Inf(1)
	}
	return m.edges[bin]
}

// psi is the index of a window with so many samples in each bin.
func (m *monitor) psi(counts []float64) float64 {
	total := 0.0
	for _, n := range counts {
		total += n
	}
	sum := 0.0
	for i, n := range counts {
		p := (n + m.pseudo) / max(total+m.pseudo*float64(len(counts)), 1)
		sum += (p - m.shares[i]) * math.Log((p+m.epsilon)/(m.shares[i]+m.epsilon))
	}
	return sum
}

// threshold is an alert on a monitor.
type threshold struct {
	address     string
	name        string
	operator    string
	value       float64
	pending     time.Duration // for, in whole evaluations
	severity    string
	owner       string
	runbook     string
	falseAlarms spec.Value[float64] // in 30 days
}

func (t *threshold) passed(value float64) bool {
	if t.operator == ">=" {
		return value >= t.value
	}
	return value > t.value
}

// reader collects what cannot be compiled.
type reader struct {
	address  string
	refusals []compile.Refusal
}

func (r *reader) refuse(path cty.Path, fix, why string, args ...any) {
	r.refusals = append(r.refusals, compile.Refusal{Address: r.address, Path: path, Why: fmt.Sprintf(why, args...), Fix: fix})
}

// need reads a leaf that must be there.
func need[T any](r *reader, leaf spec.Value[T]) T {
	value, ok := leaf.Get()
	if !ok {
		r.refuse(leaf.Path(), "Give it a value that is known now, or compile the plan: `terraform show -json`.",
			"%s is not known, and rules are made of constants", spec.PathString(leaf.Path()))
	}
	return value
}

func readMonitor(object compile.Object) (*monitor, []compile.Refusal) {
	r := &reader{address: object.Address}
	declared, err := spec.Decode[spec.DriftMonitor](object.Value)
	if err != nil {
		r.refuse(nil, "", "%v", err)
		return nil, r.refusals
	}
	b, w := declared.Baseline.Fields(), declared.Window.Fields()
	m := &monitor{
		address: object.Address,
		model:   need(r, declared.Model), name: need(r, declared.Name), feature: need(r, declared.Feature),
		baseline: b.Name.Or(""), samples: need(r, b.Samples),
		window: time.Duration(need(r, w.Duration)), every: time.Duration(need(r, declared.Schedule.Fields().Every)),
	}
	m.readMetric(r, declared.Metric, declared.Engine)
	m.readBins(r, b)
	m.readMinimum(r, w)
	if m.window > 0 && m.window < shortestWindow {
		r.refuse(w.Duration.Path(), fmt.Sprintf("Use a window of at least %q.", promDuration(shortestWindow)),
			"A window of %s holds less than two scrapes, and an increase needs two", promDuration(m.window))
	}
	if len(r.refusals) > 0 {
		return nil, r.refusals
	}
	return m, nil
}

func (m *monitor) readBins(r *reader, b spec.Profile) {
	if b.Method.Or("") == "categorical" || !b.Categories.IsNull() {
		r.refuse(b.Categories.Path(), "Monitor categories with another target, or leave this monitor out.",
			"The baseline has categories, and a Prometheus histogram has numbers")
		return
	}
	if b.Edges.IsNull() {
		r.refuse(b.Edges.Path(), "Set edges to the inner edges between the bins (one fewer than there are bins), or use a baseline's profile.",
			"The baseline has no edges: rules select a histogram's buckets by them")
		return
	}
	bins := int(need(r, b.Bins))
	for _, edge := range need(r, b.Edges) {
		bound := need(r, edge)
		if bound == 0 {
			bound = 0 // not -0, which no exporter writes
		}
		m.edges = append(m.edges, bound)
	}
	if b.Shares.IsNull() {
		m.shares = stats.EqualShares(bins)
	} else {
		for _, share := range need(r, b.Shares) {
			m.shares = append(m.shares, need(r, share))
		}
	}
	switch {
	case len(r.refusals) > 0:
		return
	case len(m.edges) != bins-1 || len(m.shares) != bins:
		r.refuse(b.Edges.Path(), "Give every bin its share, and an edge between each two bins.",
			"There are %d bins, %d edges and %d shares", bins, len(m.edges), len(m.shares))
		return
	case !ascending(m.edges):
		r.refuse(b.Edges.Path(), "Put the edges in ascending order, each once.", "The edges do not ascend")
		return
	}
	m.smooth(r, b)
}

func ascending(edges []float64) bool {
	for i := 1; i < len(edges); i++ {
		if edges[i] <= edges[i-1] {
			return false
		}
	}
	return true
}

// smooth prepares the baseline's shares as the index is defined: epsilon is added to
// proportions, laplace and jeffreys to counts before they become proportions.
func (m *monitor) smooth(r *reader, b spec.Profile) {
	total := 0.0
	for _, share := range m.shares {
		total += share
	}
	for i := range m.shares {
		m.shares[i] /= total
	}
	if m.metric == "l_infinity" || m.metric == "chi2" {
		return // of the counts as they are
	}
	switch method := b.Smoothing.Or(stats.SmoothingEpsilon); method {
	case stats.SmoothingEpsilon:
		m.epsilon = b.Epsilon.Or(stats.DefaultSmoothing().Epsilon)
	case stats.SmoothingLaplace:
		m.pseudo = 1
	case stats.SmoothingJeffreys:
		m.pseudo = 0.5
	case stats.SmoothingNone:
		if empty := slices.Index(m.shares, 0); empty >= 0 && slices.Contains(endless, m.metric) {
			r.refuse(b.Smoothing.Path(), `Use smoothing = "jeffreys", or fewer bins.`,
				"The baseline's bin %d is empty, and without smoothing %s is infinite or no number at all", empty, m.title())
		}
	default:
		r.refuse(b.Smoothing.Path(), `Use "epsilon", "laplace", "jeffreys" or "none".`, "The smoothing %q has no rules for Prometheus", method)
	}
	if m.pseudo > 0 {
		bins := float64(len(m.shares))
		for i := range m.shares {
			m.shares[i] = (m.shares[i]*m.samples + m.pseudo) / (m.samples + m.pseudo*bins)
		}
	}
}

func (m *monitor) readMinimum(r *reader, w spec.Window) {
	if !w.Samples.IsNull() {
		m.minimum = need(r, w.Samples)
		return
	}
	m.minimum = math.Floor(need(r, w.RequestsPerSecond)*m.window.Seconds() + 1e-9)
}

func readThreshold(object compile.Object) (t *threshold, model, on string, refusals []compile.Refusal) {
	r := &reader{address: object.Address}
	declared, err := spec.Decode[spec.AlertThreshold](object.Value)
	if err != nil {
		r.refuse(nil, "", "%v", err)
		return nil, "", "", r.refusals
	}
	signal := declared.Signal.Fields()
	if kind := need(r, signal.Kind); kind != spec.SignalDataDrift && len(r.refusals) == 0 {
		// Leaving it out would be an alert that everybody believes to be there.
		r.refuse(signal.Kind.Path(), "Compile it with another target, or give compile the paths of the other alerts only.",
			"The alert is on a %s signal, and this target has rules for data_drift only", kind)
		return nil, "", "", r.refusals
	}
	t = &threshold{
		address: object.Address, name: need(r, declared.Name),
		operator: need(r, declared.Operator), value: need(r, declared.Value), pending: time.Duration(need(r, declared.For)),
		severity: need(r, declared.Severity), owner: declared.Owner.Or(""), runbook: declared.RunbookURL.Or(""),
		falseAlarms: declared.Evaluation.Fields().FalseAlarmsPer30d,
	}
	for _, leaf := range []spec.Value[string]{declared.Owner, declared.RunbookURL} {
		if leaf.IsUnknown() {
			need(r, leaf)
		}
	}
	return t, need(r, signal.Model), need(r, signal.Monitor), r.refusals
}

// whole rounds `for` up to whole evaluations: with the value held in between, that
// many evaluations more than the first one must agree.
func whole(pending, every time.Duration) time.Duration {
	if every <= 0 || pending <= 0 {
		return max(pending, 0)
	}
	return (pending + every - 1) / every * every
}

// join gives the thresholds to their monitors, and returns the monitors by model.
func join(objects []compile.Object) (map[string][]*monitor, compile.Result) {
	var result compile.Result
	models, byName := map[string][]*monitor{}, map[[2]string]*monitor{}
	for _, object := range objects {
		if object.Kind.Name != "drift_monitor" {
			continue
		}
		m, refusals := readMonitor(object)
		result.Refusals = append(result.Refusals, refusals...)
		if m == nil {
			continue
		}
		key := [2]string{m.model, m.name}
		if other, ok := byName[key]; ok {
			result.Refusals = append(result.Refusals, compile.Refusal{
				Address: m.address, Path: cty.GetAttrPath("name"), Fix: "Give it another name.",
				Why: fmt.Sprintf("%s has the same model and name: their series would mix", other.address),
			})
			continue
		}
		byName[key] = m
		models[m.model] = append(models[m.model], m)
	}
	refused := len(result.Refusals) > 0
	for _, object := range objects {
		if object.Kind.Name != "alert_threshold" {
			continue
		}
		t, model, on, refusals := readThreshold(object)
		result.Refusals = append(result.Refusals, refusals...)
		if len(refusals) > 0 {
			continue
		}
		m, ok := byName[[2]string{model, on}]
		if !ok {
			if !refused {
				result.Refusals = append(result.Refusals, compile.Refusal{
					Address: t.address, Path: cty.GetAttrPath("signal"), Fix: "Compile the monitor together with its alert.",
					Why: fmt.Sprintf("The monitor %q of the model %q is not among the objects, and its rules are what the alert looks at", on, model),
				})
			}
			continue
		}
		t.pending = whole(t.pending, m.every)
		m.thresholds = append(m.thresholds, t)
	}
	for _, monitors := range models {
		slices.SortFunc(monitors, func(a, b *monitor) int { return strings.Compare(a.name, b.name) })
		for _, m := range monitors {
			slices.SortFunc(m.thresholds, func(a, b *threshold) int { return strings.Compare(a.name, b.name) })
		}
	}
	return models, result
}

// digest is a hash of what the objects declare, whatever was computed from it.
func digest(objects []compile.Object) (string, error) {
	var lines []string
	for _, object := range objects {
		computed := map[string]cty.Value{}
		for name, ty := range object.Kind.Type().AttributeTypes() {
			if object.Kind.IsComputed(name) {
				computed[name] = cty.NullVal(ty)
			}
		}
		encoded, err := object.Kind.EncodeJSON(spec.Overlay(object.Value, computed))
		if err != nil {
			return "", err
		}
		lines = append(lines, object.Kind.Name+" "+string(encoded)+"\n")
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:]), nil
}
