package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

// simulatedAUC draws binormal scores: each row is a positive with probability share.
func simulatedAUC(random *rand.Rand, auc float64, rows int, share float64) float64 {
	d := math.Sqrt2 * -normalUpperQuantile(auc)
	ranks := make([]float64, 0, rows)
	var positives []float64
	for range rows {
		if random.Float64() < share {
			positives = append(positives, random.NormFloat64()+d)
		} else {
			ranks = append(ranks, random.NormFloat64())
		}
	}
	u, _, err := MannWhitney(positives, ranks)
	if err != nil {
		panic(err)
	}
	return u / float64(len(positives)) / float64(len(ranks))
}

func TestTheSkewedLawBoundsTheSimulatedAreaUnderTheCurve(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 77))
	for _, c := range []struct {
		auc, share float64
		rows       int
	}{{0.9, 0.1, 500}, {0.8, 0.05, 1000}, {0.9, 0.5, 200}, {0.95, 0.2, 250}} {
		const draws = 12000
		p := c.share * float64(c.rows)
		law, err := NewAUCLaw(AUCBinormal, c.auc)
		if err != nil {
			t.Fatal(err)
		}
		se, skewness, err := law.Moments(p, float64(c.rows)-p)
		if err != nil {
			t.Fatal(err)
		}
		// How many positives a window has is chance: so much do they vary.
		se *= math.Sqrt(1 + (1-c.share)/p)
		l := SkewedLaw{Mean: c.auc, StdDev: se, Skewness: skewness}
		var sum, cube float64
		limits := []float64{c.auc - 1.645*se, c.auc - 2.33*se, c.auc - 3*se}
		hits := make([]float64, len(limits))
		for range draws {
			a := simulatedAUC(random, c.auc, c.rows, c.share)
			sum += a
			cube += (a - c.auc) * (a - c.auc) * (a - c.auc)
			for i, limit := range limits {
				if a < limit {
					hits[i]++
				}
			}
		}
		wantNear(t, "mean", sum/draws, c.auc, 0.002)
		if got := cube / draws / (se * se * se); math.Abs(got-skewness) > 0.12 {
			t.Errorf("%+v: skewness %v, simulated %v", c, skewness, got)
		}
		for i, limit := range limits {
			want, got := hits[i]/draws, l.Below(limit)
			if bound := 0.12*want + 4*math.Sqrt(want/draws); math.Abs(got-want) > bound {
				t.Errorf("%+v: below %v: %v, simulated %v", c, limit, got, want)
			}
		}
	}
}

func TestTheLawOfTheAreaHasTheVarianceOfItsStandardError(t *testing.T) {
	for _, method := range []string{AUCBinormal, AUCHanleyMcNeil} {
		for _, auc := range []float64{0.02, 0.3, 0.5, 0.8, 0.99} {
			law, err := NewAUCLaw(method, auc)
			if err != nil {
				t.Fatal(err)
			}
			se, skewness, err := law.Moments(50, 950)
			if err != nil {
				t.Fatal(err)
			}
			wantNear(t, "standard error", se, must(AUCStandardError(method, auc, 50, 950))(t), 1e-9)
			mirrored, err := NewAUCLaw(method, 1-auc)
			if err != nil {
				t.Fatal(err)
			}
			// Exchanging the classes turns the area over.
			other, opposite, err := mirrored.Moments(950, 50)
			if err != nil {
				t.Fatal(err)
			}
			if method == AUCBinormal && (math.Abs(other-se) > 1e-9 || math.Abs(opposite+skewness) > 1e-3) {
				t.Errorf("auc %v: %v %v, mirrored %v %v", auc, se, skewness, other, opposite)
			}
		}
	}
}

func TestTheExponentialThirdMomentsAgainstSimulation(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 33))
	const auc, p, n, draws = 0.8, 20, 60, 20000
	rate := (1 - auc) / auc
	law, err := NewAUCLaw(AUCHanleyMcNeil, auc)
	if err != nil {
		t.Fatal(err)
	}
	se, skewness, err := law.Moments(p, n)
	if err != nil {
		t.Fatal(err)
	}
	var square, cube float64
	for range draws {
		x, y := make([]float64, p), make([]float64, n)
		for i := range x {
			x[i] = random.ExpFloat64() / rate
		}
		for i := range y {
			y[i] = random.ExpFloat64()
		}
		u, _, err := MannWhitney(x, y)
		if err != nil {
			t.Fatal(err)
		}
		e := u/p/n - auc
		square, cube = square+e*e, cube+e*e*e
	}
	wantNear(t, "standard error", se, math.Sqrt(square/draws), 0.02)
	if got := cube / draws / (se * se * se); math.Abs(got-skewness) > 0.08 {
		t.Errorf("skewness %v, simulated %v", skewness, got)
	}
}

func TestTheSkewedLawKeepsItsMomentsAndMirrors(t *testing.T) {
	// The chi-squared law with 4 degrees of freedom: mean 4, variance 8, skewness sqrt 2.
	l := SkewedLaw{Mean: 4, StdDev: math.Sqrt(8), Skewness: math.Sqrt2}
	for _, x := range []float64{0.5, 4, 9.487729036781154, 30} {
		want := must(ChiSquaredSurvival(x, 4))(t)
		wantNear(t, "above", l.Above(x), want, 1e-12)
		wantNear(t, "below", l.Below(x), 1-want, 1e-12)
		mirrored := SkewedLaw{Mean: -4, StdDev: math.Sqrt(8), Skewness: -math.Sqrt2}
		wantNear(t, "mirrored", mirrored.Below(-x), want, 1e-12)
	}
	if got := l.Below(-1); got != 0 {
		t.Errorf("below the least: %v", got)
	}
	wantNear(t, "no skewness", SkewedLaw{StdDev: 2}.Above(6), 0.0013498980316300946, 1e-12)
	wantNear(t, "hardly any", SkewedLaw{StdDev: 1, Skewness: 1.001 * negligibleSkewness}.Above(4), 3.1671241833119924e-05, 0.02)
	if l := (SkewedLaw{Mean: 1}); l.Above(0.9) != 1 || l.Above(1) != 0 || l.Below(1.1) != 1 {
		t.Error("no standard deviation")
	}
}

