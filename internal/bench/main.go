// Command bench measures what the documentation claims about speed: our own code and its
// peers, alternately, in one run. It writes the sections of docs/performance.md.
//
//	make bench                    everything
//	make bench PART=profiles      one part
//
// A part is a file of this package with a variable of type part, listed in parts.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// parts are the sections of the document, in their order.
var parts = []part{statistics, profiles, policies, scale}

// part is one section.
type part struct {
	name, title string
	// note says what is measured and what the goals are, in Markdown.
	note string
	run  func(*harness) error
}

// harness runs the cases of a part.
type harness struct {
	data   string // a folder for data files
	shrink int    // by how much sizes are smaller; 1 for real
	rounds int
	peers  *peers // nil where there is no Python
	rows   []row
}

// row is one line of a section's table.
type row struct {
	what      string
	ours      time.Duration
	each      int // how many of what ours counts
	unit      string
	peer      string
	theirs    time.Duration
	ratio     string // where it is not the peer's time divided by ours
	goal      string
	met       bool
	undecided bool // there is no peer here
}

// size is n, or a small part of it where only the harness is tried.
func (h *harness) size(n int) int { return max(n/h.shrink, 64) }

// comparison is a case with a peer.
type comparison struct {
	what string
	each int    // operations, or values, of a run; the figure is a run's divided by it
	unit string // of each
	ours func() (float64, error)
	// peer names the function of peers.py, and inputs are its arguments.
	peer   string
	label  string // the peer's name for readers
	inputs map[string]any
	// atLeast is the goal: how many times as long the peer takes.
	atLeast float64
	// atMost is the goal where it is a time for each.
	atMost time.Duration
	// agree is by how much the results may differ, as a proportion.
	agree float64
	// alone keeps ours to one processor.
	alone bool
}

// compare runs ours and the peer by turns, and takes the median of each. A result that is
// not the peer's is an error: speed is no use then.
func (h *harness) compare(c comparison) error {
	if c.alone {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	}
	var ours, theirs []time.Duration
	for range h.rounds {
		runtime.GC()
		begin := time.Now()
		got, err := c.ours()
		ours = append(ours, time.Since(begin))
		if err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
		if h.peers == nil {
			continue
		}
		answer, err := h.peers.ask(c.peer, c.inputs)
		if err != nil {
			return fmt.Errorf("%s: %w", c.what, err)
		}
		theirs = append(theirs, time.Duration(answer.Seconds*1e9))
		if math.Abs(got-answer.Value) > c.agree*math.Abs(answer.Value) {
			return fmt.Errorf("%s: we say %v and %s says %v", c.what, got, c.label, answer.Value)
		}
	}
	r := row{what: c.what, ours: median(ours), each: max(c.each, 1), unit: c.unit, peer: c.label, goal: "none", undecided: h.peers == nil}
	if c.atLeast > 0 {
		r.goal = fmt.Sprintf("%v times as fast", c.atLeast)
	}
	if c.atMost > 0 {
		r.goal = "at most " + show(c.atMost)
	}
	if len(theirs) > 0 {
		r.theirs = median(theirs)
		r.met = float64(r.theirs) >= c.atLeast*float64(r.ours) && (c.atMost == 0 || float64(r.ours) <= float64(c.atMost)*float64(r.each))
	}
	h.rows = append(h.rows, r)
	return nil
}

// alone measures a case without a peer, against a time for each.
func (h *harness) alone(what string, each int, unit string, goal time.Duration, run func() error) error {
	took, err := h.measure(run)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	h.rows = append(h.rows, row{what: what, ours: took, each: max(each, 1), unit: unit, goal: "at most " + show(goal), met: float64(took) <= float64(goal)*float64(max(each, 1))})
	return nil
}

// measure is the median time of a run.
func (h *harness) measure(run func() error) (time.Duration, error) {
	var took []time.Duration
	for range h.rounds {
		runtime.GC()
		begin := time.Now()
		if err := run(); err != nil {
			return 0, err
		}
		took = append(took, time.Since(begin))
	}
	return median(took), nil
}

func median(of []time.Duration) time.Duration {
	slices.Sort(of)
	return of[len(of)/2]
}

// peers is a Python that runs peers.py for as long as we do, so that no start is timed.
type peers struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	out      *bufio.Reader
	versions string
}

type answer struct {
	Seconds float64 `json:"seconds"`
	Value   float64 `json:"value"`
	Error   string  `json:"error"`
	Text    string  `json:"text"`
}

func startPeers(python, script string) (*peers, error) {
	p := &peers{cmd: exec.Command(python, script)}
	p.cmd.Stderr = os.Stderr
	var err error
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.out = bufio.NewReader(out)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	versions, err := p.ask("versions", nil)
	p.versions = versions.Text
	return p, err
}

