package stats

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"testing"
)

var (
	updateDocs = flag.Bool("update", false, "write the measured bounds into docs/statistics.md")
	honestyAll = os.Getenv("MLOPS_STATS_HONESTY") != "" || os.Getenv("MLOPS_REQUIRE") == "all"
)

//go:generate go test -run ^TestHonesty$ -count=1 . -update

// promise is the relative error of a probability at or above q that a method keeps to on
// the whole grid, beyond what the simulation's own noise explains (4 standard errors).
type promise struct {
	metric Metric
	method Method
	q      float64
	bound  float64
}

// The promises of docs/statistics.md. A method's row for a metric that is not named here
// is that of "" (any).
var promises = []promise{
	{"", MethodExact, 0.005, 0.02},
	{MetricTotalVariation, MethodExact, 0.005, 0.15},
	{"", MethodGamma, 0.02, 0.05},
	{"", MethodAsymptotic, 0.005, 0.03},
	{"", MethodMonteCarlo, 0.005, 0.10},
}

func promised(metric Metric, method Method, q float64) (bound float64, ok bool) {
	bound = math.Inf(1)
	named := false
	for _, p := range promises {
		if p.method == method && p.metric == metric {
			named = true
		}
	}
	for _, p := range promises {
		if p.method == method && p.q <= q && (p.metric == metric || p.metric == "" && !named) {
			bound, ok = min(bound, p.bound), true
		}
	}
	return bound, ok
}

type gridPoint struct {
	bins             int
	baseline, window int64
}

// honestyGrid is 216 configurations: bins 2 to 50, windows 20 to 1e6, baselines 100 to
// 1e7.
func honestyGrid() (grid []gridPoint) {
	for _, bins := range []int{2, 3, 5, 10, 20, 50} {
		for _, window := range []int64{20, 100, 500, 5000, 100_000, 1_000_000} {
			for _, baseline := range []int64{100, 1000, 10_000, 100_000, 1_000_000, 10_000_000} {
				grid = append(grid, gridPoint{bins, baseline, window})
			}
		}
	}
	return grid
}

// measured is what one comparison gave.
type measured struct {
	point     gridPoint
	metric    Metric
	method    Method
	q         float64
	law, seen float64
	noise     float64 // standard error of seen
	exact     float64 // by the exact law, where the gamma one answered and there is one
}

// excess is the relative error that 4 standard errors do not explain.
func (m measured) excess() float64 {
	return max(math.Abs(m.seen-m.law)-4*m.noise, 0) / m.law
}

var honestyMetrics = []Metric{MetricPSI, MetricKL, MetricKLReverse, MetricJS, MetricHellinger, MetricTotalVariation, MetricLInfinity, MetricChiSquared, MetricPearson}

func measureGrid(t *testing.T, every, draws int) (out []measured) {
	t.Helper()
	grid := honestyGrid()
	var mu sync.Mutex
	var wait sync.WaitGroup
	next := make(chan int)
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for i := range next {
				got := measurePoint(t, grid[i], i, draws)
				mu.Lock()
				out = append(out, got...)
				mu.Unlock()
			}
		})
	}
	for i := range grid {
		if i%every == 0 {
			next <- i
		}
	}
	close(next)
	wait.Wait()
	sort.SliceStable(out, func(i, j int) bool { return fmt.Sprint(out[i]) < fmt.Sprint(out[j]) })
	return out
}

