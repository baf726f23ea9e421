package evaluate_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// performanceSignal and serviceSignal are hand-written ones with only what is required.
func performanceSignal(metric string, baseline, rows float64, more string) string {
	return fmt.Sprintf(`{"model":"m","monitor":"s","kind":"performance","metric":%q,"baseline_value":%v,"window_samples":%.0f,"window_seconds":86400,"every_seconds":86400%s}`, metric, baseline, rows, more)
}

func serviceSignal(metric string, baseline, requests float64, more string) string {
	return fmt.Sprintf(`{"model":"m","monitor":"s","kind":"service","metric":%q,"baseline_value":%v,"window_samples":%.0f,"window_seconds":300,"every_seconds":300%s}`, metric, baseline, requests, more)
}

func below(t testing.TB, value, signal, more string) cty.Value {
	return threshold(t, value, signal, `,"operator":"<"`+more)
}

func performance(t testing.TB, body string) cty.Value {
	return declare(t, "performance_monitor", `{"model":"m","name":"s","schedule":{"every":"1d"},`+body+`}`, nil)
}

func service(t testing.TB, body string) cty.Value {
	return declare(t, "service_monitor", `{"model":"m","name":"s","schedule":{"every":"5m"},`+body+`}`, nil)
}

// figureOf is a number of the evaluation.
func figureOf(t testing.TB, kind string, v cty.Value, name string) float64 {
	t.Helper()
	figure := figures(t, kind, v).GetAttr(name)
	if figure.IsNull() {
		t.Fatalf("%s is null", name)
	}
	f, _ := figure.AsBigFloat().Float64()
	return f
}

func near(t *testing.T, what string, got, want, relative float64) {
	t.Helper()
	if math.Abs(got-want) > relative*math.Abs(want) {
		t.Errorf("%s is %v, want %v within %v", what, got, want, relative)
	}
}

func TestMonitorsShowThePublishedFigures(t *testing.T) {
	auc := `"metric":"auc","baseline_value":0.8,"tolerance":0.02,"prevalence":0.05,"window":{"duration":"7d"},"labels":{"delay":"1d","samples":%d}%s`
	latency := `"metric":"latency","quantile":0.99,"baseline_value":0.25,"log_std_dev":0.5,"window":{"duration":"5m","samples":%d}`
	for name, c := range map[string]struct {
		kind string
		v    cty.Value
		want map[string]string
	}{
		"the binormal error of an AUC with 50 positives of 1,000": {
			kind: "performance_monitor", v: performance(t, fmt.Sprintf(auc, 1000, "")),
			want: map[string]string{"standard_error": "0.0315", "labelled_samples": "1000", "positives": "50", "method": `"gamma"`},
		},
		"Hanley and McNeil's, which is wider": {
			kind: "performance_monitor", v: performance(t, fmt.Sprintf(auc, 1000, `,"standard_error_method":"hanley_mcneil"`)),
			want: map[string]string{"standard_error": "0.0381"},
		},
		"the ranks of a p99 among 1,000": {
			kind: "service_monitor", v: service(t, fmt.Sprintf(latency, 1000)),
			want: map[string]string{"rank_low": "983", "rank_high": "997", "rank_coverage": "0.976", "samples_beyond": "10", "required_samples": "368", "samples": "1000"},
		},
		"and among 7,200": {
			kind: "service_monitor", v: service(t, fmt.Sprintf(latency, 7200)),
			want: map[string]string{"rank_low": "7111", "rank_high": "7145", "rank_coverage": "0.956", "method": `"exact"`},
		},
		"too few for any ranks": {
			kind: "service_monitor", v: service(t, fmt.Sprintf(latency, 300)),
			want: map[string]string{"rank_low": "null", "rank_high": "null", "rank_coverage": "null", "samples_beyond": "3"},
		},
		"an error rate": {
			kind: "service_monitor", v: service(t, `"metric":"error_rate","baseline_value":0.01,"window":{"duration":"5m","samples":500}`),
			want: map[string]string{"standard_error": "0.00445", "noise_p99": "0.022", "noise_p01": "0.002", "method": `"exact"`, "samples_beyond": "null", "required_samples": "null"},
		},
		"a throughput is Poisson": {
			kind: "service_monitor", v: service(t, `"metric":"throughput","baseline_value":2,"window":{"duration":"5m","design_effect":4}`),
			want: map[string]string{"samples": "600", "standard_error": "0.163", "method": `"exact"`},
		},
		"rows that have no label yet do not count": {
			kind: "performance_monitor", v: performance(t, `"metric":"accuracy","baseline_value":0.9,"tolerance":0.05,"window":{"duration":"7d"},"labels":{"delay":"2d","requests_per_second":0.01,"labelled_share":0.5,"design_effect":2}`),
			want: map[string]string{"labelled_samples": "2160", "positives": "null", "standard_error": "0.00913"},
		},
		"no row has": {
			kind: "performance_monitor", v: performance(t, `"metric":"accuracy","baseline_value":0.9,"tolerance":0.05,"window":{"duration":"2d"},"labels":{"delay":"2d","requests_per_second":0.01}`),
			want: map[string]string{"labelled_samples": "0", "standard_error": "null", "noise_p05": "null", "smallest_detectable_change": "null", "method": "null"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := texts(figures(t, c.kind, c.v))
			got := map[string]string{}
			for name := range c.want {
				got[name] = all[name]
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\nall: %v", diff, all)
			}
		})
	}
	// 22,864 rows, 5 % of them positives, show a drop by 0.02 with power 0.8 (normal law).
	v := performance(t, fmt.Sprintf(auc, 22864, `,"standard_error_method":"hanley_mcneil"`))
	near(t, "the detectable drop", figureOf(t, "performance_monitor", v, "smallest_detectable_change"), 0.02, 0.01)
	// A log-normal p99 with sigma 0.5 has a relative error of 2.2 % at 7,200 requests.
	near(t, "the p99's error", figureOf(t, "service_monitor", service(t, fmt.Sprintf(latency, 7200)), "standard_error"), 0.022*0.25, 0.02)
}

