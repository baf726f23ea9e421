package stats

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

// peerSeconds are what testdata/generate/peers.py times, where the peers are.
var peerSeconds = sync.OnceValue(func() map[string]float64 {
	python := os.Getenv(testtools.PythonPeers)
	if python == "" {
		return nil
	}
	out, err := exec.Command(python, filepath.FromSlash("testdata/generate/peers.py"), "time").Output()
	if err != nil {
		return nil
	}
	var seconds map[string]float64
	if json.Unmarshal(out, &seconds) != nil {
		return nil
	}
	return seconds
})

// ratio reports how many times as long as an operation of this benchmark the peer takes.
func ratio(b *testing.B, peer string, operations float64) {
	b.Helper()
	b.StopTimer()
	each := b.Elapsed().Seconds() / float64(b.N) / operations
	if seconds, ok := peerSeconds()[peer]; ok {
		b.ReportMetric(seconds/each, "x-faster-than-"+peer+"-in-python")
	}
}

func normalValues(n int, seed uint64) []float64 {
	random := rand.New(rand.NewPCG(seed, 2))
	out := make([]float64, n)
	for i := range out {
		out[i] = random.NormFloat64()
	}
	return out
}

func BenchmarkBinning(b *testing.B) {
	values := normalValues(1_000_000, 1)
	edges := OpenEdges(must2(QuantileEdges(values, 10)))
	// The floor: to read and add the values.
	begin := time.Now()
	total := 0.0
	for range 5 {
		for _, v := range values {
			total += v
		}
	}
	floor := time.Since(begin).Seconds() / 5 / float64(len(values))
	if math.IsNaN(total) {
		b.Fatal()
	}
	for b.Loop() {
		if _, _, err := Histogram(values, edges); err != nil {
			b.Fatal(err)
		}
	}
	each := b.Elapsed().Seconds() / float64(b.N) / float64(len(values))
	b.ReportMetric(1e9*each, "ns/value")
	b.ReportMetric(each/floor, "x-of-adding")
	ratio(b, "histogram", float64(len(values)))
}

func must2[A, B any](a A, _ B, err error) A {
	if err != nil {
		panic(err)
	}
	return a
}

func BenchmarkPSISamplesOfAMillionEach(b *testing.B) {
	e, a := normalValues(1_000_000, 1), normalValues(1_000_000, 2)
	for b.Loop() {
		must(PSISamples(e, a, 10))(b)
	}
	ratio(b, "psi", 1)
}

func BenchmarkKolmogorovSmirnov(b *testing.B) {
	e, a := normalValues(100_000, 1), normalValues(100_000, 2)
	for b.Loop() {
		_, _, _ = KolmogorovSmirnov(e, a, KSAuto)
	}
	ratio(b, "ks", 1)
}

func BenchmarkWasserstein(b *testing.B) {
	e, a := normalValues(100_000, 1), normalValues(100_000, 2)
	for b.Loop() {
		must(Wasserstein(e, a))(b)
	}
	ratio(b, "wasserstein", 1)
}

func figureSet(b *testing.B, n, m int64, tail bool) {
	d := noDrift(b, 10, n, m)
	qs := []float64{0.5, 0.05, 0.01}
	if tail {
		qs = append(qs, 0.001)
	}
	for _, q := range qs {
		d.UpperQuantile(q)
	}
	d.Survival(0.1)
}

func BenchmarkFigureSetGamma(b *testing.B) {
	for b.Loop() {
		d := noDrift(b, 10, 10_000, 1000)
		for _, q := range []float64{0.5, 0.05, 0.02} {
			d.UpperQuantile(q)
		}
	}
}

func BenchmarkFigureSetExact(b *testing.B) {
	for b.Loop() {
		figureSet(b, 10_000, 1000, true)
	}
}

func BenchmarkSpendingBoundariesOf20Looks(b *testing.B) {
	for b.Loop() {
		must(NewSequential(SpendingOBrienFleming, 20, 0.05, true))(b)
	}
}

func BenchmarkTenThousandThresholds(b *testing.B) {
	for b.Loop() {
		// As a fleet has them: 100 different signals, 100 thresholds on each.
		for i := range 100 {
			d := noDrift(b, 10, 10_000+int64(i), 1000)
			for j := range 100 {
				d.Survival(0.02 + 0.002*float64(j))
			}
		}
	}
}

func BenchmarkTTestSamples(b *testing.B) {
	for b.Loop() {
		must(TTestSamples(MeanTest{1, 0.2, 1, 0.05, true}, 0.8))(b)
	}
	ratio(b, "t_samples", 1)
}

func BenchmarkTTestPower(b *testing.B) {
	for b.Loop() {
		must(TTestPower(MeanTest{1, 0.2, 1, 0.05, true}, 394, 394))(b)
	}
	ratio(b, "t_power", 1)
}

func BenchmarkChiSquaredSamples(b *testing.B) {
	for b.Loop() {
		must(ChiSquaredSamples(0.1, 9, 0.05, 0.8))(b)
	}
	ratio(b, "chi2_samples", 1)
}

func BenchmarkProportionSamples(b *testing.B) {
	for b.Loop() {
		must(must(NewProportionComparison(ProportionTest{0.1, 0.01, 1, 0.05, true}))(b).SamplesTreatment(0.8))(b)
	}
	ratio(b, "proportion_samples", 1)
}

func BenchmarkEngineLaw(b *testing.B) {
	for b.Loop() {
		must(NewEngineNoDrift(EngineEvidently, MetricPSI, Shape{}, 1000, 200, EngineOptions{}))(b).Survival(0.1)
	}
}

// BenchmarkFigureSetOf is a monitor's noise figures, by metric.
func BenchmarkFigureSetOf(b *testing.B) {
	for _, size := range []gridPoint{{10, 10_000, 1000}, {50, 1_000_000, 1_000_000}} {
		for _, metric := range Metrics() {
			b.Run(fmt.Sprintf("%s/%d-bins", metric, size.bins), func(b *testing.B) {
				for b.Loop() {
					law := must(NewNoDriftFor(metric, NoDriftParameters{EqualShares(size.bins), size.baseline, size.window, DefaultSmoothing()}))(b)
					for _, q := range []float64{0.5, 0.05, 0.01, 0.001} {
						law.UpperQuantile(q)
					}
				}
			})
		}
	}
}
