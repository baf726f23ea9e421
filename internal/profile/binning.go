package profile

import (
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
)

// The methods of [Binning].
const (
	MethodQuantile    = "quantile"
	MethodEqualWidth  = "equal_width"
	MethodExplicit    = "explicit"
	MethodCategorical = "categorical"
)

// Binning says how values become bins.
//
//   - "quantile": Bins bins of equal counts, between numpy's linearly interpolated
//     percentiles; ties make edges coincide, which gives fewer bins.
//   - "equal_width": Bins bins of equal width between the smallest and the largest value.
//   - "explicit": between the inner Edges, finite and ascending.
//   - "categorical": a bin for each distinct text, in alphabetical order; more than
//     Bins are an error.
//
// The outer bins are open. A value on an edge belongs to the bin above it.
type Binning struct {
	Method string
	Bins   int
	Edges  []float64
}

// Result is a binned column.
type Result struct {
	Method string
	// Requested is the number of bins that were asked for; 0 where the data
	// themselves say (categorical).
	Requested int
	// Counts has the number of values in each bin.
	Counts []int64
	// Edges are the inner edges, one fewer than bins; nil for categories.
	Edges []float64
	// Categories name the bins of a categorical column; nil otherwise.
	Categories []string
	// Samples is the number of values that are not missing.
	Samples int64
	// Missing is the number of values that are.
	Missing int64
	// EmptyBins is the number of bins without a value.
	EmptyBins int
	// Numbers describes the values; nil for categories.
	Numbers *Numbers
	// Digest is the file's.
	Digest string
}

// Numbers describes the values of a numeric column.
type Numbers struct {
	Minimum, Maximum, Mean float64
	// StdDev is the standard deviation with n - 1; 0 for a single value.
	StdDev float64
}

// Bins is the number of bins.
func (r *Result) Bins() int { return len(r.Counts) }

// Shares are the proportions of the values in each bin.
func (r *Result) Shares() []float64 {
	out := make([]float64, len(r.Counts))
	for i, count := range r.Counts {
		out[i] = float64(count) / float64(r.Samples)
	}
	return out
}

// Profile bins one column. Errors are of type *[Error].
func (t *Table) Profile(name string, b Binning) (*Result, error) {
	r, err := t.bin(name, b)
	if err != nil {
		return nil, err
	}
	if r.Digest, err = t.Digest(); err != nil {
		return nil, err
	}
	return r, nil
}

// bin is Profile without the digest, which may take longer.
func (t *Table) bin(name string, b Binning) (*Result, error) {
	at, err := t.column(name)
	if err != nil {
		return nil, err
	}
	c, err := t.loaded(at, name, needOf(b.Method))
	if err != nil {
		return nil, err
	}
	if c.refused != nil {
		return nil, c.refused
	}
	r := &Result{Method: b.Method, Samples: c.present, Missing: c.missing}
	if c.present == 0 {
		return nil, &Error{
			Part: PartColumn, Why: fmt.Sprintf("the column %q of %s has no values: all %d are missing", name, t.path, c.missing),
			Fix: `Choose another column; "", NA, N/A, <NA>, NaN and null count as missing.`,
		}
	}
	if b.Method == MethodCategorical {
		return r, t.categories(r, c, name, b)
	}
	if err := t.needNumbers(c, name); err != nil {
		return nil, err
	}
	low, high := extremes(c.numbers)
	var describing sync.WaitGroup
	describing.Go(func() { r.Numbers = describe(c.numbers, low, high) })
	defer describing.Wait()
	edges, err := t.edges(c, low, high, name, b)
	if err != nil {
		return nil, err
	}
	r.Edges, r.Requested = edges, b.Bins
	if b.Method == MethodExplicit {
		r.Requested = len(edges) + 1
	}
	outer := append(append([]float64{math.Inf(-1)}, edges...), math.Inf(1))
	if r.Counts, _, err = stats.Histogram(c.numbers, outer); err != nil {
		return nil, &Error{Part: PartBinning, Err: err, Why: err.Error(), Fix: "Put the edges in ascending order."}
	}
	for _, count := range r.Counts {
		if count == 0 {
			r.EmptyBins++
		}
	}
	return r, nil
}

