package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestAUCStandardErrorAgainstSimulation(t *testing.T) {
	random := rand.New(rand.NewPCG(101, 103))
	for _, c := range []struct {
		auc      float64
		pos, neg int
	}{{0.8, 30, 170}, {0.7, 100, 100}, {0.93, 60, 60}} {
		d := math.Sqrt2 * must(NormalQuantile(c.auc))(t)
		const draws = 3000
		var sum, square, delong float64
		for range draws {
			p, n := make([]float64, c.pos), make([]float64, c.neg)
			for i := range p {
				p[i] = random.NormFloat64() + d
			}
			for i := range n {
				n[i] = random.NormFloat64()
			}
			auc, variance, err := DeLong(p, n)
			must(auc, err)(t)
			sum, square, delong = sum+auc, square+auc*auc, delong+variance
		}
		mean := sum / draws
		simulated := math.Sqrt(square/draws - mean*mean)
		wantNear(t, "binormal", must(AUCStandardError(AUCBinormal, c.auc, float64(c.pos), float64(c.neg)))(t), simulated, 0.05)
		wantNear(t, "DeLong's mean", math.Sqrt(delong/draws), simulated, 0.06)
		if hm := must(AUCStandardError(AUCHanleyMcNeil, c.auc, float64(c.pos), float64(c.neg)))(t); hm < 0.95*simulated {
			t.Errorf("Hanley-McNeil %v, simulated %v", hm, simulated)
		}
	}
}

func TestRMSEStandardErrorAgainstSimulation(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 55))
	const n, draws = 400, 3000
	var sum, square float64
	for range draws {
		total := 0.0
		for range n {
			e := 2 * random.NormFloat64()
			total += e * e
		}
		rmse := math.Sqrt(total / n)
		sum, square = sum+rmse, square+rmse*rmse
	}
	mean := sum / draws
	wantNear(t, "rmse", must(RMSEStandardError(2, n, 3))(t), math.Sqrt(square/draws-mean*mean), 0.06)
}