func measurePoint(t *testing.T, g gridPoint, seed, draws int) (out []measured) {
	random := rand.New(rand.NewPCG(uint64(seed), 20261123))
	// Uneven shares in every other configuration, of whole counts.
	baseline := make([]int64, g.bins)
	for b := range baseline {
		baseline[b] = g.baseline / int64(g.bins)
	}
	baseline[g.bins-1] += g.baseline % int64(g.bins)
	if seed%2 == 1 {
		for b := 0; b+1 < g.bins; b += 2 {
			move := baseline[b+1] / 3
			baseline[b] += move
			baseline[b+1] -= move
		}
	}
	shares, n := sharesOf(baseline)
	s := Smoothing{Method: SmoothingLaplace}
	if seed%3 == 0 {
		s = DefaultSmoothing()
	}
	metrics := []Metric{MetricPSI, honestyMetrics[1+seed%(len(honestyMetrics)-1)], honestyMetrics[1+(seed/3+3)%(len(honestyMetrics)-1)]}
	metrics = slices.Compact(metrics)
	type question struct {
		metric Metric
		law    Law
		x      []float64
		hits   []int
	}
	qs := []float64{0.5, 0.1, 0.02, 0.005}
	var questions []*question
	for _, metric := range metrics {
		law, err := NewNoDriftFor(metric, NoDriftParameters{shares, n, g.window, s})
		if err != nil {
			t.Error(err)
			return nil
		}
		q := &question{metric: metric, law: law, hits: make([]int, len(qs))}
		for _, p := range qs {
			x, _ := law.UpperQuantile(p)
			q.x = append(q.x, x)
		}
		questions = append(questions, q)
	}
	// One sum a metric and draw, of the definitions' own terms.
	e := make([]float64, g.bins)
	add, epsilon := s.pseudoCount(), s.epsilon()
	if g.bins <= 5 {
		draws *= 10 // they cost little
	}
	for b, k := range baseline {
		e[b] = (float64(k)+add)/(float64(n)+add*float64(g.bins)) + epsilon
	}
	a := make([]float64, g.bins)
	for range draws {
		counts := drawWindow(random, baseline, g.window, 0)
		for b, k := range counts {
			a[b] = (float64(k)+add)/(float64(g.window)+add*float64(g.bins)) + epsilon
		}
		for _, q := range questions {
			v := 0.0
			switch q.metric {
			case MetricLInfinity:
				for b, k := range counts {
					v = max(v, math.Abs(float64(k)/float64(g.window)-shares[b]))
				}
			case MetricChiSquared:
				for b, k := range counts {
					w, r := float64(baseline[b])+float64(k), float64(k)/float64(g.window)-shares[b]
					if w > 0 {
						v += float64(n) * float64(g.window) * r * r / w
					}
				}
			default:
				d := Divergence(q.metric)
				if q.metric == MetricHellinger {
					d = DivergenceHellinger2
				}
				for b := range a {
					v += lawTerm(d, e[b], a[b])
				}
				if q.metric == MetricHellinger {
					v = math.Sqrt(v)
				}
			}
			for i, x := range q.x {
				if v > x*(1+1e-9) {
					q.hits[i]++
				}
			}
		}
	}
	for _, q := range questions {
		for i, x := range q.x {
			if math.IsInf(x, 1) {
				continue
			}
			p, method := q.law.Survival(x)
			if p < qs[i]/4 { // a step: no information
				continue
			}
			out = append(out, measured{g, q.metric, method, qs[i], p, float64(q.hits[i]) / float64(draws),
				math.Sqrt(p * (1 - p) / float64(draws)), exactOf(q.law, x, method)})
		}
	}
	return out
}

// exactOf is the exact law's answer where the gamma law gave one, else 0.
func exactOf(law Law, x float64, method Method) float64 {
	if method != MethodGamma {
		return 0
	}
	base, ok := law.(*NoDrift)
	if m, isRoot := law.(*monotoneLaw); isRoot {
		base, x, ok = m.base, m.from(x), true
	}
	if !ok || base.exact().simulated != nil {
		return 0
	}
	p, _ := base.exactSurvival(x)
	return p
}

