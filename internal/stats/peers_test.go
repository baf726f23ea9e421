package stats

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

// peerSample is a recipe for a sample that Python and Go follow to the same bits.
type peerSample struct {
	N       int     `json:"n"`
	A       int64   `json:"a"`
	B       int64   `json:"b"`
	M       int64   `json:"m"`
	Sum     bool    `json:"sum,omitempty"`
	Power   int     `json:"power,omitempty"`
	Levels  float64 `json:"levels,omitempty"`
	Scale   float64 `json:"scale,omitempty"`
	Shift   float64 `json:"shift,omitempty"`
	Missing int     `json:"missing,omitempty"`
}

func (r peerSample) values() []float64 {
	scale := r.Scale
	if scale == 0 {
		scale = 1
	}
	out := make([]float64, r.N)
	for i := range out {
		u := func(k int64) float64 {
			return float64((int64(i)*(r.A+2*k)+r.B+977*k)%r.M) / float64(r.M)
		}
		x := u(0)
		if r.Sum {
			x = (x + u(1)) + (u(2) + u(3))
		}
		for range r.Power - 1 {
			x *= u(0)
		}
		if r.Levels > 0 {
			x = math.Floor(x * r.Levels)
		}
		x = float64(x*scale) + r.Shift
		if r.Missing > 0 && i%r.Missing == 0 {
			x = math.NaN()
		}
		out[i] = x
	}
	return out
}

// peerCase is what testdata/generate/peers.py answers.
type peerCase struct {
	Function    string      `json:"function"`
	Engine      Engine      `json:"engine,omitempty"`
	Metric      Metric      `json:"metric,omitempty"`
	Name        string      `json:"name,omitempty"`
	Expected    *peerSample `json:"expected,omitempty"`
	Actual      *peerSample `json:"actual,omitempty"`
	Categorical bool        `json:"categorical,omitempty"`
	Method      string      `json:"method,omitempty"`
	Q           []float64   `json:"q,omitempty"`
	Table       [][]int64   `json:"table,omitempty"`
	Yates       bool        `json:"yates"`
	D           float64     `json:"d,omitempty"`
	N           float64     `json:"n,omitempty"`
	N1          float64     `json:"n1,omitempty"`
	Effect      float64     `json:"effect,omitempty"`
	Alpha       float64     `json:"alpha,omitempty"`
	Power       float64     `json:"power,omitempty"`
	Ratio       float64     `json:"ratio,omitempty"`
	TwoSided    bool        `json:"two_sided"`
	P1          float64     `json:"p1,omitempty"`
	P2          float64     `json:"p2,omitempty"`
	W           float64     `json:"w,omitempty"`
	Bins        float64     `json:"bins,omitempty"`
	X           int64       `json:"x"`
	Want        any         `json:"want,omitempty"`
}