func TestPoissonTails(t *testing.T) {
	// scipy.stats.poisson.sf(12, 7.5), cdf(2, 7.5), sf(7300, 7200)
	wantNear(t, "above 12", PoissonAbove(12, 7.5), 0.04266586753927493, 1e-9)
	wantNear(t, "below 3", PoissonBelow(3, 7.5), 0.020256715056664427, 1e-9)
	wantNear(t, "below 2.5", PoissonBelow(2.5, 7.5), PoissonBelow(3, 7.5), 0)
	for _, k := range []float64{0, 1, 3, 40} {
		wantNear(t, "together", PoissonAbove(k, 7.5)+PoissonBelow(k+1, 7.5), 1, 1e-12)
	}
	if PoissonBelow(0, 1) != 0 || PoissonAbove(-1, 1) != 1 {
		t.Error("a count is not negative")
	}
	for _, mean := range []float64{1e-9, 1e9, 1e15} {
		for _, p := range []float64{PoissonAbove(mean*1.0000001, mean), PoissonBelow(mean, mean)} {
			if math.IsNaN(p) || p < 0 || p > 1 {
				t.Errorf("mean %v: %v", mean, p)
			}
		}
	}
}

func TestASubsetOfAllRowsIsBinomial(t *testing.T) {
	s := Subset{Rows: 500, Share: 1, Rate: 0.01}
	// P(Bin(500, 0.01) > 10), of the research's table: 1.32 %.
	got, exact := s.Above(0.02, false)
	wantNear(t, "above 2 %", got, must(BinomialUpperTail(10, 500, 0.01))(t), 1e-12)
	if !exact {
		t.Error("it is exact")
	}
	got, _ = s.Above(0.02, true)
	wantNear(t, "from 2 %", got, must(BinomialUpperTail(9, 500, 0.01))(t), 1e-12)
	below, _ := s.Below(0.02, true)
	above, _ := s.Above(0.02, false)
	wantNear(t, "together", below+above, 1, 1e-12)
	got, _ = Subset{Rows: 100, Share: 1, Rate: 0.05}.Above(0.07, false) // 7 is not above 7
	wantNear(t, "a whole product", got, must(BinomialUpperTail(7, 100, 0.05))(t), 1e-12)
}

func TestTheProportionOfARandomSubsetAgainstSimulation(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 13))
	for _, c := range []struct {
		subset Subset
		limit  float64
	}{{Subset{200, 0.1, 0.8}, 0.6}, {Subset{1000, 0.05, 0.9}, 0.8}, {Subset{60, 0.05, 0.5}, 0.2}, {Subset{9000, 0.5, 0.8}, 0.79}} {
		const draws = 4000
		below, from := 0.0, 0.0
		for range draws {
			size, hits := 0.0, 0.0
			for range c.subset.Rows {
				if random.Float64() < c.subset.Share {
					size++
					if random.Float64() < c.subset.Rate {
						hits++
					}
				}
			}
			if size > 0 && hits/size < c.limit {
				below++
			}
			if size > 0 && hits/size >= c.limit {
				from++
			}
		}
		for i, want := range []float64{below / draws, from / draws} {
			got, _ := c.subset.Below(c.limit, false)
			if i == 1 {
				got, _ = c.subset.Above(c.limit, true)
			}
			if math.Abs(got-want) > 0.01*want+4*math.Sqrt(max(want*(1-want), 1e-4)/draws) {
				t.Errorf("%+v: %v, simulated %v", c, got, want)
			}
		}
	}
}

func TestALargeSubsetGoesOnWhereTheSumEnds(t *testing.T) {
	// Just below and just above the number of sizes that are summed one by one.
	sum, exact := Subset{Rows: 1650, Share: 0.1, Rate: 0.9}.Below(0.87, false)
	nodes, stillExact := Subset{Rows: 2400, Share: 0.1, Rate: 0.9}.Below(0.87, false)
	if !exact || stillExact || nodes > sum || nodes < 0.5*sum {
		t.Errorf("%v (%v), then %v (%v)", sum, exact, nodes, stillExact)
	}
	for _, s := range []Subset{{1e15, 1e-9, 0.5}, {1e15, 0.5, 1e-12}, {1e15, 1, 0.5}, {1, 0.001, 1}} {
		if err := s.Validate(); err != nil {
			t.Fatal(err)
		}
		for _, limit := range []float64{0, 1e-9, 0.5, 1} {
			for _, included := range []bool{false, true} {
				above, _ := s.Above(limit, included)
				below, _ := s.Below(limit, included)
				if math.IsNaN(above+below) || above < 0 || above > 1 || below < 0 || below > 1 {
					t.Errorf("%+v at %v: %v %v", s, limit, above, below)
				}
			}
		}
	}
	for _, s := range []Subset{{}, {Rows: 1}, {Rows: 1, Share: 2}, {Rows: 1, Share: 1, Rate: -1}} {
		if s.Validate() == nil {
			t.Errorf("%+v is accepted", s)
		}
	}
}
