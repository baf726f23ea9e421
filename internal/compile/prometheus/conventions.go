package prometheus

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/common/model"
)

// The names of everything that is read and emitted. They are a contract with
// exporters, dashboards and routing trees: change one only with a migration.
const (
	// histogramMetric is what the exporter offers: a classic histogram of the
	// feature's values, labelled with model and feature.
	histogramMetric = "model_feature_value_bucket"

	labelModel    = "model"
	labelFeature  = "feature"
	labelMonitor  = "monitor"
	labelBin      = "bin"
	labelSeverity = "severity"
	labelOwner    = "owner"
	labelAlert    = "threshold"

	alertDrift      = "MLFeatureDrift"
	alertUnmeasured = "MLDriftUnmeasured"

	annotationSummary     = "summary"
	annotationDescription = "description"
	annotationRunbook     = "runbook_url"

	severityUnmeasured = "info"
)

const (
	// A long window is counted in two steps: the counters of all instances are added
	// up over a short one first, which keeps the cost of a day at that of some hundred
	// samples. shortStep is for windows up to a day, longStep for longer ones.
	shortStep = 5 * time.Minute
	longStep  = time.Hour
	// shortestTwoStep is the shortest window that is counted in two steps.
	shortestTwoStep = 4 * shortStep
	// shortestWindow needs at least two scrapes, at the customary quarter of a minute.
	shortestWindow = time.Minute
	// longestInterval is how long a recorded value lives before Prometheus takes it
	// as stale: a group must run at least that often.
	longestInterval = 5 * time.Minute
	// heldInterval is how often a group runs whose monitor speaks more rarely.
	heldInterval = time.Minute
	// unmeasuredFor is how long a monitor may be without data before it says so.
	unmeasuredFor = 30 * time.Minute
)

func promDuration(d time.Duration) string { return model.Duration(d).String() }

func groupName(m *monitor) string { return "mlops/drift/" + m.model + "/" + m.name }

func increaseRecord(m *monitor) string { return histogramMetric + ":increase" + promDuration(m.step()) }

func countRecord(m *monitor) string  { return "mlops:drift_bin:count" + promDuration(m.window) }
func shareRecord(m *monitor) string  { return "mlops:drift_bin:share" + promDuration(m.window) }
func windowRecord(m *monitor) string { return "mlops:drift_window:count" + promDuration(m.window) }

// valueRecord keeps a number at the end of the metric's name apart from the window.
func valueRecord(m *monitor) string {
	name := "mlops:drift_" + m.metric
	if strings.ContainsRune("0123456789", rune(name[len(name)-1])) {
		name += "_"
	}
	return name + promDuration(m.window)
}

// binLabel numbers bins so that they sort as text.
func binLabel(i, bins int) string {
	width := max(2, len(strconv.Itoa(bins-1)))
	text := strconv.Itoa(i)
	return strings.Repeat("0", width-len(text)) + text
}

// leMatcher selects a bucket by its upper bound, in every spelling that exporters and
// Prometheus itself use: 3.x renames le="1" to le="1.0".
func leMatcher(bound float64) string {
	spellings := leSpellings(bound)
	if len(spellings) == 1 {
		return `le="` + spellings[0] + `"`
	}
	escaped := make([]string, len(spellings))
	for i, s := range spellings {
		escaped[i] = strings.NewReplacer(".", `\\.`, "+", `\\+`).Replace(s)
	}
	return `le=~"` + strings.Join(escaped, "|") + `"`
}

// leSpellings are the ways in which client libraries write a bound, Go's first.
func leSpellings(bound float64) []string {
	if math.IsInf(bound, 1) {
		return []string{"+Inf"}
	}
	short := strconv.FormatFloat(bound, 'g', -1, 64)
	spellings := []string{short}
	if !strings.ContainsAny(short, ".e") {
		spellings = append(spellings, short+".0")
	}
	if plain := strconv.FormatFloat(bound, 'f', -1, 64); strings.Contains(short, "e+") && len(plain) <= 16 {
		spellings = append(spellings, plain)
		if !strings.Contains(plain, ".") {
			spellings = append(spellings, plain+".0")
		}
	}
	return slices.Compact(spellings)
}

// number writes a number as PromQL and YAML read it.
func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }

// proportion writes a share without the dust that normalising leaves behind: to 15
// digits, a millionth of what the index could show.
func proportion(f float64) string { return strconv.FormatFloat(f, 'g', 15, 64) }
