package stats

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestTheEnginesPowerIsThatOfTheEnginesOnRealSamples(t *testing.T) {
	const n, m, draws = 500, 180, 400
	lumpy := Shape{Edges: []float64{0, 1, 3, 4, 8}, Shares: []float64{0.5, 0.2, 0.25, 0.05}}
	table := newShapeTable(lumpy)
	_, sd, _ := lumpy.moments()
	random := rand.New(rand.NewPCG(401, 409))
	for _, c := range []struct {
		name  string
		shape Shape
		draw  func() float64
		sd    float64
		shift float64
	}{
		{"normal", Shape{}, random.NormFloat64, 1, 0.4},
		{"lumpy", lumpy, func() float64 { u := random.Float64(); return table.quantile(u, 1-u) }, sd, 0.1},
	} {
		for _, engine := range []Engine{EngineEvidently, EngineNannyML, EngineAzure} {
			for _, metric := range EngineMetrics(engine, false) {
				law, ok := must(NewEngineNoDrift(engine, metric, c.shape, n, m, EngineOptions{}))(t).(*engineLaw)
				if !ok {
					continue // a law of its own, which has its own test
				}
				threshold, _ := law.UpperQuantile(0.02)
				power, method, err := law.ShiftPower(threshold, c.shift)
				if err != nil || method != MethodMonteCarlo {
					t.Fatal(power, method, err)
				}
				least := 1.0
				for _, direction := range []float64{c.shift, -c.shift} {
					hits := 0.0
					for range draws {
						e, a := make([]float64, n), make([]float64, m)
						for i := range e {
							e[i] = c.draw()
						}
						for i := range a {
							a[i] = c.draw() + direction*c.sd
						}
						if must(EngineValue(engine, metric, e, a, EngineOptions{}))(t).Value > threshold {
							hits++
						}
					}
					least = min(least, hits/draws)
				}
				if math.Abs(power-least) > 4.5*math.Sqrt(0.25/draws) {
					t.Errorf("%s %s, %s values: power %v, the engine itself %v", engine, metric, c.name, power, least)
				}
				if detectable, _, err := law.DetectableShift(threshold, power); err != nil || math.Abs(detectable-c.shift) > 0.01 {
					t.Errorf("%s %s, %s values: a shift of %v is the smallest seen with %v, want %v (%v)", engine, metric, c.name, detectable, power, c.shift, err)
				}
			}
		}
	}
}

func TestCategoriesCannotShift(t *testing.T) {
	law := must(NewEngineNoDrift(EngineEvidently, MetricPSI, Shape{Edges: []float64{0, 1, 2}, Shares: []float64{0.5, 0.5}}, 100, 100, EngineOptions{Categorical: true}))(t).(*engineLaw)
	if _, _, err := law.ShiftPower(0.1, 0.5); err == nil {
		t.Error("a power is given")
	}
	if _, _, err := law.DetectableShift(0.1, 0.5); err == nil {
		t.Error("a shift is given")
	}
}
