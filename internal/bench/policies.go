package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/lint"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
)

var policies = part{
	name: "policies", title: "Judging policies",
	note: "A figure set is the quantiles of a monitor's noise and one alert's rate: from the gamma law where it holds, with the exact law's tail where not.",
	run:  runPolicies,
}

var scale = part{
	name: "scale", title: "Many objects",
	note: "Spec files of data drift monitors, each with an alert threshold, all different, through the linter: read, judged, all figures. Linear means that an object among ten times as many takes at most 1.2 times as long. The many are linted once, the few before and after.",
	run:  runScale,
}

func runPolicies(h *harness) error {
	law := func(n int64) (*stats.NoDrift, error) {
		return stats.NewNoDrift(stats.DivergencePSI, stats.EqualShares(10), n, 1000, stats.DefaultSmoothing())
	}
	figures := func(probabilities ...float64) error {
		l, err := law(10_000)
		if err != nil {
			return err
		}
		for _, q := range probabilities {
			l.UpperQuantile(q)
		}
		l.Survival(0.02)
		return nil
	}
	thresholds := h.size(10_000)
	return errors.Join(
		h.alone("figure set, gamma", 1, "", time.Millisecond, func() error { return figures(0.5, 0.05, 0.02) }),
		h.alone("figure set, exact tail", 1, "", 50*time.Millisecond, func() error { return figures(0.5, 0.05, 0.01, 0.001) }),
		h.alone(fmt.Sprintf("rates of %d thresholds on %d signals", thresholds, thresholds/100+1), 1, "", time.Second, func() error {
			for i := range thresholds/100 + 1 {
				l, err := law(10_000 + int64(i))
				if err != nil {
					return err
				}
				for j := range 100 {
					l.Survival(0.02 + 0.002*float64(j))
				}
			}
			return nil
		}),
	)
}

func runScale(h *harness) error {
	small := max(1_000/h.shrink, 4)
	large := 10 * small
	// The few before and after the many, which take a minute.
	var times [3]time.Duration
	for i, objects := range []int{small, large, small} {
		var err error
		if times[i], err = lintOf(h, objects); err != nil {
			return err
		}
	}
	h.atMostTimes(fmt.Sprintf("lint %d objects", large), took(times[1], large, "object"), fmt.Sprintf("%d objects", small), took((times[0]+times[2])/2, small, "object"), 1.2)
	return nil
}

// lintOf lints a file of so many objects.
func lintOf(h *harness, objects int) (time.Duration, error) {
	file := filepath.Join(h.data, fmt.Sprintf("policy-%d.mlops.hcl", objects))
	if err := os.WriteFile(file, []byte(policyOf(objects)), 0o600); err != nil {
		return 0, err
	}
	runtime.GC()
	begin := time.Now()
	report := lint.Run(context.Background(), lint.Options{Paths: []string{file}})
	seconds := time.Since(begin)
	if len(report.Problems) > 0 {
		return 0, errors.New(report.Problems[0].String())
	}
	if len(report.Results) != objects {
		return 0, fmt.Errorf("%d objects were judged of %d", len(report.Results), objects)
	}
	return seconds, nil
}

// policyOf is a spec file of monitors, all different, each with an alert threshold.
func policyOf(objects int) string {
	var out strings.Builder
	for i := range objects / 2 {
		fmt.Fprintf(&out, `drift_monitor "m%[1]d" {
  model    = "fraud"
  name     = "m%[1]d"
  feature  = "f%[1]d"
  metric   = "psi"
  baseline = { name = "b%[1]d", bins = 10, samples = %[2]d }
  window   = { duration = "1h", samples = 1000 }
  schedule = { every = "1h" }
}

alert_threshold "a%[1]d" {
  model       = "fraud"
  name        = "a%[1]d"
  signal      = drift_monitor.m%[1]d.signal
  value       = 0.1
  severity    = "info"
  owner       = "risk"
  runbook_url = "https://runbooks.example.com/drift"
}

`, i, 10_000+i)
	}
	return out.String()
}
