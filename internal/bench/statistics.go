package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
)

var statistics = part{
	name: "statistics", title: "Statistics",
	note: "PSI from samples is the mission's numpy program: percentiles of the baseline, two histograms, the sum; ours takes both processors for it where numpy takes one. np.histogram takes one processor, so binning is shown with both and with one. " +
		"Sample sizes and powers are those of statsmodels, from Python as its users call it, on one processor on both sides.",
	run: runStatistics,
}

// normals writes n standard normal values as bytes, once, and returns them and the file.
func (h *harness) normals(n int, seed uint64) ([]float64, string, error) {
	random := rand.New(rand.NewPCG(seed, 1))
	values := make([]float64, n)
	for i := range values {
		values[i] = random.NormFloat64()
	}
	path, err := filepath.Abs(filepath.Join(h.data, fmt.Sprintf("normal-%d-%d.f64", n, seed)))
	if err != nil {
		return nil, "", err
	}
	if info, err := os.Stat(path); err == nil && info.Size() == int64(8*n) {
		return values, path, nil
	}
	raw := make([]byte, 0, 8*n)
	for _, v := range values {
		raw = binary.LittleEndian.AppendUint64(raw, math.Float64bits(v))
	}
	return values, path, os.WriteFile(path, raw, 0o600)
}

func runStatistics(h *harness) error {
	n := h.size(1_000_000)
	expected, expectedFile, err := h.normals(n, 1)
	if err != nil {
		return err
	}
	actual, actualFile, err := h.normals(n, 2)
	if err != nil {
		return err
	}
	edges, _, err := stats.QuantileEdges(expected, 10)
	if err != nil {
		return err
	}
	open := stats.OpenEdges(edges)
	calls := h.size(1_000)
	repeat := func(f func() (float64, error)) func() (float64, error) {
		return func() (out float64, err error) {
			for range calls {
				if out, err = f(); err != nil {
					return 0, err
				}
			}
			return out, nil
		}
	}
	// The peers' calls are slower, so that fewer are enough.
	few := max(calls/20, 1)
	scaled := map[string]any{"calls": few, "as": calls}
	// Many times, so that both find the values in their caches.
	const binnings = 50
	binned := map[string]any{"values": actualFile, "edges": edges, "calls": binnings, "as": binnings}
	count := func() (first float64, err error) {
		for range binnings {
			counts, _, err := stats.Histogram(actual, open)
			if err != nil {
				return 0, err
			}
			first = float64(counts[0])
		}
		return first, nil
	}
	proportions := stats.ProportionTest{BaselineRate: 0.1, Effect: 0.01, Ratio: 1, SignificanceLevel: 0.05, TwoSided: true}
	means := stats.MeanTest{StdDev: 1, Effect: 0.2, Ratio: 1, SignificanceLevel: 0.05, TwoSided: true}
	err = errors.Join(
		h.compare(comparison{
			what: fmt.Sprintf("PSI of two samples of %d, 10 quantile bins", n), peer: "psi_samples", label: "numpy", atLeast: 5, agree: 1e-9,
			inputs: map[string]any{"expected": expectedFile, "actual": actualFile},
			ours:   func() (float64, error) { return stats.PSISamples(expected, actual, 10) },
		}),
		h.compare(comparison{
			what: "binning, 10 quantile bins, two processors", each: binnings * n, unit: "value", peer: "histogram", label: "np.histogram, same edges, one", atLeast: 9,
			inputs: binned, ours: count,
		}),
		h.compare(comparison{
			what: "binning, 10 quantile bins, one processor", each: binnings * n, unit: "value", peer: "histogram", label: "np.histogram, same edges, one", atMost: 6 * time.Nanosecond,
			inputs: binned, ours: count, alone: true,
		}),
		h.compare(comparison{
			what: "samples an arm, two proportions (z)", each: calls, unit: "call", peer: "proportion_samples", label: "statsmodels", atLeast: 100, agree: 0.01, inputs: scaled,
			ours: repeat(func() (float64, error) {
				c, err := stats.NewProportionComparison(proportions)
				if err != nil {
					return 0, err
				}
				return c.SamplesTreatment(0.8)
			}),
		}),
		h.compare(comparison{
			what: "power, two proportions (z)", each: calls, unit: "call", peer: "proportion_power", label: "statsmodels", atLeast: 100, agree: 1e-6, inputs: scaled,
			ours: repeat(func() (float64, error) { return stats.ProportionPower(proportions, 14_749, 14_749) }),
		}),
		h.compare(comparison{
			what: "samples an arm, two means (t)", each: calls, unit: "call", peer: "t_samples", label: "statsmodels", atLeast: 100, agree: 0.01, inputs: scaled,
			ours: repeat(func() (float64, error) {
				return stats.TTestSamples(means, 0.8)
			}),
		}),
		h.compare(comparison{
			what: "power, two means (t)", each: calls, unit: "call", peer: "t_power", label: "statsmodels", atLeast: 100, agree: 1e-6, inputs: scaled,
			ours: repeat(func() (float64, error) {
				return stats.TTestPower(means, 394, 394)
			}),
		}),
		h.compare(comparison{
			what: "samples an arm, two means (z)", each: calls, unit: "call", peer: "z_samples", label: "statsmodels", atLeast: 100, agree: 0.01, inputs: scaled,
			ours: repeat(func() (float64, error) {
				c, err := stats.NewMeanComparison(means)
				if err != nil {
					return 0, err
				}
				return c.SamplesTreatment(0.8)
			}),
		}),
		h.compare(comparison{ // statsmodels adds what crosses on the other side, 1e-6
			what: "power, two means (z)", each: calls, unit: "call", peer: "z_power", label: "statsmodels", atLeast: 100, agree: 1e-5, inputs: scaled,
			ours: repeat(func() (float64, error) { return stats.MeanTestPower(means, 394, 394) }),
		}),
		h.alone("boundaries of 20 looks (O'Brien-Fleming)", 1, "", 5*time.Millisecond, func() error {
			_, err := stats.NewSequential(stats.SpendingOBrienFleming, 20, 0.05, true)
			return err
		}),
	)
	return err
}
