package evaluate_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// signalOf is a hand-written signal of a metric.
func signalOf(metric string, bins, baseline, window float64, more string) string {
	return strings.Replace(signal(bins, baseline, window, more), `"psi"`, fmt.Sprintf("%q", metric), 1)
}

// figure reads one figure; NaN where it is null.
func figure(v cty.Value, name string) float64 {
	if v.GetAttr(name).IsNull() {
		return math.NaN()
	}
	f, _ := v.GetAttr(name).AsBigFloat().Float64()
	return f
}

// sampled is a pair of samples with what the metrics are made of: proportions over bins
// at the baseline's quantiles, and the sorted values.
type sampled struct {
	e, a             []float64
	baseline, window []float64
	sd               float64
}

// definitions are the metrics as a textbook has them, apart from the code under test.
var definitions = map[string]func(s sampled) float64{
	"psi": func(s sampled) float64 {
		return s.over(func(e, a float64) float64 { return (a - e) * math.Log((a+1e-8)/(e+1e-8)) })
	},
	"kl": func(s sampled) float64 {
		return s.over(func(e, a float64) float64 { return (a + 1e-8) * math.Log((a+1e-8)/(e+1e-8)) })
	},
	"kl_reverse": func(s sampled) float64 {
		return s.over(func(e, a float64) float64 { return (e + 1e-8) * math.Log((e+1e-8)/(a+1e-8)) })
	},
	"js":                func(s sampled) float64 { return s.js() },
	"js_distance":       func(s sampled) float64 { return math.Sqrt(s.js()) },
	"js_distance_base2": func(s sampled) float64 { return math.Sqrt(s.js() / math.Log(2)) },
	"hellinger": func(s sampled) float64 {
		return math.Sqrt(1 - s.over(func(e, a float64) float64 { return math.Sqrt(e * a) }))
	},
	"total_variation": func(s sampled) float64 {
		return s.over(func(e, a float64) float64 { return math.Abs(a-e) / 2 })
	},
	"l_infinity": func(s sampled) float64 {
		most := 0.0
		for i := range s.e {
			most = math.Max(most, math.Abs(s.e[i]-s.a[i]))
		}
		return most
	},
	"pearson": func(s sampled) float64 {
		return s.over(func(e, a float64) float64 { return (a - e) * (a - e) / e })
	},
	"chi2": func(s sampled) float64 {
		// Of the two-by-B table of counts: sum (observed - expected)^2 / expected.
		n, m := float64(len(s.baseline)), float64(len(s.window))
		return s.over(func(e, a float64) float64 {
			column := n*e + m*a
			of := func(count, row float64) float64 {
				expected := column * row / (n + m)
				return (count - expected) * (count - expected) / expected
			}
			return of(n*e, n) + of(m*a, m)
		})
	},
	"ks": func(s sampled) float64 {
		most := 0.0
		s.between(func(difference, _ float64) { most = math.Max(most, difference) })
		return most
	},
	"wasserstein": func(s sampled) float64 {
		area := 0.0
		s.between(func(difference, width float64) { area += difference * width })
		return area / s.sd
	},
}

func (s sampled) over(term func(e, a float64) float64) float64 {
	sum := 0.0
	for i := range s.e {
		sum += term(s.e[i], s.a[i])
	}
	return sum
}

func (s sampled) js() float64 {
	part := func(p, q float64) float64 {
		if p == 0 {
			return 0
		}
		return p * math.Log(2*p/(p+q)) / 2
	}
	return s.over(func(e, a float64) float64 { return part(e, a) + part(a, e) })
}

// between visits the difference of the distribution functions between each two values.
func (s sampled) between(visit func(difference, width float64)) {
	i, j := 0, 0
	at := math.Min(s.baseline[0], s.window[0])
	for i < len(s.baseline) || j < len(s.window) {
		next := math.Inf(1)
		if i < len(s.baseline) {
			next = s.baseline[i]
		}
		fromWindow := j < len(s.window) && s.window[j] < next
		if fromWindow {
			next = s.window[j]
		}
		visit(math.Abs(float64(i)/float64(len(s.baseline))-float64(j)/float64(len(s.window))), next-at)
		if at = next; fromWindow {
			j++
		} else {
			i++
		}
	}
}

