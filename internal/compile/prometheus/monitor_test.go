package prometheus

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// The index that the rules' tests expect is the one that the evaluator knows.
func TestTheExpectedIndexIsTheDefinition(t *testing.T) {
	baseline, window := []int64{100, 200, 300, 250, 100, 50, 0}, []int64{30, 20, 0, 25, 40, 90, 3}
	for _, smoothing := range []stats.Smoothing{{Method: "epsilon", Epsilon: 1e-8}, {Method: "epsilon", Epsilon: 0.01}, {Method: "laplace"}, {Method: "jeffreys"}} {
		want, err := stats.PSICounts(baseline, window, smoothing)
		if err != nil {
			t.Fatal(err)
		}
		total, counts := 0.0, make([]float64, len(window))
		for _, n := range baseline {
			total += float64(n)
		}
		m := &monitor{samples: total, metric: "psi"}
		for i, n := range baseline {
			m.shares = append(m.shares, float64(n)/total)
			counts[i] = float64(window[i])
		}
		m.smooth(&reader{}, spec.Profile{
			Smoothing: spec.Known(smoothing.Method, nil),
			Epsilon:   spec.Known(smoothing.Epsilon, nil),
		})
		if got := m.psi(counts); math.Abs(got-want) > 1e-12*want {
			t.Errorf("%s: %v, want %v", smoothing.Method, got, want)
		}
	}
}

func TestBoundsAreFoundInEverySpelling(t *testing.T) {
	tests := map[float64]string{
		0.1:         `le="0.1"`,
		1:           `le=~"1|1\\.0"`,
		-3:          `le=~"-3|-3\\.0"`,
		2.5:         `le="2.5"`,
		1e6:         `le=~"1e\\+06|1000000|1000000\\.0"`,
		1e-5:        `le="1e-05"`,
		1e300:       `le="1e+300"`,
		math.Inf(1): `le="+Inf"`,
		100000:      `le=~"100000|100000\\.0"`,
	}
	tests[123456789] = `le=~"1\\.23456789e\\+08|123456789|123456789\\.0"`
	for bound, want := range tests {
		if got := leMatcher(bound); got != want {
			t.Errorf("%v: %s, want %s", bound, got, want)
		}
	}
}

func TestPendingIsRoundedUpToWholeEvaluations(t *testing.T) {
	for _, test := range [][3]time.Duration{
		{0, time.Hour, 0},
		{time.Minute, time.Hour, time.Hour},
		{time.Hour, time.Hour, time.Hour},
		{61 * time.Minute, time.Hour, 2 * time.Hour},
		{15 * time.Minute, 5 * time.Minute, 15 * time.Minute},
	} {
		if got := whole(test[0], test[1]); got != test[2] {
			t.Errorf("for %v every %v: %v, want %v", test[0], test[1], got, test[2])
		}
	}
}

func TestAGroupRunsOftenEnoughForItsSeriesToStayFresh(t *testing.T) {
	for every, want := range map[time.Duration]time.Duration{
		15 * time.Second: 15 * time.Second,
		5 * time.Minute:  5 * time.Minute,
		6 * time.Minute:  time.Minute,
		24 * time.Hour:   time.Minute,
	} {
		if got := (&monitor{every: every}).interval(); got != want {
			t.Errorf("every %v: interval %v, want %v", every, got, want)
		}
	}
}

func TestModelsGetFilesThatNoFileSystemMixesUp(t *testing.T) {
	names := fileNames([]string{"fraud", "a b", "a_b", "Churn", "churn", "../../etc"})
	if names["fraud"] != "fraud" {
		t.Errorf("a plain name becomes %q", names["fraud"])
	}
	seen := map[string]bool{}
	for model, name := range names {
		if seen[strings.ToLower(name)] || strings.ContainsAny(name, `/\: `) {
			t.Errorf("%q becomes %q", model, name)
		}
		seen[strings.ToLower(name)] = true
	}
}