// The binomial tails are those of scipy.stats.binom as well.
func TestAnAlertOnAnEstimateShowsThePublishedFigures(t *testing.T) {
	for name, c := range map[string]struct {
		v    cty.Value
		want map[string]string
	}{
		"500 requests, above 2 % where 1 % is healthy": {
			v:    threshold(t, "0.02", serviceSignal("error_rate", 0.01, 500, ""), ""),
			want: map[string]string{"false_alarm_rate": "0.0132", "false_alarms_per_30d": "114", "false_alarms_per_30d_low": "114", "false_alarms_per_30d_high": "114", "method": `"exact"`, "power": "null", "detectable_shift_sd": "null"},
		},
		"above 3 %": {
			v:    threshold(t, "0.03", serviceSignal("error_rate", 0.01, 500, ""), ""),
			want: map[string]string{"false_alarm_rate": "6.15e-05"},
		},
		"at 3 % or above, the 15th error fires as well": {
			v:    threshold(t, "0.03", serviceSignal("error_rate", 0.01, 500, ""), `,"operator":">="`),
			want: map[string]string{"false_alarm_rate": "0.000206"},
		},
		"7,200 requests, above 1.5 %": {
			v:    threshold(t, "0.015", serviceSignal("error_rate", 0.01, 7200, ""), ""),
			want: map[string]string{"false_alarm_rate": "2.67e-05"},
		},
		"a design effect divides the window": {
			v:    threshold(t, "0.02", serviceSignal("error_rate", 0.01, 1000, `,"design_effect":2`), ""),
			want: map[string]string{"false_alarm_rate": "0.0132"},
		},
		"declared effective samples go before": {
			v:    threshold(t, "0.02", serviceSignal("error_rate", 0.01, 9000, `,"effective_samples":500`), ""),
			want: map[string]string{"false_alarm_rate": "0.0132"},
		},
		"two in a row that share nothing": {
			v:    threshold(t, "0.02", serviceSignal("error_rate", 0.01, 500, ""), `,"for":"5m"`),
			want: map[string]string{"false_alarms_per_30d": "1.52"},
		},
		"the tolerance is what must be seen where nothing else is": {
			v:    below(t, "0.9", performanceSignal("accuracy", 0.95, 100, `,"tolerance":0.1`), ""),
			want: map[string]string{"false_alarm_rate": "0.0115", "power": "0.901", "method": `"exact"`},
		},
		"a sensitivity goes before": {
			v:    below(t, "0.9", performanceSignal("accuracy", 0.95, 100, `,"tolerance":0.1,"sensitivity":{"change":0.05,"power":0.5}`), ""),
			want: map[string]string{"power": "0.417"},
		},
		"info has no budget, so there is nothing nearest": {
			v:    below(t, "0.9", performanceSignal("accuracy", 0.95, 100, ""), `,"severity":"info"`),
			want: map[string]string{"smallest_value": "null", "smallest_window_samples": "null"},
		},
		"a window in which no label has arrived has no figures": {
			v:    below(t, "0.9", performanceSignal("accuracy", 0.95, 100, `,"label_delay_seconds":86400`), ""),
			want: map[string]string{"false_alarm_rate": "null", "smallest_value": "null", "detectable_change": "null", "method": "null"},
		},
		"an AUC without an expected positive neither": {
			v:    below(t, "0.9", performanceSignal("auc", 0.95, 100, `,"prevalence":0.001`), ""),
			want: map[string]string{"false_alarm_rate": "null"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			all := texts(figures(t, "alert_threshold", c.v))
			got := map[string]string{}
			for name := range c.want {
				got[name] = all[name]
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s\nall: %v", diff, all)
			}
		})
	}
}