func (t *Table) column(name string) (int, error) {
	names := t.first.names
	at := slices.Index(names, name)
	if at < 0 {
		shown := names
		more := ""
		if len(shown) > 20 {
			shown, more = shown[:20], fmt.Sprintf(" and %d more", len(names)-20)
		}
		e := &Error{
			Part: PartColumn, Why: fmt.Sprintf("%s has no column %q; it has %s%s", t.path, name, quoted(shown), more),
			Fix: "Name one of the columns.",
		}
		switch best := nearest(name, names); {
		case best != "":
			e.Fix = fmt.Sprintf("Use %q.", best)
		case t.format != FormatCSV:
		case len(names) == 1 && strings.ContainsAny(names[0], ";\t|"):
			e.Fix = "The header is one field: the columns must be separated by commas."
		case slices.ContainsFunc(names, isNumber):
			e.Fix = "The first row must name the columns; here it looks like data."
		}
		return 0, e
	}
	if slices.Contains(names[at+1:], name) {
		return 0, &Error{Part: PartColumn, Why: fmt.Sprintf("%s has two columns %q", t.path, name), Fix: "Rename one of them."}
	}
	return at, nil
}

func isNumber(text string) bool { _, ok := parseNumber(text); return ok }

func (t *Table) needNumbers(c *column, name string) error {
	switch {
	case c.notNum.line > 0:
		return &Error{
			Part: PartColumn, Why: fmt.Sprintf("the column %q of %s is not numeric: %s %d has %s", name, t.path, t.first.unit, c.notNum.line, strconv.Quote(shorten(c.notNum.value))),
			Fix: `Use method = "categorical" for categories, or remove the text from the column.`,
		}
	case c.infinite.line > 0:
		return &Error{
			Part: PartColumn, Why: fmt.Sprintf("the column %q of %s has an infinite value: %s %d has %s", name, t.path, t.first.unit, c.infinite.line, strconv.Quote(shorten(c.infinite.value))),
			Fix: "Replace it by a finite number, or leave the field empty so that it counts as missing.",
		}
	}
	return nil
}

// edges are the inner edges.
func (t *Table) edges(c *column, low, high float64, name string, b Binning) ([]float64, error) {
	if b.Method == MethodExplicit {
		if len(b.Edges) == 0 {
			return nil, &Error{Part: PartBinning, Why: `the method "explicit" needs the edges`, Fix: "Set the inner edges, ascending."}
		}
		for i, edge := range b.Edges {
			if math.IsNaN(edge) || math.IsInf(edge, 0) || i > 0 && edge <= b.Edges[i-1] {
				return nil, &Error{Part: PartBinning, Why: fmt.Sprintf("the edge number %d is not a finite number above the one before it", i+1), Fix: "Put the edges in ascending order, each once."}
			}
		}
		return slices.Clone(b.Edges), nil
	}
	if low == high {
		return nil, &Error{
			Part: PartColumn, Why: fmt.Sprintf("the column %q of %s is constant: all %d values are %s, which makes 1 bin, and no data drift would ever be seen in it", name, t.path, c.present, stats.FormatFloat(low)),
			Fix: "Choose another column, or set method = \"explicit\" with edges around that value.",
		}
	}
	var all []float64
	switch b.Method {
	case MethodQuantile:
		var err error
		if all, _, err = stats.QuantileEdges(c.numbers, b.Bins); err != nil {
			return nil, &Error{Part: PartBinning, Err: err, Why: err.Error(), Fix: "Choose another number of bins."}
		}
	case MethodEqualWidth:
		if b.Bins < 1 || b.Bins > MaximumCategories {
			return nil, &Error{Part: PartBinning, Why: fmt.Sprintf("%d bins cannot be made", b.Bins), Fix: fmt.Sprintf("Use 2 to %d.", MaximumCategories)}
		}
		all = equalWidth(low, high, b.Bins)
	default:
		return nil, &Error{Part: PartBinning, Why: fmt.Sprintf("there is no method %q", b.Method), Fix: `Use "quantile", "equal_width", "explicit" or "categorical".`}
	}
	if len(all) < 3 {
		return nil, &Error{
			Part: PartBinning, Why: fmt.Sprintf("the values of column %q of %s tie so much that %d %s bins collapse to 1", name, t.path, b.Bins, b.Method),
			Fix: `Use method = "categorical" for few distinct values, or "explicit" with edges between them.`,
		}
	}
	return all[1 : len(all)-1], nil
}