// ours answers a case, with the relative tolerance (and the absolute one, of values whose
// digits cancel) that is promised of it.
func (c peerCase) ours(t testing.TB) (got []float64, relative, absolute float64) {
	t.Helper()
	relative, absolute = 1e-10, 1e-14
	test := MeanTest{1, c.Effect, c.Ratio, c.Alpha, c.TwoSided}
	switch c.Function {
	case "engine":
		r := must(EngineValue(c.Engine, c.Metric, c.Expected.values(), c.Actual.values(), EngineOptions{Categorical: c.Categorical}))(t)
		// A distance near 0 is the root of what rounding left.
		return []float64{r.Value}, relative, 3e-8
	case "ks":
		d, p, err := KolmogorovSmirnov(c.Expected.values(), c.Actual.values(), KSMethod(c.Method))
		must(d, err)(t)
		return []float64{d, p}, relative, absolute
	case "kstwo":
		return []float64{ksOneSampleSurvival(c.N, c.D)}, 3e-10, 1e-12
	case "wasserstein":
		return []float64{must(Wasserstein(c.Expected.values(), c.Actual.values()))(t)}, relative, absolute
	case "mann_whitney":
		u, p, err := MannWhitney(c.Expected.values(), c.Actual.values())
		must(u, err)(t)
		return []float64{u, p}, relative, absolute
	case "quantile":
		q := make([]float64, len(c.Q))
		for i, v := range c.Q {
			q[i] = v / 100
		}
		return must(Quantiles(c.Expected.values(), q))(t), 0, 0 // the same bits
	case "chi2":
		r := must(ChiSquaredTwoSample(c.Table[0], c.Table[1], c.Yates))(t)
		return []float64{r.Statistic, r.PValue}, relative, absolute
	case "z_power":
		p := must(MeanTestPower(test, c.N1, c.N1*c.Ratio))(t)
		if c.TwoSided { // statsmodels adds the far tail
			z, d := normalUpperQuantile(c.Alpha/2), math.Abs(c.Effect)*math.Sqrt(c.N1/(1+1/c.Ratio))
			p += normalSurvival(z + d)
		}
		return []float64{p}, 1e-9, 1e-12
	case "t_power":
		return []float64{must(TTestPower(test, c.N1, c.N1*c.Ratio))(t)}, 1e-6, 1e-9
	case "t_samples":
		return []float64{must(TTestSamples(test, c.Power))(t)}, 1e-5, 0
	case "proportion_samples", "proportion_power":
		// statsmodels' first sample has rate p1, its ratio is nobs2/nobs1.
		p := ProportionTest{c.P2, c.P1 - c.P2, c.Ratio, c.Alpha, c.TwoSided}
		if c.Function == "proportion_power" {
			v := must(ProportionPower(p, c.N1, c.N1*c.Ratio))(t)
			if c.TwoSided {
				comparison := must(NewProportionComparison(p))(t)
				z := normalUpperQuantile(c.Alpha / 2)
				v += normalSurvival((comparison.distance*math.Sqrt(c.N1) + z*comparison.nullSD) / comparison.altSD)
			}
			return []float64{v}, 1e-8, 1e-12
		}
		return []float64{must(must(NewProportionComparison(p))(t).SamplesTreatment(c.Power))(t)}, 1e-8, 0
	case "chi2_power":
		return []float64{must(ChiSquaredPower(c.W, c.N, c.Bins-1, c.Alpha))(t)}, 1e-9, 1e-12
	case "interval":
		f := WilsonInterval
		if c.Method == "beta" {
			f = ClopperPearsonInterval
		}
		low, high, err := f(c.X, int64(c.N), 1-c.Alpha)
		must(low, err)(t)
		return []float64{low, high}, 1e-9, 1e-12
	}
	t.Fatalf("no function %q", c.Function)
	return nil, 0, 0
}

func (c peerCase) compare(t testing.TB, want any) {
	t.Helper()
	list, ok := want.([]any)
	if !ok {
		list = []any{want}
	}
	got, relative, absolute := c.ours(t)
	for i, w := range list {
		v, ok := w.(float64)
		if !ok || len(got) != len(list) {
			t.Errorf("%s: the peer says %v, we %v", c.label(), want, got)
			return
		}
		if c.Function == "quantile" {
			relative = 4e-16 // numpy 2 weighs in another order than 1.24, which the mission names
		}
		if !(math.Abs(got[i]-v) <= absolute+relative*math.Abs(v)) {
			t.Errorf("%s: the peer says %v, we %v (off by %.3g)", c.label(), v, got[i], got[i]/v-1)
		}
	}
}

func (c peerCase) label() string {
	c.Want = nil
	raw, _ := json.Marshal(c)
	return string(raw)
}

// TestRecordedAnswersOfRealTools holds the engines and the tests against what the tools
// themselves said, as recorded with their versions in testdata/peers.json.
func TestRecordedAnswersOfRealTools(t *testing.T) {
	raw, err := os.ReadFile("testdata/peers.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Versions map[string]string
		Cases    []peerCase
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	engines := map[Engine]int{}
	for _, c := range file.Cases {
		c.compare(t, c.Want)
		engines[c.Engine]++
	}
	for _, e := range []Engine{EngineEvidently, EngineNannyML, EngineAzure} {
		if engines[e] < 30 {
			t.Errorf("%d cases of %q", engines[e], e)
		}
	}
	if file.Versions["evidently"] == "" || file.Versions["nannyml"] == "" {
		t.Error("the versions are not recorded")
	}
}

func askPeers(t testing.TB, python string, cases []peerCase) []any {
	t.Helper()
	in, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, filepath.FromSlash("testdata/generate/peers.py"), "ask")
	cmd.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.Bytes())
	}
	var answers []any
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return answers
}

