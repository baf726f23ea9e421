package main

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/lint"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// The rate that the naive plan prints, against 20,000 baselines and windows drawn
// one observation at a time: code that shares nothing with the evaluator's.
func TestTheNaiveAlertFiresAsOftenAsItsPlanSays(t *testing.T) {
	report := lint.Run(context.Background(), lint.Options{Paths: []string{"examples/quickstart/naive"}})
	var alert spec.AlertThreshold
	for _, result := range report.Results {
		if result.Object.Address == "mlops_alert_threshold.speed" {
			var err error
			if alert, err = spec.Decode[spec.AlertThreshold](result.Value); err != nil {
				t.Fatal(err)
			}
		}
	}
	printed, ok := alert.Evaluation.Fields().FalseAlarmRate.Get()
	if !ok {
		t.Fatalf("the plan prints no rate: %v", report.Problems)
	}
	signal := alert.Signal.Fields()
	var cumulative []float64
	sum := 0.0
	for _, share := range signal.BinShares.Or(nil) {
		sum += share.Or(0)
		cumulative = append(cumulative, sum)
	}
	random := rand.New(rand.NewPCG(20261123, 1))
	draw := func(n int, counts []float64) {
		clear(counts)
		for range n {
			bin, u := 0, random.Float64()
			for bin < len(cumulative)-1 && u >= cumulative[bin] {
				bin++
			}
			counts[bin]++
		}
	}
	n, m := int(signal.BaselineSamples.Or(0)), int(signal.WindowSamples.Or(0))
	baseline, window := make([]float64, len(cumulative)), make([]float64, len(cumulative))
	const draws = 20000
	fired := 0
	for range draws {
		draw(n, baseline)
		draw(m, window)
		psi := 0.0
		for bin := range baseline {
			e, a := baseline[bin]/float64(n)+1e-8, window[bin]/float64(m)+1e-8
			psi += (a - e) * math.Log(a/e)
		}
		if psi > alert.Value.Or(math.Inf(1)) {
			fired++
		}
	}
	simulated := float64(fired) / draws
	if math.Abs(printed/simulated-1) > 0.15 {
		t.Errorf("the plan prints %v, and %v of the simulated windows fire", printed, simulated)
	}
	t.Logf("printed %v, simulated %v", printed, simulated)
}