// normals draws a sorted sample.
func normals(random *rand.Rand, n int, shift float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = random.NormFloat64() + shift
	}
	slices.Sort(out)
	return out
}

// against counts a window in bins at the baseline's quantiles.
func against(baseline, window []float64, bins int) sampled {
	s := sampled{baseline: baseline, window: window, e: make([]float64, bins), a: make([]float64, bins)}
	mean, square := 0.0, 0.0
	for _, v := range baseline {
		mean += v / float64(len(baseline))
		square += v * v / float64(len(baseline))
	}
	s.sd = math.Sqrt(square - mean*mean)
	fromE, fromA := 0, 0
	for b := range bins {
		toE := len(baseline) * (b + 1) / bins
		toA := len(window)
		if b < bins-1 {
			toA = sort.SearchFloat64s(window, (baseline[toE-1]+baseline[toE])/2)
		}
		s.e[b], s.a[b] = float64(toE-fromE)/float64(len(baseline)), float64(toA-fromA)/float64(len(window))
		fromE, fromA = toE, toA
	}
	return s
}

func TestEveryMetricFiresAndSeesAsOftenAsInASimulation(t *testing.T) {
	const bins, n, m, baselines, windows, shifted, perMonth = 8, 480, 160, 300, 250, 25, 720
	kind := kindOf(t, "drift_monitor")
	type watched struct {
		value       float64
		fired, seen []float64 // for each baseline
	}
	all := map[string]*watched{}
	for _, metric := range spec.DriftMetrics {
		v := declare(t, "drift_monitor", fmt.Sprintf(`{"model":"m","name":"s","feature":"f","metric":%q,"baseline":{"name":"b","bins":%d,"samples":%d},"window":{"duration":"1h","samples":%d},"schedule":{"every":"1h"}}`, metric.Name, bins, n, m), nil)
		report, err := evaluate.Object(kind, v, evaluate.Inputs{})
		if err != nil {
			t.Fatal(err)
		}
		all[metric.Name] = &watched{
			value: figure(report.Computed[spec.AttributeEvaluation], "noise_p95"),
			fired: make([]float64, baselines), seen: make([]float64, baselines),
		}
	}
	random := rand.New(rand.NewPCG(41, 43))
	for k := range baselines {
		baseline := normals(random, n, 0)
		for range windows {
			drawn := against(baseline, normals(random, m, 0), bins)
			for name, w := range all {
				if definitions[name](drawn) > w.value {
					w.fired[k]++
				}
			}
		}
		for range shifted {
			drawn := against(baseline, normals(random, m, 0.3), bins)
			for name, w := range all {
				if definitions[name](drawn) > w.value {
					w.seen[k]++
				}
			}
		}
	}
	for _, metric := range spec.DriftMetrics {
		t.Run(metric.Name, func(t *testing.T) {
			w := all[metric.Name]
			shown := func(name string, more, alert string) float64 {
				return figure(figures(t, "alert_threshold", threshold(t, fmt.Sprint(w.value), signalOf(metric.Name, bins, n, m, more), alert)), name)
			}
			// Windows of one baseline go together: what is independent is the baseline.
			rate, rateError := meanAndError(w.fired, func(fired float64) float64 { return fired / windows })
			slack := 0.03
			if metric.Name == "wasserstein" {
				slack = 0.12 // an asymptotic law
			}
			if got := shown("false_alarm_rate", "", ""); math.Abs(got-rate) > 4*rateError+slack*rate {
				t.Errorf("false_alarm_rate %v, simulated %v +- %v", got, rate, rateError)
			}
			// Two windows against one baseline agree more often than the rate's square.
			both, bothError := meanAndError(w.fired, func(fired float64) float64 { return fired * (fired - 1) / (windows * (windows - 1)) })
			if got := shown("false_alarms_per_30d", "", `,"for":"1h"`) / perMonth; math.Abs(got-both) > 4*bothError+2*slack*both {
				t.Errorf("two in a row %v, simulated %v +- %v", got, both, bothError)
			}
			// The counts of a baseline are binomial around its own rate, which widens the range.
			slices.Sort(w.fired)
			low, high := w.fired[baselines/20]/windows, w.fired[baselines-baselines/20-1]/windows
			if got := shown("false_alarms_per_30d_low", "", "") / perMonth; got < low || got > 0.6*rate {
				t.Errorf("low %v, simulated %v, in the mean %v", got, low, rate)
			}
			if got := shown("false_alarms_per_30d_high", "", "") / perMonth; got < 0.9*high || got > 1.3*high {
				t.Errorf("high %v, simulated %v", got, high)
			}
			power, powerError := meanAndError(w.seen, func(seen float64) float64 { return seen / shifted })
			if got := shown("power", `,"sensitivity":{"shift_sd":0.3,"power":0.8}`, ""); math.Abs(got-power) > 4*powerError+0.02 {
				t.Errorf("power %v, simulated %v +- %v", got, power, powerError)
			}
			// The smallest shift that is seen is seen, and one a tenth smaller is not.
			least := shown("detectable_shift_sd", "", "")
			for _, c := range []struct {
				shift float64
				sees  bool
			}{{least, true}, {0.9 * least, false}} {
				if got := shown("power", fmt.Sprintf(`,"sensitivity":{"shift_sd":%v,"power":0.8}`, c.shift), ""); got >= 0.8 != c.sees {
					t.Errorf("a shift of %v is seen with %v; detectable %v", c.shift, got, least)
				}
			}
			// The smallest value and the smallest window keep the budget.
			budget := `,"false_alarms_per_30d":2`
			value := shown("smallest_value", "", budget)
			f := figures(t, "alert_threshold", threshold(t, fmt.Sprint(value), signalOf(metric.Name, bins, n, m, ""), budget))
			below := figures(t, "alert_threshold", threshold(t, fmt.Sprint(value*0.98), signalOf(metric.Name, bins, n, m, ""), budget))
			if figure(f, "false_alarms_per_30d") > 2 || figure(below, "false_alarms_per_30d") <= 2 {
				t.Errorf("at the smallest value %v there are %v false alarms, below it %v", value, figure(f, "false_alarms_per_30d"), figure(below, "false_alarms_per_30d"))
			}
			window := shown("smallest_window_samples", "", budget)
			if metric.Name == "chi2" {
				if !math.IsNaN(window) {
					t.Errorf("the statistic's noise is the same in every window, and %v is said to be long enough", window)
				}
				return
			}
			f = figures(t, "alert_threshold", threshold(t, fmt.Sprint(w.value), signalOf(metric.Name, bins, n, window, ""), budget))
			if got := figure(f, "false_alarms_per_30d"); !(got <= 2) {
				t.Errorf("at the smallest window %v there are %v false alarms", window, got)
			}
		})
	}
}

