package main

import (
	"fmt"
	"strings"
	"time"
)

// row is one line of a section's table.
type row struct {
	what   string
	ours   measure
	peer   string
	theirs measure // where there is a peer
	// ratio is the one that the goal is about, where it is about one.
	ratio     float64
	goal      string
	met       bool
	undecided bool // what it takes to know is not here
}

// measure is a figure, and how readers see it.
type measure struct {
	value float64
	text  string
}

// took is a time, divided by how many of a unit a run has. Without a unit, it is the
// run's.
func took(of time.Duration, each int, unit string) measure {
	ns := float64(of) / float64(max(each, 1))
	if unit == "" {
		return measure{ns, showNanoseconds(ns)}
	}
	article := " a "
	if strings.ContainsAny(unit[:1], "aeio") {
		article = " an "
	}
	return measure{ns, showNanoseconds(ns) + article + unit}
}

// processor is time that processors worked, and the time that this took.
func processor(cpu, wall time.Duration) measure {
	return measure{float64(cpu), fmt.Sprintf("%.3g CPU s in %.3g s", cpu.Seconds(), wall.Seconds())}
}

// megabytes is memory.
func megabytes(bytes int64) measure {
	return measure{float64(bytes), fmt.Sprintf("%.3g MB", float64(bytes)/1e6)}
}

// aSecond is how many of something there are in a second.
func aSecond(count int, in time.Duration) measure {
	rate := float64(count) / in.Seconds()
	if rate >= 1_000 {
		return measure{rate, fmt.Sprintf("%.0f a second", rate)}
	}
	return measure{rate, fmt.Sprintf("%.3g a second", rate)}
}

// atMost adds a row whose goal is a figure.
func (h *harness) atMost(what string, ours, goal measure) {
	h.rows = append(h.rows, row{what: what, ours: ours, goal: "at most " + goal.text, met: ours.value <= goal.value})
}

// atMostTimes adds a row whose goal is a multiple of the peer's figure that ours may
// have.
func (h *harness) atMostTimes(what string, ours measure, peer string, theirs measure, goal float64) {
	ratio := ours.value / theirs.value
	h.rows = append(h.rows, row{what: what, ours: ours, peer: peer, theirs: theirs, ratio: ratio, goal: fmt.Sprintf("at most %v times", goal), met: ratio <= goal})
}

// atLeastTimes adds a row whose goal is a multiple of the peer's figure that ours must
// have.
func (h *harness) atLeastTimes(what string, ours measure, peer string, theirs measure, goal float64) {
	ratio := ours.value / theirs.value
	h.rows = append(h.rows, row{what: what, ours: ours, peer: peer, theirs: theirs, ratio: ratio, goal: fmt.Sprintf("at least %v times", goal), met: ratio >= goal})
}

// section is a part as Markdown.
func (h *harness) section(p part, header string) string {
	var out strings.Builder
	fmt.Fprintf(&out, "\n## %s\n\n%s\n\n", p.title, p.note)
	fmt.Fprintf(&out, "%s\n\n`make bench PART=%s` makes this section; each figure is the median of %d runs.\n\n", header, p.name, h.rounds)
	out.WriteString("| what | ours | peer | ratio | goal | met |\n|---|---|---|---|---|---|\n")
	for _, r := range h.rows {
		peer, ratio, met := "", "", "no"
		if r.met {
			met = "yes"
		}
		switch {
		case r.undecided:
			peer, met = "not here", "not known"
		case r.peer != "":
			peer = fmt.Sprintf("%s: %s", r.peer, r.theirs.text)
			ratio = fmt.Sprintf("%.2g", r.ratio)
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s | %s |\n", r.what, r.ours.text, peer, ratio, r.goal, met)
	}
	out.WriteString("\n")
	return out.String()
}

func showNanoseconds(ns float64) string {
	for _, u := range []struct {
		name string
		size float64
	}{{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}} {
		if ns >= u.size {
			return fmt.Sprintf("%.3g %s", ns/u.size, u.name)
		}
	}
	return fmt.Sprintf("%.2g ns", ns)
}
