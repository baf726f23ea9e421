package stats

import "testing"

func TestFalseAbortChancesOfRawThresholds(t *testing.T) {
	for _, c := range []struct {
		name   string
		checks GuardrailChecks
		want   float64
	}{
		{"2 requests a second, one failed minute of twelve aborts", GuardrailChecks{0.005, 0.01, 120, 12, 0}, 0.7889},
		{"40 requests a second, one failed minute of sixty aborts", GuardrailChecks{0.005, 0.01, 2400, 60, 0}, 0.0390},
	} {
		_, got, err := FalseAbort(c.checks)
		if err != nil {
			t.Fatal(err)
		}
		if d := got - c.want; d > 5e-5 || d < -5e-5 {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
	for _, c := range goldenCases(t, "binomial_tail_gt") {
		in := decode[struct {
			Count int64
			P     float64 `json:"p_measure"`
			Limit int64   `json:"failureLimit"`
		}](t, c.Inputs)
		wantNear(t, c.Name, must(BinomialUpperTail(in.Limit, in.Count, in.P))(t), decode[float64](t, c.Expected), 1e-12)
	}
	for _, c := range goldenCases(t, "binomial_threshold_false_alarm") {
		in := decode[struct {
			N         int64
			P0        float64
			Threshold float64 `json:"rate_threshold_gt"`
		}](t, c.Inputs)
		fails, _, err := FalseAbort(GuardrailChecks{Rate: in.P0, Maximum: in.Threshold, Samples: in.N, Checks: 1})
		if err != nil {
			t.Fatal(err)
		}
		wantNear(t, c.Name, fails, decode[float64](t, c.Expected), 1e-12)
	}
}

func TestGuardrailsWithoutRequestsNeverAbort(t *testing.T) {
	fails, aborts, err := FalseAbort(GuardrailChecks{Rate: 0.5, Maximum: 0.1, Checks: 10})
	if err != nil || fails != 0 || aborts != 0 {
		t.Errorf("got %v, %v, %v, want 0, 0, no error", fails, aborts, err)
	}
	if _, _, err := FalseAbort(GuardrailChecks{Rate: 0.5, Maximum: 0.1, Checks: -1}); err == nil {
		t.Error("a negative number of checks is accepted")
	}
}

func TestAnyOfIndependentEvents(t *testing.T) {
	for _, c := range goldenCases(t, "fwer_independent") {
		in := decode[struct {
			P        float64
			Features int
		}](t, c.Inputs)
		ps := make([]float64, in.Features)
		for i := range ps {
			ps[i] = in.P
		}
		wantNear(t, c.Name, must(AnyOf(ps))(t), decode[float64](t, c.Expected), 1e-12)
	}
	wantNear(t, "two rare events", must(AnyOf([]float64{1e-18, 1e-18}))(t), 2e-18, 1e-12)
	if got := must(AnyOf([]float64{1, 0.5}))(t); got != 1 {
		t.Errorf("a certain event makes %v, want 1", got)
	}
	if got := must(AnyOf(nil))(t); got != 0 {
		t.Errorf("no event makes %v, want 0", got)
	}
}

func TestBinomialTailsOfHugeCounts(t *testing.T) {
	// Against the normal law with continuity correction, three sd out.
	got := must(BinomialUpperTail(500_000_000+47_434, 1_000_000_000, 0.5))(t)
	wantNear(t, "a billion tosses", got, must(NormalSurvival((47_434.5)/15811.388300841896))(t), 1e-5)
}