func (p *peers) ask(function string, inputs map[string]any) (answer, error) {
	question, err := json.Marshal(map[string]any{"function": function, "inputs": inputs})
	if err != nil {
		return answer{}, err
	}
	if _, err := p.in.Write(append(question, '\n')); err != nil {
		return answer{}, fmt.Errorf("the peers ended: %w", err)
	}
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return answer{}, fmt.Errorf("the peers ended: %w", err)
	}
	var a answer
	if err := json.Unmarshal(line, &a); err != nil {
		return a, fmt.Errorf("the peers said %q: %w", line, err)
	}
	if a.Error != "" {
		return a, errors.New(a.Error)
	}
	return a, nil
}

func (p *peers) stop() {
	p.in.Close() //nolint:errcheck // it ends either way
	_ = p.cmd.Wait()
}

func main() {
	document := flag.String("document", filepath.Join("docs", "performance.md"), "the page whose sections are rewritten")
	data := flag.String("data", filepath.Join(".cache", "bench"), "where data files are kept")
	python := flag.String("python", "", "a Python with the peers; without it nothing is compared")
	pick := flag.String("part", ".", "regular expression of the parts to run")
	rounds := flag.Int("rounds", 5, "how often each case runs; the median counts")
	flag.Parse()
	if err := run(*document, *data, *python, *pick, *rounds, 1, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures the picked parts and puts them into the document.
func run(document, data, python, pick string, rounds, shrink int, progress io.Writer) error {
	picked, err := regexp.Compile(pick)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(data, 0o755); err != nil {
		return err
	}
	text, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	h := &harness{data: data, shrink: shrink, rounds: rounds}
	if python != "" {
		if h.peers, err = startPeers(python, filepath.Join(sourceFolder(), "peers.py")); err != nil {
			return err
		}
		defer h.peers.stop()
	}
	header := h.machine()
	ran := 0
	for _, p := range parts {
		if !picked.MatchString(p.name) {
			continue
		}
		ran++
		h.rows = nil
		if err := p.run(h); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		section := h.section(p, header)
		if _, err := io.WriteString(progress, section); err != nil {
			return err
		}
		if text, err = replaceSection(text, p.name, section); err != nil {
			return err
		}
		if err := os.WriteFile(document, text, 0o644); err != nil { //nolint:gosec // a page of the documentation
			return err
		}
	}
	if ran == 0 {
		return fmt.Errorf("no part matches %q", pick)
	}
	return nil
}

// sourceFolder is where this package lies.
func sourceFolder() string {
	if _, err := os.Stat("peers.py"); err == nil { // in its test
		return "."
	}
	return filepath.Join("internal", "bench")
}

// replaceSection puts text between the markers of a part, at the end where there are none.
func replaceSection(document []byte, name, text string) ([]byte, error) {
	begin, end := fmt.Sprintf("<!-- bench: %s -->\n", name), fmt.Sprintf("<!-- end: %s -->\n", name)
	i, j := bytes.Index(document, []byte(begin)), bytes.Index(document, []byte(end))
	switch {
	case i < 0 && j < 0:
		return append(document, "\n"+begin+text+end...), nil
	case i < 0 || j < i:
		return nil, fmt.Errorf("the document has one marker of %s without the other", name)
	}
	return slices.Concat(document[:i], []byte(begin), []byte(text), document[j:]), nil
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
		case r.theirs > 0:
			peer = fmt.Sprintf("%s: %s", r.peer, r.figure(r.theirs))
			ratio = fmt.Sprintf("%.2g", float64(r.theirs)/float64(r.ours))
		}
		ratio = cmp.Or(r.ratio, ratio)
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s | %s |\n", r.what, r.figure(r.ours), peer, ratio, r.goal, met)
	}
	out.WriteString("\n")
	return out.String()
}

// figure is a time, divided by what a run has of the unit.
func (r row) figure(took time.Duration) string {
	if r.unit == "" {
		return show(took)
	}
	return showNanoseconds(float64(took)/float64(r.each)) + " a " + r.unit
}

func show(d time.Duration) string { return showNanoseconds(float64(d)) }

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

// machine says on what a section was measured; no path and no name of a host.
func (h *harness) machine() string {
	processor := "processor unknown"
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		if m := regexp.MustCompile(`(?m)^model name\s*: *(.*)$`).FindSubmatch(info); m != nil {
			processor = string(m[1])
		}
	}
	load := ""
	if info, err := os.ReadFile("/proc/loadavg"); err == nil {
		load = ", load " + cmp.Or(strings.Fields(string(info))[0], "?") + " when it began"
	}
	peers := "no peers"
	if h.peers != nil {
		peers = h.peers.versions
	}
	revision := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = " at " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return fmt.Sprintf("%s, %d processors, %s/%s%s; %s%s; %s.", processor, runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, load, runtime.Version(), revision, peers)
}