func TestTheNearestValueAndTheSmallestWindowAreThose(t *testing.T) {
	month := func(value string, requests float64) float64 {
		v := threshold(t, value, serviceSignal("latency", 0.25, requests, `,"quantile":0.99,"log_std_dev":0.5`), `,"false_alarms_per_30d":2`)
		return figureOf(t, "alert_threshold", v, "false_alarms_per_30d")
	}
	v := threshold(t, "0.28", serviceSignal("latency", 0.25, 1000, `,"quantile":0.99,"log_std_dev":0.5`), `,"false_alarms_per_30d":2`)
	if got := figureOf(t, "alert_threshold", v, "smallest_value"); got != 0.3099 || month("0.3099", 1000) > 2 || month("0.3098", 1000) <= 2 {
		t.Errorf("smallest_value is %v", got)
	}
	// A longer window overlaps more, so its own alerts are counted by the figures of the
	// window that it would be.
	if got := figureOf(t, "alert_threshold", v, "smallest_window_samples"); month("0.28", got) > 2 || month("0.28", got-10) <= 2 {
		t.Errorf("smallest_window_samples is %v", got)
	}
	auc := below(t, "0.7", performanceSignal("auc", 0.8, 2000, `,"prevalence":0.1`), `,"false_alarms_per_30d":1`)
	nearest := figureOf(t, "alert_threshold", auc, "smallest_value")
	if nearest <= 0.7 || nearest >= 0.8 {
		t.Fatalf("the nearest value is %v", nearest)
	}
	at := func(value float64) float64 {
		return figureOf(t, "alert_threshold", below(t, fmt.Sprint(value), performanceSignal("auc", 0.8, 2000, `,"prevalence":0.1`), `,"false_alarms_per_30d":1`), "false_alarms_per_30d")
	}
	if at(nearest) > 1 || at(nearest+0.0005) <= 1 {
		t.Errorf("%v is not the largest: %v, then %v", nearest, at(nearest), at(nearest+0.0005))
	}
}

func TestComputedSignalsOfEstimatesAndHandWrittenOnesGiveTheSameFigures(t *testing.T) {
	computed := readFixture(t, "testdata/alert/noise-floor/fail-p99.json").judge(t).Computed[spec.AttributeEvaluation]
	written := figures(t, "alert_threshold", threshold(t, "0.28", serviceSignal("latency", 0.25, 1000, `,"quantile":0.99,"log_std_dev":0.5,"sensitivity":{"change":0.1,"power":0.8}`), `,"false_alarms_per_30d":2`))
	if !computed.RawEquals(written) {
		t.Errorf("computed %v\nwritten %v", texts(computed), texts(written))
	}
	profile := readFixture(t, "testdata/alert/noise-floor/fail-profile-three-in-a-row.json").judge(t).Computed[spec.AttributeEvaluation]
	written = figures(t, "alert_threshold", threshold(t, "0.27", serviceSignal("latency", 0.25, 600, `,"quantile":0.99,"bins":6,"bin_shares":[0.5,0.4,0.08,0.015,0.004,0.001],"edges":[0.08,0.15,0.22,0.3,0.45]`), `,"for":"10m"`))
	if !profile.RawEquals(written) {
		t.Errorf("computed %v\nwritten %v", texts(profile), texts(written))
	}
}