// meanAndError is the mean of a function and its standard error.
func meanAndError(values []float64, of func(float64) float64) (mean, standardError float64) {
	n := float64(len(values))
	square := 0.0
	for _, v := range values {
		mean += of(v) / n
		square += of(v) * of(v) / n
	}
	return mean, math.Sqrt((square - mean*mean) / n)
}

func TestAnEnginesAlertFiresAndSeesAsOftenAsTheEngineOnRealSamples(t *testing.T) {
	const n, m, draws, shifts, perMonth = 500, 200, 1500, 300, 720
	random := rand.New(rand.NewPCG(47, 53))
	var pairs, moved [][2][]float64
	for range draws {
		pairs = append(pairs, [2][]float64{normals(random, n, 0), normals(random, m, 0)})
	}
	for range shifts {
		moved = append(moved, [2][]float64{normals(random, n, 0), normals(random, m, 0.4)})
	}
	for _, engine := range spec.Engines {
		for _, name := range spec.EngineMetrics(engine.Name, false) {
			t.Run(engine.Name+" "+name, func(t *testing.T) {
				metric, _ := spec.DriftMetricByName(name)
				of := func(pair [2][]float64) float64 {
					r, err := stats.EngineValue(stats.Engine(engine.Name), metric.Law, pair[0], pair[1], stats.EngineOptions{Bins: 10})
					if err != nil {
						t.Fatal(err)
					}
					return r.Value
				}
				values := make([]float64, draws)
				for i, pair := range pairs {
					values[i] = of(pair)
				}
				slices.Sort(values)
				value := stats.RoundSignificant(values[draws*9/10], 3)
				f := figures(t, "alert_threshold", threshold(t, fmt.Sprint(value), signalOf(name, 10, n, m, fmt.Sprintf(`,"engine":%q,"sensitivity":{"shift_sd":0.4,"power":0.5}`, engine.Name)), `,"severity":"info"`))
				if got := figure(f, "false_alarm_rate"); math.Abs(got-0.1) > 4.5*math.Sqrt(0.09/draws)+0.012 {
					t.Errorf("above %v: false_alarm_rate %v, the engine 0.1", value, got)
				}
				seen := 0.0
				for _, pair := range moved {
					if of(pair) > value {
						seen++
					}
				}
				if got := figure(f, "power"); math.Abs(got-seen/shifts) > 4.5*math.Sqrt(0.25/shifts) {
					t.Errorf("above %v: power %v, the engine %v", value, got, seen/shifts)
				}
				low, high := figure(f, "false_alarms_per_30d_low"), figure(f, "false_alarms_per_30d_high")
				if rate := figure(f, "false_alarms_per_30d"); !(0 < low && low < rate && rate < high && high < perMonth) {
					t.Errorf("%v false alarms, from %v to %v", rate, low, high)
				}
			})
		}
	}
}