func TestGateChance(t *testing.T) {
	for _, c := range []struct {
		value, se, limit float64
		higher           bool
		want             float64
	}{
		{0.8, 0.0315, 0.78, true, 0.2627}, // statistics.md 5: about 30 % by Hanley-McNeil
		{0.8, 0.0381, 0.78, true, 0.2998},
		{2, 0.1, 2.1, false, 0.1587}, {1, 0, 1, true, 0}, {1, 0, 1.1, true, 1}, {1, 0, 1.1, false, 0},
	} {
		got := must(GateChance(c.value, c.se, c.limit, c.higher))(t)
		if math.Abs(got-c.want) > 2e-4 {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// A clustered rate: users make several requests each, whose outcomes depend. Divided by
// the design effect, the samples give the right chance of a false alarm; undivided, not.
func TestDesignEffectOfClusteredData(t *testing.T) {
	random := rand.New(rand.NewPCG(71, 73))
	const users, each, rate, rho, draws = 300, 8, 0.05, 0.3, 12_000
	// Beta-binomial clusters: rho = 1/(a+b+1).
	a, b := rate*(1/rho-1), (1-rate)*(1/rho-1)
	const maximum = 0.065
	hits := 0
	for range draws {
		errors := int64(0)
		for range users {
			x, y := drawGamma(random, a), drawGamma(random, b)
			errors += drawBinomial(random, each, x/(x+y))
		}
		if float64(errors) > maximum*users*each {
			hits++
		}
	}
	got := float64(hits) / draws
	effect := must(DesignEffect(each, rho))(t)
	chance := func(samples int64) float64 {
		p, _, err := FalseAbort(GuardrailChecks{rate, maximum, samples, 1, 0})
		return must(p, err)(t)
	}
	if right := chance(int64(users * each / effect)); math.Abs(right-got) > 0.02 {
		t.Errorf("discounted %v, simulated %v", right, got)
	}
	if wrong := chance(users * each); wrong > got/20 {
		t.Errorf("not discounted %v, simulated %v: they should be far apart", wrong, got)
	}

	// And of a divergence between two windows of clustered values in 5 bins.
	const size, clusters, bins = 5, 80, 5
	const within = 0.4
	d := must(DesignEffect(size, within))(t)
	clustered := func(n int) []int64 {
		counts := make([]int64, bins)
		for range n {
			own := random.IntN(bins) // a value is in its cluster's bin with chance sqrt(within), else in any
			for range size {
				if random.Float64() < math.Sqrt(within) {
					counts[own]++
				} else {
					counts[random.IntN(bins)]++
				}
			}
		}
		return counts
	}
	const baselineClusters = 4000
	law := func(effect float64) *NoDrift {
		n, m := float64(baselineClusters*size)/effect, float64(clusters*size)/effect
		return must(NewPSINoDrift(EqualShares(bins), int64(n), int64(m), DefaultSmoothing()))(t)
	}
	threshold, _ := law(d).UpperQuantile(0.05)
	hits = 0
	const windows = 6000
	expected := clustered(baselineClusters)
	for range windows {
		if must(PSICounts(expected, clustered(clusters), DefaultSmoothing()))(t) > threshold {
			hits++
		}
	}
	got = float64(hits) / windows
	if math.Abs(got-0.05) > 0.02 {
		t.Errorf("discounted 0.05, simulated %v", got)
	}
	if wrong, _ := law(1).Survival(threshold); wrong > 0.01 {
		t.Errorf("not discounted %v, simulated %v: they should be far apart", wrong, got)
	}
}

func TestQuantileRanksCover(t *testing.T) {
	random := rand.New(rand.NewPCG(41, 43))
	const n, draws = 600, 4000
	low, high, coverage, ok, err := QuantileRanks(n, 0.95, 0.9)
	if err != nil || !ok {
		t.Fatal(err)
	}
	hits := 0
	for range draws {
		x := make([]float64, n)
		for i := range x {
			x[i] = random.Float64()
		}
		slices.Sort(x)
		if x[low-1] <= 0.95 && 0.95 < x[high-1] {
			hits++
		}
	}
	if got := float64(hits) / draws; math.Abs(got-coverage) > 0.02 {
		t.Errorf("coverage %v, simulated %v", coverage, got)
	}
	for _, c := range []struct {
		quantile float64
		want     int64
	}{{0.5, 6}, {0.99, 368}} { // the least with 0.5^n <= 0.025; 0.99^n <= 0.025
		if got := must(QuantileSupport(c.quantile, 0.95))(t); got != c.want {
			t.Errorf("support of %v: %d, want %d", c.quantile, got, c.want)
		}
	}
	wantNear(t, "p99 of 1000 log-normal values", must(LogNormalQuantileError(1000, 0.99, 0.5))(t), 0.059, 0.01)
	for _, c := range []struct {
		quantile float64
		order    int64
		want     int64
	}{{0.95, 1, 59}, {0.999, 1, 2995}} {
		if got := must(WilksSamples(c.quantile, 0.95, c.order))(t); got != c.want {
			t.Errorf("Wilks %+v: %d", c, got)
		}
	}
}

func TestRunLengthsAgainstSimulation(t *testing.T) {
	random := rand.New(rand.NewPCG(81, 83))
	for _, c := range []struct {
		p    float64
		m, n int
	}{{0.3, 1, 4}, {0.3, 2, 5}, {0.5, 6, 8}, {0.2, 3, 3}, {0.95, 15, 16}, {0.15, 3, 10}} {
		want := must(MofNARL(c.p, c.m, c.n))(t)
		sum := 0.0
		const draws = 4000
		for range draws {
			history := 0
			for at := 1; ; at++ {
				history = history << 1 & (1<<c.n - 1)
				if random.Float64() < c.p {
					history |= 1
				}
				ones := 0
				for h := history; h > 0; h &= h - 1 {
					ones++
				}
				if ones >= c.m {
					sum += float64(at)
					break
				}
			}
		}
		wantNear(t, "run length", sum/draws, want, 0.08)
	}
	// Rare passes keep their digits.
	wantNear(t, "2 of 3 at 1e-6", must(MofNARL(1e-6, 2, 3))(t), 1/(2e-12), 1e-5)
	wantNear(t, "3 of 5 at 1e-5", must(MofNARL(1e-5, 3, 5))(t), 1/(6e-15), 1e-3)
}

func TestCUSUMIsShewhartsWithoutMemory(t *testing.T) {
	// A decision interval of nearly 0 signals where |Z| > k.
	wantNear(t, "k 3", must(CUSUMARL(3, 1e-7, 0))(t), must(ShewhartARL(3))(t), 1e-5)
	if !(must(CUSUMARL(0.5, 5, 0.5))(t) < must(CUSUMARL(0.5, 5, 0.2))(t)) {
		t.Error("a larger shift takes longer")
	}
}

func TestOverlappingWindowsPersistTogether(t *testing.T) {
	// statistics.md 5: 24 windows of an hour make one of 192, evaluated hourly.
	d := noDrift(t, 10, 1000, 192)
	r := must(d.OverlappingAlarms(0.1, Overlap{Slots: 24, Consecutive: 3, Draws: 1500}))(t)
	p, _ := d.Survival(0.1)
	if math.Abs(r.Exceeds-p) > 0.008 {
		t.Errorf("exceeds %v, by the law %v", r.Exceeds, p)
	}
	if math.Abs(r.Fires-0.0459) > 0.006+3*r.Error {
		t.Errorf("fires %v +- %v, want 0.0459", r.Fires, r.Error)
	}
	one := must(d.OverlappingAlarms(0.1, Overlap{Slots: 24, Consecutive: 1, Draws: 1500}))(t)
	if episodes := one.Episodes * 720; math.Abs(episodes-14.3) > 2 {
		t.Errorf("%v episodes in 720 hours, want about 14.3", episodes)
	}
	// Disjoint windows: nearly independent but for the baseline.
	disjoint := must(d.OverlappingAlarms(0.1, Overlap{Slots: 1, Consecutive: 3, Draws: 3000}))(t)
	want, _, _, err := MeanPower(0.1, 10, 1000, 192, p, 3)
	if must(want, err); math.Abs(disjoint.Fires-want) > 0.4*want+4*disjoint.Error {
		t.Errorf("disjoint windows fire %v +- %v, by MeanPower %v", disjoint.Fires, disjoint.Error, want)
	}
	if again := must(d.OverlappingAlarms(0.1, Overlap{Slots: 24, Consecutive: 1, Draws: 1500}))(t); again != one {
		t.Error("not deterministic")
	}
	for _, o := range []Overlap{{}, {Slots: 1}, {Slots: 500, Consecutive: 1}, {Slots: 1, Consecutive: 5, Evaluations: 2}} {
		if _, err := d.OverlappingAlarms(0.1, o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestFamilies(t *testing.T) {
	f := must(NewFamilyAlarms(Family{Features: 20, Windows: 720, Rate: 0.001, Low: 0.0002, High: 0.003}))(t)
	if f.Expected != 14.4 || f.AnyMost != 1 || f.AnyLeast != 0.001 {
		t.Errorf("%+v", f)
	}
	if !(f.AnyLeast <= f.AnyLow && f.AnyLow <= f.AnyIndependent && f.AnyIndependent <= f.AnyHigh && f.AnyHigh <= 1) {
		t.Errorf("out of order: %+v", f)
	}
	// The range over baselines holds what sharing them does, by simulation of the law.
	const features, windows, n, m, threshold = 5, 20, 500, 250, 0.1
	p, _ := noDrift(t, 10, n, m).Survival(threshold)
	_, low, high, err := MeanPower(threshold, 10, n, m, p, 1)
	must(low, err)(t)
	f = must(NewFamilyAlarms(Family{features, windows, p, low, high}))(t)
	random := rand.New(rand.NewPCG(91, 93))
	const draws = 1500
	any := 0
	for range draws {
		hit := false
		for range features {
			truth := make([]float64, 10)
			total := 0.0
			for b := range truth {
				truth[b] = drawGamma(random, n/10)
				total += truth[b]
			}
			for range windows {
				left, rest, psi := int64(m), total, 0.0
				for b, q := range truth {
					k := left
					if b < 9 {
						k = drawBinomial(random, left, min(q/rest, 1))
					}
					left, rest = left-k, rest-q
					psi += divergenceTerm(DivergencePSI, 0.1+1e-8, float64(k)/m+1e-8)
				}
				hit = hit || psi > threshold
			}
		}
		if hit {
			any++
		}
	}
	got := float64(any) / draws
	if got > f.AnyIndependent+0.03 || got < f.AnyLow || got > f.AnyHigh {
		t.Errorf("any = %v, independent %v, range %v to %v", got, f.AnyIndependent, f.AnyLow, f.AnyHigh)
	}
	if _, err := NewFamilyAlarms(Family{1, 1, 0.1, 0.2, 0.3}); err == nil {
		t.Error("a low rate above the rate is accepted")
	}
}

func TestGatesMoveTheRightWay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		auc := rapid.Float64Range(0.51, 0.99).Draw(t, "auc")
		p, n := rapid.Float64Range(2, 1e5).Draw(t, "p"), rapid.Float64Range(2, 1e5).Draw(t, "n")
		for _, method := range []string{AUCBinormal, AUCHanleyMcNeil} {
			a, err := AUCStandardError(method, auc, p, n)
			if err != nil || a <= 0 {
				t.Fatal(a, err)
			}
			if more, _ := AUCStandardError(method, auc, p*2, n); more > a*(1+1e-12) {
				t.Fatal("more positives, less certainty")
			}
		}
		q := rapid.Float64Range(0.5, 0.999).Draw(t, "quantile")
		a, err := WilksSamples(q, 0.9, 1)
		if err != nil {
			t.Fatal(err)
		}
		if b, _ := WilksSamples(q, 0.95, 1); b < a {
			t.Fatal("more confidence takes fewer values")
		}
		if b, _ := WilksSamples(q, 0.9, 2); b < a {
			t.Fatal("a higher order takes fewer values")
		}
	})
}