// equalWidth gives the outer edges too. The conversions keep compilers from
// fusing multiply and add, so that every platform makes the same edges.
func equalWidth(low, high float64, bins int) []float64 {
	out := []float64{low}
	for i := 1; i < bins; i++ {
		t := float64(i) / float64(bins)
		edge := float64(low*(1-t)) + float64(high*t) // no overflow, unlike low + t*(high-low)
		if edge > out[len(out)-1] && edge < high {
			out = append(out, edge)
		}
	}
	return append(out, high)
}

func (t *Table) categories(r *Result, c *column, name string, b Binning) error {
	limit := b.Bins
	if limit < 1 || limit > MaximumCategories {
		limit = MaximumCategories
	}
	if c.counts == nil || len(c.counts) > limit {
		found := fmt.Sprintf("more than %d", MaximumCategories)
		if c.counts != nil {
			found = strconv.Itoa(len(c.counts))
		}
		fix := fmt.Sprintf("Group the rare ones, or raise binning.bins (to %d at most).", MaximumCategories)
		if c.notNum.line == 0 {
			fix = `The values are numbers: use method = "quantile".`
		}
		return &Error{
			Part: PartBinning, Why: fmt.Sprintf("the column %q of %s has %s distinct values, and %d are accepted as categories", name, t.path, found, limit),
			Fix: fix,
		}
	}
	if len(c.counts) == 1 {
		return &Error{
			Part: PartColumn, Why: fmt.Sprintf("the column %q of %s is constant: all %d values are %q, which makes 1 bin, and no data drift would ever be seen in it", name, t.path, c.present, slices.Collect(maps.Keys(c.counts))[0]),
			Fix: "Choose another column.",
		}
	}
	r.Categories = slices.Sorted(maps.Keys(c.counts))
	for _, category := range r.Categories {
		r.Counts = append(r.Counts, c.counts[category])
	}
	return nil
}

// extremes are the smallest and the largest value; of two zeros, the negative one is
// smaller. Many values are shared between processors.
func extremes(values []float64) (low, high float64) {
	parts := max(min(len(values)>>16, runtime.GOMAXPROCS(0)), 1)
	lows, highs := make([]float64, parts), make([]float64, parts)
	var waiting sync.WaitGroup
	for i := range parts {
		part := values[i*len(values)/parts : (i+1)*len(values)/parts]
		waiting.Go(func() { lows[i], highs[i] = extremesOf(part) })
	}
	waiting.Wait()
	return slices.Min(lows), slices.Max(highs)
}

func extremesOf(values []float64) (low, high float64) {
	low, high = values[0], values[0]
	for _, v := range values {
		if v < low {
			low = v
		}
		if v > high {
			high = v
		}
	}
	if low == 0 || high == 0 {
		for _, v := range values {
			low, high = min(low, v), max(high, v)
		}
	}
	return low, high
}

// describe sums in the order of the file, values scaled so that no sum overflows.
func describe(values []float64, low, high float64) *Numbers {
	n := &Numbers{Minimum: low, Maximum: high}
	largest := max(math.Abs(low), math.Abs(high))
	if largest == 0 {
		return n
	}
	_, exponent := math.Frexp(largest)
	// A product with a power of two is what Ldexp gives; where that power is no normal
	// number, two products are.
	first, second := math.Ldexp(1, -exponent), 1.0
	if exponent < -1000 {
		first, second = 0x1p1000, math.Ldexp(1, -exponent-1000)
	}
	sum := 0.0
	for _, v := range values {
		sum += float64(v * first * second)
	}
	mean := sum / float64(len(values))
	squares := 0.0
	for _, v := range values {
		d := float64(v*first*second) - mean
		squares += float64(d * d)
	}
	n.Mean = math.Ldexp(mean, exponent)
	if len(values) > 1 {
		deviation := math.Sqrt(squares / float64(len(values)-1))
		n.StdDev = math.Ldexp(deviation, exponent)
		if math.IsInf(n.StdDev, 0) {
			n.StdDev = math.MaxFloat64
		}
	}
	return n
}

func quoted(names []string) string {
	out := make([]string, len(names))
	for i, name := range names {
		out[i] = strconv.Quote(name)
	}
	return strings.Join(out, ", ")
}

func shorten(text string) string {
	if runes := []rune(text); len(runes) > 40 {
		return string(runes[:40]) + "..."
	}
	return text
}