func TestAWindowWhoseDurationIsUnknownHasAnUnknownNumberOfSamples(t *testing.T) {
	v := declare(t, "drift_monitor", `{"model":"m","name":"s","feature":"f","metric":"psi","baseline":{"name":"b","bins":2,"samples":1000},"window":{"duration":"30m","requests_per_second":0.3},"schedule":{"every":"10m"}}`, nil)
	v = replace(t, v, cty.GetAttrPath("window").GetAttr("duration"), func(v cty.Value) cty.Value { return cty.UnknownVal(v.Type()) })
	report, err := evaluate.Object(kindOf(t, "drift_monitor"), v, evaluate.Inputs{})
	if err != nil {
		t.Fatal(err)
	}
	if samples := report.Computed["signal"].GetAttr("window_samples"); samples.IsKnown() {
		t.Errorf("window_samples is %#v", samples)
	}
}

// rateOf is how often a simulation passes.
func rateOf(draws int, passes func() bool) float64 {
	n := 0.0
	for range draws {
		if passes() {
			n++
		}
	}
	return n / float64(draws)
}

// bounded holds a figure against a simulation: within a share of it, and its own noise.
func bounded(t *testing.T, what string, figure, simulated, share float64, draws int) {
	t.Helper()
	if math.Abs(figure-simulated) > share*simulated+4*math.Sqrt(simulated/float64(draws)) {
		t.Errorf("%s: the figure is %v, the simulation %v", what, figure, simulated)
	}
}

