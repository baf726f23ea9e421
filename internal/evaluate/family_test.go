package evaluate_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

func family(months ...float64) []evaluate.FamilyAlert {
	out := make([]evaluate.FamilyAlert, len(months))
	for i, month := range months {
		out[i] = evaluate.FamilyAlert{Name: fmt.Sprint(i), Month: month, Low: month / 2, High: 2 * month}
	}
	return out
}

func TestAFamilysFalseAlarmsAddUp(t *testing.T) {
	for _, c := range []struct {
		alerts []evaluate.FamilyAlert
		want   evaluate.Family
	}{
		{nil, evaluate.Family{}},
		{family(0.1, 0.2), evaluate.Family{Total: 0.3, Low: 0.15, High: 0.6}},
		{family(100, 0.01), evaluate.Family{Total: 101, Low: 50.1, High: 201}}, // rounded up
		{family(0, 0), evaluate.Family{}},
	} {
		if diff := cmp.Diff(c.want, evaluate.NewFamily(c.alerts)); diff != "" {
			t.Errorf("%v (-want +got):\n%s", c.alerts, diff)
		}
	}
}

func TestABudgetIsSharedSoThatFewAlertsChange(t *testing.T) {
	for _, c := range []struct {
		budget float64
		months []float64
		want   []float64
	}{
		{1, []float64{5, 5}, []float64{0.5, 0.5}},
		{1, []float64{5, 0.2}, []float64{0.8, 0.2}}, // what one leaves, the other has
		{1, []float64{5, 0.2, 5}, []float64{0.4, 0.2, 0.4}},
		{1, []float64{5, 5, 5}, []float64{0.333, 0.333, 0.333}}, // rounded down
		{1, []float64{0.1, 0.2}, []float64{0.1, 0.2}},           // nobody has to change
		{1, []float64{0, 3}, []float64{0, 1}},
	} {
		if diff := cmp.Diff(c.want, evaluate.Shares(family(c.months...), c.budget)); diff != "" {
			t.Errorf("%v of %v (-want +got):\n%s", c.budget, c.months, diff)
		}
	}
}

func TestSharesKeepTheBudgetWhateverTheAlerts(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		months := make([]float64, 1+random.IntN(12))
		for i := range months {
			months[i] = random.ExpFloat64() * 3
		}
		budget := random.ExpFloat64() * 5
		alerts := family(months...)
		for i, share := range evaluate.Shares(alerts, budget) {
			if share > alerts[i].Month || share < 0 {
				t.Fatalf("%v of %v: share %v of %v", budget, months, share, alerts[i].Month)
			}
			alerts[i].Month = share
		}
		if f := evaluate.NewFamily(alerts); !f.Within(budget) {
			t.Fatalf("%v of %v: the shares come to %v", budget, months, f.Total)
		}
	}
}

// members are a bundle's objects, each from JSON, computed attributes filled in.
func members(t *testing.T, path string, change func(kind string, v cty.Value) cty.Value) []evaluate.Member {
	t.Helper()
	_, out := readFixture(t, path).evaluate(t)
	for i := range out {
		out[i].Value = change(out[i].Kind.Name, out[i].Value)
	}
	return out
}

func TestRulesOverManyObjectsWaitForWhatIsUnknown(t *testing.T) {
	for _, c := range []struct {
		fixture, rule, kind, attribute string
	}{
		{"drift/family-wise", "drift/family-wise", "alert_threshold", "evaluation"},
		{"drift/family-wise", "drift/family-wise", "alert_threshold", "model"},
		{"drift/family-wise", "drift/family-wise", "alert_threshold", "severity"},
		{"drift/family-wise", "drift/family-wise", "alert_threshold", ""},
		{"drift/family-wise", "drift/family-wise", "registered_model", "false_alarms_per_30d"},
		{"drift/duplicate", "drift/duplicate", "drift_monitor", "signal"},
		{"drift/duplicate", "drift/duplicate", "drift_monitor", "baseline"},
		{"drift/duplicate", "drift/duplicate", "drift_monitor", ""},
		{"alert/unrouted", "alert/unrouted", "alert_threshold", "severity"},
		{"alert/unrouted", "alert/unrouted", "alert_threshold", "channels"},
		{"alert/unrouted", "alert/unrouted", "notification_channel", "severities"},
		{"alert/unrouted", "alert/unrouted", "notification_channel", ""},
	} {
		t.Run(c.fixture+" "+c.kind+"."+c.attribute, func(t *testing.T) {
			bundle := members(t, "testdata/"+c.fixture+"/fail.json", func(kind string, v cty.Value) cty.Value {
				switch {
				case kind != c.kind:
					return v
				case c.attribute == "":
					return cty.UnknownVal(v.Type())
				}
				return spec.Overlay(v, map[string]cty.Value{c.attribute: cty.UnknownVal(v.Type().AttributeType(c.attribute))})
			})
			verdicts, err := evaluate.Bundle(bundle)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range verdicts {
				if len(v.Findings) > 0 {
					t.Errorf("%s: %s", bundle[i].Address, render(v.Findings))
				}
			}
		})
	}
}

func TestAlertsOfWhichOnlyFiguresAreKnownAreHeldAgainstABudget(t *testing.T) {
	alerts := family(5, 0.2, 5)
	if f, findings := evaluate.Review(alerts, 10.2); f.Total != 10.2 || len(findings) > 0 {
		t.Errorf("%v, %v", f, findings)
	}
	_, findings := evaluate.Review(alerts, 1)
	if len(findings) != 1 || findings[0].Rule != "drift/family-wise" || findings[0].Severity != spec.Warning || findings[0].Summary == "" {
		t.Fatalf("%+v", findings)
	}
	const want = "Divide the budget among the alerts, as their own false_alarms_per_30d: 0 0.4, 2 0.4. The evaluation of each then has the smallest_value that keeps it."
	if diff := cmp.Diff(want, findings[0].Fix); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