// TestHonesty bounds the error of every law against a seeded simulation that uses nothing
// of the laws, and holds docs/statistics.md against it. All 216 configurations with -update,
// MLOPS_STATS_HONESTY=1 or MLOPS_REQUIRE=all (a minute); else a seventh.
func TestHonesty(t *testing.T) {
	every, draws := 7, 5000 // no factor of 6: even and uneven shares, both smoothings
	if honestyAll || *updateDocs {
		every, draws = 1, 20_000
	} else if testing.Short() {
		every = 25
	}
	all := measureGrid(t, every, draws)
	for _, m := range all {
		bound, ok := promised(m.metric, m.method, m.q)
		if !ok {
			t.Errorf("no promise for %s by %s at %v", m.metric, m.method, m.q)
		}
		if m.excess() > bound {
			t.Errorf("%+v: off by %.1f %% beyond noise, promised %.0f %%", m, 100*m.excess(), 100*bound)
		}
		if m.exact > 0 && math.Abs(m.law/m.exact-1) > bound {
			t.Errorf("%+v: off by %.1f %% from the exact law, promised %.0f %%", m, 100*(m.law/m.exact-1), 100*bound)
		}
	}
	// All comparisons of a method together have little noise: they must not lean.
	for method, pool := range pooled(all) {
		if bias, noise := pool.bias(); math.Abs(bias) > 0.01+4*noise {
			t.Errorf("%s leans by %.2f %% +- %.2f %% over %d comparisons", method, 100*bias, 100*noise, pool.n)
		}
	}
	doc := filepath.Join("..", "..", "docs", "statistics.md")
	raw, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	if every == 1 {
		for name, table := range map[string]string{"bounds": boundsTable(all), "asymptotic": asymptoticTable(t), "other": otherTable(t)} {
			before, now := block(t, raw, name), "\n"+table
			switch {
			case *updateDocs:
				raw = bytes.Replace(raw, []byte(before), []byte(now), 1)
			case before != now && runtime.GOARCH == "amd64": // logarithms elsewhere differ in the last bits
				t.Errorf("the table %q of docs/statistics.md is stale: go generate ./internal/stats\n got %s\nwant %s", name, before, now)
			}
		}
	}
	if *updateDocs {
		if err := os.WriteFile(doc, raw, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range promises {
		if !bytes.Contains(raw, []byte(p.row())) {
			t.Errorf("docs/statistics.md lacks %q: go generate ./internal/stats", p.row())
		}
	}
}

// pool is many comparisons of probability at most 0.1, their relative errors weighted by
// what they know.
type pool struct {
	n           int
	sum, weight float64
}

func (p *pool) add(m measured) {
	w := m.law * m.law / (m.noise * m.noise)
	p.n++
	p.sum += w * (m.seen/m.law - 1)
	p.weight += w
}

// bias is the mean relative error and its standard error, had all comparisons been
// independent; those of one configuration are not: three times that.
func (p *pool) bias() (bias, noise float64) {
	if p.n == 0 {
		return 0, 0
	}
	return p.sum / p.weight, 3 / math.Sqrt(p.weight)
}

func pooled(all []measured) map[string]*pool {
	out := map[string]*pool{}
	for _, m := range all {
		if m.q > 0.1 || m.metric == MetricTotalVariation {
			continue
		}
		key := string(m.method)
		if out[key] == nil {
			out[key] = &pool{}
		}
		out[key].add(m)
	}
	return out
}

func (p promise) row() string {
	name := string(p.metric)
	if name == "" {
		name = "others"
	}
	return fmt.Sprintf("| `%s` | `%s` | %v | %.0f %% |", p.method, name, p.q, 100*p.bound)
}

func boundsTable(all []measured) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| method | metric | down to a probability of | promised error, relative | largest seen beyond noise | largest against the exact law | all comparisons together | comparisons |")
	fmt.Fprintln(&b, "|---|---|---|---|---|---|---|---|")
	for _, p := range promises {
		var together pool
		var excess, exact float64
		for _, m := range all {
			named := false
			for _, other := range promises {
				named = named || other.metric != "" && other.method == m.method && other.metric == m.metric
			}
			if m.method != p.method || m.q < p.q || named != (p.metric != "") || named && p.metric != m.metric {
				continue
			}
			together.add(m)
			excess = max(excess, m.excess())
			if m.exact > 0 {
				exact = max(exact, math.Abs(m.law/m.exact-1))
			}
		}
		bias, noise := together.bias()
		against := "-"
		if exact > 0 {
			against = fmt.Sprintf("%.1f %%", 100*exact)
		}
		fmt.Fprintf(&b, "%s %.1f %% | %s | %+.2f %% ± %.2f %% | %d |\n", p.row(), 100*excess, against, 100*bias, 100*noise, together.n)
	}
	return b.String()
}

// asymptoticTable compares the chi-squared law with the exact one, without simulation.
func asymptoticTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintln(&b, "| expected a bin, smaller side | `psi` at 0.05 | at 0.001 | `kl` at 0.05 | at 0.001 | `js` at 0.05 | at 0.001 | `hellinger` at 0.05 | at 0.001 |")
	fmt.Fprintln(&b, "|---|---|---|---|---|---|---|---|---|")
	for _, each := range []int64{5, 10, 20, 50, 100, 1000} {
		fmt.Fprintf(&b, "| %d |", each)
		for _, d := range []Divergence{DivergencePSI, DivergenceKL, DivergenceJS, DivergenceHellinger2} {
			for _, q := range []float64{0.05, 0.001} {
				low, high := math.Inf(1), 0.0
				for _, bins := range []int{5, 10, 20} {
					for _, more := range []int64{1, 10} {
						law, err := NewNoDrift(d, EqualShares(bins), each*int64(bins)*more, each*int64(bins), DefaultSmoothing())
						if err != nil {
							t.Fatal(err)
						}
						x := law.scale() * 2 * gammaUpperQuantile(q, float64(bins-1)/2)
						p, _ := law.exactSurvival(x)
						low, high = min(low, p/q), max(high, p/q)
					}
				}
				fmt.Fprintf(&b, " %.2f to %.2f |", low, high)
			}
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// otherTable measures what has no bins.
func otherTable(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintln(&b, "| law | over | probability | simulated or exact, divided by the law's |")
	fmt.Fprintln(&b, "|---|---|---|---|")
	for _, q := range []float64{0.1, 0.01, 0.001} {
		low, high := math.Inf(1), 0.0
		for _, n := range []int64{101, 1009, 10_007} {
			for _, m := range []int64{50, 199, 997, 3001} {
				d := ksQuantile(q, n, m)
				ratio := ksExactAtLeast(n, m, d) / ksOneSampleSurvival(ksEffective(n, m), d)
				low, high = min(low, ratio), max(high, ratio)
			}
		}
		fmt.Fprintf(&b, "| `kolmogorov_smirnov`, asymptotic | baselines 101 to 10,007, windows 50 to 3,001, no common factor | %v | %.2f to %.2f |\n", q, low, high)
	}
	random := rand.New(rand.NewPCG(61, 67))
	for _, shape := range []struct {
		name string
		draw func() float64
	}{
		{"normal", random.NormFloat64},
		{"uniform", random.Float64},
		{"exponential", random.ExpFloat64},
		{"log-normal", func() float64 { return math.Exp(random.NormFloat64()) }},
		{"t, 3 degrees of freedom", func() float64 {
			return random.NormFloat64() / math.Sqrt(drawGamma(random, 1.5)*2/3)
		}},
	} {
		for _, q := range []float64{0.1, 0.01} {
			low, high := math.Inf(1), 0.0
			for _, g := range []gridPoint{{0, 1000, 200}, {0, 3000, 1000}, {0, 300, 300}} {
				law := must(newWassersteinLaw(g.baseline, g.window))(t)
				x, _ := law.UpperQuantile(q)
				const draws = 8000
				hits := 0
				e, a := make([]float64, g.baseline), make([]float64, g.window)
				for range draws {
					for i := range e {
						e[i] = shape.draw()
					}
					for i := range a {
						a[i] = shape.draw()
					}
					if must(NormalisedWasserstein(e, a, 0, 0))(t) > x {
						hits++
					}
				}
				ratio := float64(hits) / draws / q
				low, high = min(low, ratio), max(high, ratio)
			}
			fmt.Fprintf(&b, "| `wasserstein_normalised`, normal scaling | %s values; 1000/200, 3000/1000, 300/300 | %v | %.2f to %.2f |\n", shape.name, q, low, high)
		}
	}
	return b.String()
}

func ksQuantile(q float64, n, m int64) float64 {
	x, _ := upperQuantile(q, 0.1, func(t float64) (float64, Method) {
		return ksOneSampleSurvival(ksEffective(n, m), t), MethodAsymptotic
	})
	return x
}

// block is what stands between the markers of a generated block, the line breaks around it
// included.
func block(t *testing.T, raw []byte, name string) string {
	t.Helper()
	_, after, begins := strings.Cut(string(raw), "<!-- generated: "+name+" -->")
	content, _, ends := strings.Cut(after, "<!-- end: "+name+" -->")
	if !begins || !ends {
		t.Fatalf("docs/statistics.md has no block %q", name)
	}
	return content
}

func TestTheHonestyGridIsAsWideAsPromised(t *testing.T) {
	grid := honestyGrid()
	least, most := grid[0], grid[0]
	for _, g := range grid {
		least = gridPoint{min(least.bins, g.bins), min(least.baseline, g.baseline), min(least.window, g.window)}
		most = gridPoint{max(most.bins, g.bins), max(most.baseline, g.baseline), max(most.window, g.window)}
	}
	if len(grid) < 200 || least != (gridPoint{2, 100, 20}) || most != (gridPoint{50, 10_000_000, 1_000_000}) {
		t.Errorf("%d configurations from %+v to %+v", len(grid), least, most)
	}
}