func TestTheFalseAlarmsOfEstimatesAgainstSimulation(t *testing.T) {
	random := rand.New(rand.NewPCG(2024, 7))
	alarm := func(v cty.Value) float64 { return figureOf(t, "alert_threshold", v, "false_alarm_rate") }
	power := func(v cty.Value) float64 { return figureOf(t, "alert_threshold", v, "power") }
	const draws = 6000

	t.Run("a log-normal p99, and a worse one", func(t *testing.T) {
		p99 := func(n int, scale float64) float64 {
			values := make([]float64, n)
			for i := range values {
				values[i] = scale * math.Exp(0.5*(random.NormFloat64()-2.3263478740408408))
			}
			slices.Sort(values)
			return values[int(math.Ceil(0.99*float64(n)))-1]
		}
		for _, n := range []int{150, 600} {
			v := threshold(t, "0.3", serviceSignal("latency", 0.25, float64(n), `,"quantile":0.99,"log_std_dev":0.5,"sensitivity":{"change":0.05,"power":0.8}`), "")
			bounded(t, "false alarms", alarm(v), rateOf(draws, func() bool { return p99(n, 0.25) > 0.3 }), 0.01, draws)
			bounded(t, "power", power(v), rateOf(draws, func() bool { return p99(n, 0.3) > 0.3 }), 0.01, draws)
			edges, shares, last := []string{}, []string{}, 0.0
			for _, z := range []float64{0, 1, 1.5, 2, 2.3, 2.6, 3} {
				edges = append(edges, fmt.Sprint(0.25*math.Exp(0.5*(z-2.3263478740408408))))
				share := math.Erfc(-z/math.Sqrt2) / 2
				shares = append(shares, fmt.Sprint(share-last))
				last = share
			}
			shares = append(shares, fmt.Sprint(1-last))
			profiled := threshold(t, "0.3", serviceSignal("latency", 0.25, float64(n), fmt.Sprintf(`,"quantile":0.99,"bins":8,"edges":[%s],"bin_shares":[%s]`, strings.Join(edges, ","), strings.Join(shares, ","))), "")
			near(t, "the same law read from a profile", alarm(profiled), alarm(v), 0.01)
		}
	})
	t.Run("an AUC, and a worse one", func(t *testing.T) {
		area := func(auc float64) float64 {
			d := math.Sqrt2 * math.Sqrt2 * math.Erfinv(2*auc-1)
			var positives, negatives []float64
			for range 600 {
				if random.Float64() < 0.1 {
					positives = append(positives, random.NormFloat64()+d)
				} else {
					negatives = append(negatives, random.NormFloat64())
				}
			}
			slices.Sort(negatives)
			rank := 0
			for _, p := range positives {
				below, _ := slices.BinarySearch(negatives, p)
				rank += below
			}
			return float64(rank) / float64(len(positives)) / float64(len(negatives))
		}
		v := below(t, "0.86", performanceSignal("auc", 0.9, 600, `,"prevalence":0.1,"sensitivity":{"change":0.06,"power":0.8}`), "")
		bounded(t, "false alarms", alarm(v), rateOf(draws, func() bool { return area(0.9) < 0.86 }), 0.06, draws)
		bounded(t, "power", power(v), rateOf(draws, func() bool { return area(0.84) < 0.86 }), 0.03, draws)
	})
	t.Run("recall, of as many positives as there are", func(t *testing.T) {
		v := below(t, "0.7", performanceSignal("recall", 0.8, 600, `,"prevalence":0.1`), "")
		bounded(t, "false alarms", alarm(v), rateOf(draws, func() bool {
			positives, hits := 0.0, 0.0
			for range 600 {
				if random.Float64() < 0.1 {
					positives++
					if random.Float64() < 0.8 {
						hits++
					}
				}
			}
			return hits/positives < 0.7
		}), 0.01, draws)
	})
	t.Run("an RMSE of normal errors", func(t *testing.T) {
		v := threshold(t, "11", performanceSignal("rmse", 10, 200, `,"sensitivity":{"change":1.5,"power":0.8}`), "")
		rmse := func(scale float64) float64 {
			sum := 0.0
			for range 200 {
				e := scale * random.NormFloat64()
				sum += e * e
			}
			return math.Sqrt(sum / 200)
		}
		bounded(t, "false alarms", alarm(v), rateOf(draws, func() bool { return rmse(10) > 11 }), 0.01, draws)
		bounded(t, "power", power(v), rateOf(draws, func() bool { return rmse(11.5) > 11 }), 0.01, draws)
	})
	t.Run("an RMSE of errors with heavy tails, roughly", func(t *testing.T) {
		v := threshold(t, "11", performanceSignal("rmse", 10, 400, `,"kurtosis":6`), "")
		bounded(t, "false alarms", alarm(v), rateOf(draws, func() bool {
			sum := 0.0
			for range 400 { // Laplace errors: variance 2, kurtosis 6
				e := random.ExpFloat64() * 10 / math.Sqrt2
				sum += e * e
			}
			return math.Sqrt(sum/400) > 11
		}), 0.15, draws)
	})
	t.Run("an MAE of normal errors", func(t *testing.T) {
		mean := 10 * math.Sqrt(2/math.Pi)
		v := threshold(t, "9", performanceSignal("mae", mean, 200, fmt.Sprintf(`,"std_dev":%v`, 10*math.Sqrt(1-2/math.Pi))), "")
		bounded(t, "false alarms", alarm(v), rateOf(draws, func() bool {
			sum := 0.0
			for range 200 {
				sum += math.Abs(10 * random.NormFloat64())
			}
			return sum/200 > 9
		}), 0.08, draws)
	})
	t.Run("a throughput whose gaps are exponential", func(t *testing.T) {
		v := below(t, "0.32", serviceSignal("throughput", 0.4, 120, ""), "")
		bounded(t, "false alarms", alarm(v), rateOf(draws, func() bool {
			count := 0.0
			for at := random.ExpFloat64() / 0.4; at < 300; at += random.ExpFloat64() / 0.4 {
				count++
			}
			return count/300 < 0.32
		}), 0.01, draws)
	})
	t.Run("a utilisation", func(t *testing.T) {
		v := threshold(t, "0.65", serviceSignal("resource", 0.6, 30, `,"std_dev":0.15`), "")
		bounded(t, "false alarms", alarm(v), rateOf(draws, func() bool {
			sum := 0.0
			for range 30 {
				sum += min(max(0.6+0.15*random.NormFloat64(), 0), 1)
			}
			return sum/30 > 0.65
		}), 0.08, draws)
	})
}

