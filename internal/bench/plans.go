package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

var plans = part{
	name: "plans", title: "Plans that change nothing",
	note: "`terraform plan` of objects of every kind, each in a block of its own, that refer to each other and are as the last apply left them: refresh and plan say \"No changes.\", or the run stops. " +
		"CPU is user and system time of Terraform and the provider together; of 5,000 objects there is one run, which takes minutes. The peers are a provider of the same schemas in the framework's own server, which reads and judges nothing, and Terraform's own `terraform_data` with the same values. " +
		"Memory is the provider's peak resident set. The server is `mlopsctl serve`, on loopback, and behind a proxy that holds each packet back for 10 ms in each direction.",
	rounds: 3,
	run:    runPlans,
}

func runPlans(h *harness) error {
	if h.tools.terraform == "" {
		h.rows = append(h.rows, row{what: "plan", goal: "at most 0.7 times", undecided: true})
		return nil
	}
	built, err := h.build()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp(h.data, "plans-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if folder, err = filepath.Abs(folder); err != nil {
		return err
	}
	// One of each kind, and five, where only the harness is tried.
	small, large := max(1_000/h.shrink, 10), max(5_000/h.shrink, 50)
	e, err := h.planEmbedded(built, filepath.Join(folder, "small"), small, h.rounds)
	if err == nil {
		err = h.planServed(built, filepath.Join(folder, "served"), e, filepath.Join(folder, "small", "ours", "mlops.db"))
	}
	if err == nil {
		_, err = h.planEmbedded(built, filepath.Join(folder, "large"), large, 1)
	}
	return err
}

// planEmbedded plans an estate on the embedded control plane, and the same objects with
// the peers.
func (h *harness) planEmbedded(built programs, folder string, objects, rounds int) (*estate, error) {
	ours, noop, data := filepath.Join(folder, "ours"), filepath.Join(folder, "noop"), filepath.Join(folder, "data")
	if err := os.MkdirAll(ours, 0o755); err != nil {
		return nil, err
	}
	e, err := newEstate(context.Background(), filepath.Join(ours, "mlops.db"), objects)
	if err != nil {
		return nil, err
	}
	switch remembered, err := e.remembered(); {
	case err != nil:
		return nil, err
	case remembered != len(e.objects):
		return nil, fmt.Errorf("the state of %d objects remembers %d reviews: the provider is no release", len(e.objects), remembered)
	}
	if err := errors.Join(e.write(ours), e.write(noop), e.writeAsData(data)); err != nil {
		return nil, err
	}
	var planners [3]planner
	for i, of := range []struct{ folder, provider string }{{ours, built.provider}, {noop, built.noop}, {data, ""}} {
		if planners[i], err = h.newPlanner(of.folder, of.provider); err != nil {
			return nil, err
		}
	}
	runs, err := byTurns(planners[:], rounds)
	if err != nil {
		return nil, err
	}
	cpu := func(of []spent) measure {
		middle := middleBy(of, func(s spent) time.Duration { return s.cpu })
		return processor(middle.cpu, middle.wall)
	}
	what := fmt.Sprintf("plan of %d objects", len(e.objects))
	h.atMostTimes(what, cpu(runs[0]), "provider that does nothing", cpu(runs[1]), 0.7)
	h.atMostTimes(what, cpu(runs[0]), "`terraform_data`", cpu(runs[2]), 1.5)
	h.memoryOfProvider(len(e.objects), runs[0], runs[1])
	return e, nil
}

// memoryOfProvider adds the row of what the provider's process had at most.
func (h *harness) memoryOfProvider(objects int, ours, noop []spent) {
	peak := func(of []spent) int64 {
		return middleBy(of, func(s spent) time.Duration { return time.Duration(s.peak) }).peak
	}
	r := row{what: fmt.Sprintf("memory of the provider, %d objects", objects), ours: megabytes(peak(ours)), goal: "at most 120 MB", met: peak(ours) <= 120e6}
	if peak(ours) == 0 {
		r.ours, r.undecided = measure{}, true // this system does not say
	} else {
		r.peer, r.theirs, r.ratio = "provider that does nothing", megabytes(peak(noop)), float64(peak(ours))/float64(peak(noop))
	}
	h.rows = append(h.rows, r)
}

// byTurns plans with each planner in every round.
func byTurns(planners []planner, rounds int) ([][]spent, error) {
	runs := make([][]spent, len(planners))
	for round := range rounds {
		for i := range planners {
			// Each round begins with another, so that nobody always follows the same one.
			i = (i + round) % len(planners)
			run, err := planners[i].plan()
			if err != nil {
				return nil, err
			}
			runs[i] = append(runs[i], run)
		}
	}
	return runs, nil
}

// middleBy is the median run.
func middleBy(runs []spent, by func(spent) time.Duration) spent {
	slices.SortFunc(runs, func(a, b spent) int { return int(by(a) - by(b)) })
	return runs[len(runs)/2]
}

// planServed plans an estate over a server with its objects, near and far.
func (h *harness) planServed(built programs, folder string, e *estate, database string) error {
	if err := e.write(folder); err != nil {
		return err
	}
	file := filepath.Join(folder, "served.db")
	content, err := os.ReadFile(database)
	if err == nil {
		err = os.WriteFile(file, content, 0o600)
	}
	if err != nil {
		return err
	}
	served, err := serve(built.mlopsctl, file)
	if err != nil {
		return err
	}
	defer served.stop()
	proxy, err := slow(served.address, 10*time.Millisecond)
	if err != nil {
		return err
	}
	defer proxy.Stop()

	var planners [2]planner
	for i, address := range []string{served.address, proxy.Listen} {
		if planners[i], err = h.newPlanner(folder, built.provider, "MLOPS_ENDPOINT=http://"+address); err != nil {
			return err
		}
	}
	runs, err := byTurns(planners[:], h.rounds)
	if err != nil {
		return err
	}
	wall := func(of []spent) measure {
		return took(middleBy(of, func(s spent) time.Duration { return s.wall }).wall, 1, "")
	}
	h.atMostTimes(fmt.Sprintf("plan of %d objects over a server, 20 ms away", len(e.objects)), wall(runs[1]), "on loopback", wall(runs[0]), 1.3)
	return nil
}

// slow is a proxy on loopback that holds back what comes through in each direction.
func slow(upstream string, each time.Duration) (*toxiproxy.Proxy, error) {
	toxics := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop())
	proxy := toxiproxy.NewProxy(toxics, "control-plane", "127.0.0.1:0", upstream)
	if err := proxy.Start(); err != nil {
		return nil, err
	}
	for _, direction := range []string{"upstream", "downstream"} {
		latency := fmt.Sprintf(`{"name":%q,"type":"latency","stream":%q,"attributes":{"latency":%d}}`, direction, direction, each.Milliseconds())
		if _, err := proxy.Toxics.AddToxicJson(strings.NewReader(latency)); err != nil {
			proxy.Stop()
			return nil, err
		}
	}
	return proxy, nil
}