// How lucky a baseline is depends little on the metric and its bins, which is what the
// range of an engine's false alarms rests on.
func TestAnEnginesRangeIsThatOfItsBaselines(t *testing.T) {
	const n, m, baselines, windows, perMonth = 300, 150, 150, 120, 720
	random := rand.New(rand.NewPCG(59, 61))
	for engine, name := range map[stats.Engine]string{stats.EngineEvidently: "psi", stats.EngineNannyML: "hellinger", stats.EngineAzure: "js_distance_base2"} {
		metric, _ := spec.DriftMetricByName(name)
		more := fmt.Sprintf(`,"engine":%q`, engine)
		value := figure(figures(t, "alert_threshold", threshold(t, "1", signalOf(name, 10, n, m, more), `,"false_alarms_per_30d":72,"for":"0s"`)), "smallest_value")
		fired := make([]float64, baselines)
		for k := range fired {
			baseline := normals(random, n, 0)
			for range windows {
				r, err := stats.EngineValue(engine, metric.Law, baseline, normals(random, m, 0), stats.EngineOptions{})
				if err != nil {
					t.Fatal(err)
				}
				if r.Value > value {
					fired[k]++
				}
			}
		}
		both, bothError := meanAndError(fired, func(fired float64) float64 { return fired * (fired - 1) / (windows * (windows - 1)) })
		f := figures(t, "alert_threshold", threshold(t, fmt.Sprint(value), signalOf(name, 10, n, m, more), `,"severity":"info","for":"1h"`))
		if got := figure(f, "false_alarms_per_30d") / perMonth; math.Abs(got-both) > 4.5*bothError+0.2*both {
			t.Errorf("%s %s above %v: two in a row %v, the engine %v +- %v", engine, name, value, got, both, bothError)
		}
	}
}