func TestHostileEstimatesGiveFigures(t *testing.T) {
	alerts, monitors, services := kindOf(t, "alert_threshold"), kindOf(t, "performance_monitor"), kindOf(t, "service_monitor")
	judged := map[string]int{}
	try := func(metric string, kind *spec.Kind, text string) {
		v := declare(t, kind.Name, text, map[string]string{})
		if len(kind.Check(v)) == 0 {
			judged[metric+" "+kind.Name]++
		}
		survive(t, kind, v)
	}
	metrics := map[string][]string{
		"auc": {`"prevalence":0.5`, `"prevalence":1e-9`, `"prevalence":0.999999,"standard_error_method":"hanley_mcneil"`}, "accuracy": {""},
		"precision": {`"flagged_share":1`, `"flagged_share":1e-6`}, "recall": {`"prevalence":0.02`, `"prevalence":1e-12`},
		"rmse": {"", `"kurtosis":1000000`, `"kurtosis":1.0000001`}, "mae": {`"std_dev":1e-9`, `"std_dev":1e12`},
		"latency":    {`"quantile":0.99,"log_std_dev":10`, `"quantile":1e-9,"log_std_dev":1e-9`, `"quantile":0.999999999,"log_std_dev":0.5`, `"quantile":0.5,"bins":3,"edges":[1e-300,1e300]`, `"quantile":0.9,"bins":2,"bin_shares":[1,0],"edges":[1]`},
		"error_rate": {""}, "throughput": {""}, "resource": {`"std_dev":1e-9`, `"std_dev":1e12`},
	}
	for metric, forms := range metrics {
		lower := spec.LowerIsWorse(metric)
		for _, form := range forms {
			if form != "" {
				form = "," + form
			}
			for _, rows := range []float64{0, 1, 300, 1e15} {
				for _, baseline := range []float64{1e-9, 0.3, 0.5, 0.999999999, 1e12} {
					for _, value := range []float64{0.5, 2} {
						operator := `,"operator":">"`
						if lower {
							operator = `,"operator":"<="`
						}
						kind := "service"
						if metric != "latency" && metric != "error_rate" && metric != "throughput" && metric != "resource" {
							kind = "performance"
						}
						signal := fmt.Sprintf(`{"model":"m","monitor":"s","kind":%q,"metric":%q,"baseline_value":%v,"window_samples":%.0f,"window_seconds":1e6,"every_seconds":7,"sensitivity":{"change":%v,"power":0.999}%s}`, kind, metric, baseline, rows, baseline/3, form)
						text := fmt.Sprintf(`{"model":"m","name":"a","value":%v,"signal":%s%s}`, baseline*value, signal, operator)
						try(metric, alerts, text)
						body := fmt.Sprintf(`{"model":"m","name":"s","schedule":{"every":"7s"},"metric":%q,"baseline_value":%v,"sensitivity":{"change":%v,"power":0.999}`, metric, baseline, baseline/3)
						if kind == "performance" {
							try(metric, monitors, body+fmt.Sprintf(`%s,"tolerance":%v,"window":{"duration":"3d"},"labels":{"delay":"1d","samples":%.0f,"design_effect":1.3}}`, form, baseline/5, rows))
							continue
						}
						window := fmt.Sprintf(`,"samples":%.0f`, rows)
						if metric == "throughput" {
							window = ""
						}
						if !strings.Contains(form, "edges") {
							try(metric, services, body+fmt.Sprintf(`%s,"window":{"duration":"1h","design_effect":1.3%s}}`, form, window))
						}
					}
				}
			}
		}
	}
	wantJudged(t, judged)
}

// Not vacuously: most of them satisfy the constraints.
func wantJudged(t *testing.T, judged map[string]int) {
	t.Helper()
	if len(judged) != 20 {
		t.Errorf("judged %v", judged)
	}
	for what, n := range judged {
		if n < 6 {
			t.Errorf("%s: only %d satisfy the constraints", what, n)
		}
	}
}

func BenchmarkEstimateAlert(b *testing.B) {
	for name, v := range map[string]cty.Value{
		"auc":     below(b, "0.85", performanceSignal("auc", 0.9, 4000, `,"prevalence":0.1,"tolerance":0.03`), ""),
		"recall":  below(b, "0.75", performanceSignal("recall", 0.8, 4000, `,"prevalence":0.03,"tolerance":0.03`), ""),
		"latency": threshold(b, "0.3", serviceSignal("latency", 0.25, 6000, `,"quantile":0.99,"log_std_dev":0.5,"sensitivity":{"change":0.05,"power":0.8}`), ""),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				figures(b, "alert_threshold", v)
			}
		})
	}
}