// TestPeersLive asks the tools anew, with random parameters of a fixed seed.
func TestPeersLive(t *testing.T) {
	python := testtools.Require(t, testtools.PythonPeers)
	random := rand.New(rand.NewPCG(1234, 5678))
	between := func(low, high float64) float64 { return low + (high-low)*random.Float64() }
	var cases []peerCase
	for range 60 {
		alpha, ratio := between(0.005, 0.2), math.Exp(between(-2, 3))
		two := random.IntN(2) == 0
		p2 := between(0.02, 0.8)
		p1 := p2 + between(0.01, 0.15)
		cases = append(cases,
			peerCase{Function: "z_power", Effect: between(0.02, 1), N1: math.Ceil(between(5, 2000)), Alpha: alpha, Ratio: ratio, TwoSided: two},
			peerCase{Function: "t_power", Effect: between(0.02, 0.6), N1: math.Ceil(between(5, 300)), Alpha: alpha, Ratio: ratio, TwoSided: two},
			peerCase{Function: "t_samples", Effect: between(0.2, 1), Alpha: alpha, Power: between(0.5, 0.95), Ratio: between(0.5, 3), TwoSided: true},
			peerCase{Function: "proportion_samples", P1: p1, P2: p2, Alpha: alpha, Power: between(0.3, 0.95), Ratio: ratio, TwoSided: two},
			peerCase{Function: "proportion_power", P1: p1, P2: p2, Alpha: alpha, N1: math.Ceil(between(50, 5000)), Ratio: ratio, TwoSided: true},
			peerCase{Function: "chi2_power", W: between(0.03, 0.6), N: math.Ceil(between(20, 2000)), Alpha: alpha, Bins: float64(2 + random.IntN(30))},
		)
		n := 20 + random.IntN(3000)
		for _, method := range []string{"wilson", "beta"} {
			cases = append(cases, peerCase{Function: "interval", X: int64(random.IntN(n + 1)), N: float64(n), Alpha: alpha, Method: method})
		}
		cases = append(cases, peerCase{Function: "chi2", Yates: random.IntN(2) == 0, Table: [][]int64{
			{1 + random.Int64N(50), random.Int64N(50), 1 + random.Int64N(50)}, {random.Int64N(90), 1 + random.Int64N(90), random.Int64N(90)}}})
	}
	for i := range 12 {
		draw := func() *peerSample {
			r := &peerSample{N: 30 + random.IntN(1500), A: 1000 + random.Int64N(90_000), B: random.Int64N(1000), M: 99_991, Power: 1 + random.IntN(4),
				Sum: random.IntN(2) == 0, Scale: between(0.3, 3), Shift: between(-0.2, 0.2)}
			if i%4 == 3 {
				r.Levels, r.Power, r.Sum = float64(2+random.IntN(30)), 1, false
				r.Scale, r.Shift = 1, 0
			}
			return r
		}
		e, a := draw(), draw()
		a.Sum, a.Power = e.Sum, e.Power
		for _, engine := range []Engine{EngineEvidently, EngineNannyML, EngineAzure} {
			for _, categorical := range []bool{false, true} {
				if categorical && e.Levels == 0 {
					continue
				}
				for _, m := range EngineMetrics(engine, categorical) {
					cases = append(cases, peerCase{Function: "engine", Engine: engine, Metric: m, Expected: e, Actual: a, Categorical: categorical})
				}
			}
		}
	}
	for i, want := range askPeers(t, python, cases) {
		cases[i].compare(t, want)
	}
	t.Log(fmt.Sprint(len(cases), " cases"))
}