// Bins of equal width have edges at the baseline's own extremes, and unequal shares. The
// law takes the shares as they were counted. It is right where every bin has values; a bin
// that is empty is taken to stay so, and what falls there comes on top.
func TestBinsOfEqualWidthFireAsOftenAsInASimulation(t *testing.T) {
	const bins, n, m, baselines, windows = 8, 1000, 300, 30, 500
	random := rand.New(rand.NewPCG(67, 71))
	for name, c := range map[string]struct {
		draw      func() float64
		value     float64
		smoothing string
		most      float64 // what a simulation may have of what is shown
	}{
		"normal values, epsilon":       {random.NormFloat64, 0.1, "epsilon", 1.1},
		"normal values, jeffreys":      {random.NormFloat64, 0.05, "jeffreys", 1.1},
		"uniform values":               {random.Float64, 0.05, "epsilon", 1.1},
		"scores, most of them small":   {func() float64 { return math.Pow(random.Float64(), 2.5) }, 0.055, "epsilon", 1.1},
		"exponential, with empty bins": {random.ExpFloat64, 0.1, "epsilon", 1.6},
	} {
		t.Run(name, func(t *testing.T) {
			var shown, simulated, difference []float64
			for range baselines {
				values := make([]float64, n)
				for i := range values {
					values[i] = c.draw()
				}
				low, high := slices.Min(values), slices.Max(values)
				count := func(values []float64) []int64 {
					counts := make([]int64, bins)
					for _, v := range values {
						counts[max(min(int((v-low)/(high-low)*bins), bins-1), 0)]++
					}
					return counts
				}
				baseline := count(values)
				shares := make([]string, bins)
				for i, k := range baseline {
					shares[i] = fmt.Sprint(float64(k) / n)
				}
				fired := 0.0
				for range windows {
					window := make([]float64, m)
					for i := range window {
						window[i] = c.draw()
					}
					psi, err := stats.PSICounts(baseline, count(window), stats.Smoothing{Method: c.smoothing, Epsilon: 1e-8})
					if err != nil {
						t.Fatal(err)
					}
					if psi > c.value {
						fired++
					}
				}
				more := fmt.Sprintf(`,"bin_shares":[%s],"smoothing":%q`, strings.Join(shares, ","), c.smoothing)
				rate := figure(figures(t, "alert_threshold", threshold(t, fmt.Sprint(c.value), signal(bins, n, m, more), `,"severity":"info"`)), "false_alarm_rate")
				shown, simulated, difference = append(shown, rate), append(simulated, fired/windows), append(difference, fired/windows-rate)
			}
			identity := func(x float64) float64 { return x }
			law, _ := meanAndError(shown, identity)
			seen, _ := meanAndError(simulated, identity)
			_, slack := meanAndError(difference, identity)
			t.Logf("shown %.4f, simulated %.4f +- %.4f", law, seen, slack)
			if seen < law/1.1-3*slack || seen > c.most*law+3*slack {
				t.Errorf("shown %v, simulated %v +- %v", law, seen, slack)
			}
		})
	}
}

// The chi-squared statistic grows with the counts, so that correlated rows, which count
// in full, raise it: the other metrics are of proportions.
func TestADesignEffectIsInTheStatisticOfCounts(t *testing.T) {
	const bins, n, m, repeated, draws = 6, 900, 120, 4, 6000
	value, more := 25.0, `,"design_effect":4,"sensitivity":{"shift_sd":0.3,"power":0.8}`
	random := rand.New(rand.NewPCG(73, 79))
	share := func(shift float64) float64 {
		fired := 0.0
		for range draws {
			s := against(normals(random, n, 0), normals(random, m, shift), bins)
			s.window = make([]float64, m*repeated) // every row comes four times
			if definitions["chi2"](s) > value {
				fired++
			}
		}
		return fired / draws
	}
	f := figures(t, "alert_threshold", threshold(t, fmt.Sprint(value), signalOf("chi2", bins, n, m*repeated, more), ""))
	for name, want := range map[string]float64{"false_alarm_rate": share(0), "power": share(0.3)} {
		if got := figure(f, name); math.Abs(got-want) > 4*math.Sqrt(0.25/draws)*0.6 {
			t.Errorf("%s %v, simulated %v", name, got, want)
		}
	}
}
