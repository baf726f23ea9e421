package stats

import (
	"cmp"
	"math"
	"slices"
	"sync"
)

// countLaw is the joint law of a window's bin counts over redrawn baselines, with
// the divergence they give. Given a baseline of A samples in bins that hold alpha_b
// of them, the true bin probabilities are Dirichlet(alpha) and the window's m counts
// Dirichlet-multinomial: independent negative binomials of shapes alpha_b and one
// common odds, conditioned on their sum being m. The divergence is a sum over bins of
// a non-negative function of the count. Every figure here is a coefficient of a
// product of one-bin transforms: the sum is fixed by a discrete Fourier transform in
// the count, the value by a second one in the divergence (valuetable.go).
//
// Where all counts are large the counts are sampled at every stride-th integer: the
// trapezoid rule, which for such smooth terms is exact to rounding at a hundred
// points a standard deviation.
type countLaw struct {
	classes []binClass // bins that are alike, together
	bins    int
	m       int64   // window samples
	total   float64 // sum of alpha
	target  int     // sum of node indexes at which the counts sum to m
	period  int     // odd number of frequencies that fixes the sum

	summing                 sync.Once
	fullMoments, allMoments momentSums
}

// binClass is a set of bins with equal baseline share: the counts they may take,
// with weight (relative) and part of the divergence.
type binClass struct {
	alpha    float64
	many     int
	first    int64 // count of node 0
	stride   int64
	weight   []float64 // of a count, summing to 1
	value    []float64 // not negative; +Inf where the divergence is infinite
	expected float64   // mean count
}

// lawInput is what a law is made of. Alpha may differ from samples*reference: that is
// a window that has drifted.
type lawInput struct {
	divergence Divergence
	reference  []float64 // the baseline's shares
	alpha      []float64
	baseline   float64 // baseline samples
	window     int64
	smoothing  Smoothing
}

// mostClasses is how many bins with different shares a law is made of.
const mostClasses = 40

// grouped takes bins of almost equal shares for alike, at the mean of their shares, where
// more differ than a law is made of: the same ratio apart at most, as small as will do. The
// divergence hardly depends on the shares themselves; where it does, through bins that
// are nearly empty, by the square of the ratio.
func (in lawInput) grouped() lawInput {
	distinct := slices.Clone(in.reference)
	slices.Sort(distinct)
	distinct = slices.Compact(distinct)
	for b, r := range in.reference {
		if in.alpha[b] != r*in.baseline { // of a window that has drifted: moments only
			return in
		}
	}
	if len(distinct) > 0 && distinct[0] == 0 {
		distinct = distinct[1:]
	}
	if len(distinct) <= mostClasses {
		return in
	}
	groups := func(ratio float64) (first []int) { // places in distinct
		for i, r := range distinct {
			if len(first) == 0 || r > ratio*distinct[first[len(first)-1]] {
				first = append(first, i)
			}
		}
		return first
	}
	low, high := 0.0, math.Log(distinct[len(distinct)-1]/distinct[0])*(1+1e-9)
	for range 60 {
		if middle := (low + high) / 2; len(groups(math.Exp(middle))) > mostClasses {
			low = middle
		} else {
			high = middle
		}
	}
	first := groups(math.Exp(high))
	sum, many := make([]float64, len(first)), make([]float64, len(first))
	group := make([]int, len(in.reference))
	for b, r := range in.reference {
		if r == 0 {
			continue
		}
		place, _ := slices.BinarySearch(distinct, r)
		i, found := slices.BinarySearch(first, place)
		if !found {
			i--
		}
		group[b] = i
		sum[i] += r
		many[i]++
	}
	out := in
	out.reference, out.alpha = slices.Clone(in.reference), slices.Clone(in.alpha)
	for b, r := range in.reference {
		if r > 0 {
			out.reference[b] = sum[group[b]] / many[group[b]]
			out.alpha[b] = out.reference[b] * in.baseline
		}
	}
	return out
}

const (
	coarseProbability = 1e-7  // of a count near 0 that stands for others
	negligibleWeight  = 1e-22 // of a node, relative to the weightiest
	aliasLogRatio     = 36.0  // -log of what may wrap around the sum's period
	nodesPerDeviation = 100
)

func newCountLaw(in lawInput) *countLaw {
	law := &countLaw{bins: len(in.reference), m: in.window}
	type key struct{ reference, alpha float64 }
	many := map[key]int{}
	for b, r := range in.reference {
		many[key{r, in.alpha[b]}]++
		law.total += in.alpha[b]
	}
	keys := make([]key, 0, len(many))
	for k := range many {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int { // the last holds the most
		return cmp.Or(cmp.Compare(a.alpha, b.alpha), cmp.Compare(a.reference, b.reference))
	})
	odds := float64(in.window) / law.total
	smallest := math.Inf(1)
	for _, k := range keys {
		if mean := k.alpha * odds; mean > 0 {
			smallest = min(smallest, math.Sqrt(mean*(1+odds)))
		}
	}
	stride := max(int64(smallest/nodesPerDeviation), 1)
	// The rest of m by the stride goes to one bin of the largest class.
	rest := in.window % stride
	for i, k := range keys {
		count := many[k]
		if i == len(keys)-1 && rest > 0 {
			law.classes = append(law.classes, newBinClass(in, k.reference, k.alpha, odds, stride, rest, 1))
			count--
		}
		if count > 0 {
			law.classes = append(law.classes, newBinClass(in, k.reference, k.alpha, odds, stride, 0, count))
		}
	}
	sum := in.window
	for _, c := range law.classes {
		sum -= int64(c.many) * c.first
	}
	law.target = int(sum / stride)
	law.period = law.sumPeriod(stride)
	return law
}

func newBinClass(in lawInput, reference, alpha, odds float64, stride, offset int64, many int) binClass {
	c := binClass{alpha: alpha, many: many, stride: stride, expected: alpha * odds}
	if alpha == 0 {
		c.weight = []float64{1}
	} else {
		logRho := math.Log(odds) - math.Log1p(odds)
		mode := min(max(int64(c.expected-odds), 0), in.window)
		mode -= (mode - offset) % stride
		for mode < offset {
			mode += stride
		}
		up := negativeBinomialRun(alpha, logRho, mode, stride, in.window, true)
		down := negativeBinomialRun(alpha, logRho, mode, stride, in.window, false)
		slices.Reverse(down)
		c.first = mode - int64(len(down))*stride
		c.weight = append(append(down, 1), up...)
		// They sum to 1, or over many bins the product of the sums would overflow. A common
		// factor is in no ratio.
		sum := 0.0
		for _, w := range c.weight {
			sum += w
		}
		for i := range c.weight {
			c.weight[i] /= sum
		}
	}
	add, epsilon := in.smoothing.pseudoCount(), in.smoothing.epsilon()
	bins := float64(len(in.reference))
	e := (in.baseline*reference+add)/(in.baseline+add*bins) + epsilon
	denominator := float64(in.window) + add*bins
	c.value = make([]float64, len(c.weight))
	for i := range c.value {
		count := float64(c.first + int64(i)*stride)
		c.value[i] = in.term(e, (count+add)/denominator+epsilon)
	}
	return c
}

// negativeBinomialRun gives the weights relative to that of the mode, stride by
// stride in one direction, until negligible.
func negativeBinomialRun(alpha, logRho float64, mode, stride, most int64, up bool) []float64 {
	var out []float64
	w, rho := 1.0, math.Exp(logRho)
	base := 0.0
	if stride > 1 {
		base = negativeBinomialLog(alpha, logRho, mode)
	}
	for a := mode; ; {
		next := a - stride
		if up {
			next = a + stride
		}
		if next < 0 || next > most {
			return out
		}
		switch {
		case stride > 1:
			w = math.Exp(negativeBinomialLog(alpha, logRho, next) - base)
		case up:
			w *= (float64(a) + alpha) / (float64(a) + 1) * rho
		default:
			w *= float64(a) / ((float64(next) + alpha) * rho)
		}
		if w < negligibleWeight {
			return out
		}
		out = append(out, w)
		a = next
	}
}

func negativeBinomialLog(alpha, logRho float64, a int64) float64 {
	x := float64(a)
	return logGamma(x+alpha) - logGamma(x+1) + x*logRho
}

// term is [lawTerm], and for the two-sample chi-squared statistic what it needs of the
// numbers of samples.
func (in lawInput) term(e, a float64) float64 {
	if in.divergence != DivergenceChiSquared {
		return lawTerm(in.divergence, e, a)
	}
	n, m := in.baseline, float64(in.window)
	if a == e {
		return 0
	}
	return (a - e) * (a - e) / (a/n + e/m)
}

// emptyBinApart says whether an empty bin of the window is so far from all other counts
// that the moments are better taken without.
func (in lawInput) emptyBinApart() bool {
	return (in.divergence == DivergencePSI || in.divergence == DivergenceKLReverse) && in.smoothing.pseudoCount() == 0
}

// lawTerm is one bin's part of the divergence, in a form that is never negative: for
// KL with a - e added (for its reverse e - a), which sums to 0 over the bins.
func lawTerm(d Divergence, e, a float64) float64 {
	r := (a - e) / e
	switch {
	case a == e:
		return 0
	case d == DivergenceKL:
		if a == 0 {
			return e
		}
		if e == 0 {
			return math.Inf(1)
		}
		return max(e*((1+r)*math.Log1p(r)-r), 0)
	case d == DivergenceKLReverse:
		if a == 0 && e > 0 {
			return math.Inf(1)
		}
		return lawTerm(DivergenceKL, a, e)
	case d == DivergenceJS:
		return max(divergenceTerm(DivergenceJS, e, a), 0)
	case d == DivergenceHellinger2 || d == DivergencePearson || d == DivergenceTV:
		return divergenceTerm(d, e, a)
	case a == 0 || e == 0:
		return math.Inf(1)
	case math.Abs(r) < 0.5:
		return (a - e) * math.Log1p(r)
	}
	return (a - e) * math.Log(a/e)
}

// sumPeriod is the number of frequencies that fixes the sum: sums that differ from m
// by a multiple of the period are negligibly likely, or impossible.
func (law *countLaw) sumPeriod(stride int64) int {
	m := float64(law.m)
	logRho := math.Log(m) - math.Log(m+law.total)
	logPMF := func(x float64) float64 { return logGamma(x+law.total) - logGamma(x+1) + x*logRho }
	at := logPMF(m)
	far := func(distance float64) bool {
		if logPMF(m+distance) > at-aliasLogRatio {
			return false
		}
		return distance > m || logPMF(m-distance) <= at-aliasLogRatio
	}
	high := math.Sqrt(m*(1+m/law.total)) + 1
	for !far(high) {
		high *= 2
	}
	low := high / 2
	for high-low > max(0.01*high, 1) {
		if middle := (low + high) / 2; far(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	// Truncated nodes bound the sum as well.
	var reach int64
	for _, c := range law.classes {
		reach += int64(c.many) * int64(len(c.weight)-1)
	}
	return int(min(int64(high/float64(stride))+1, reach+1)) | 1
}

// phases gives the transforms' common factor at frequency k: exp(-2 pi i k target/period),
// doubled for k > 0, which stands for -k too.
func (law *countLaw) phase(k int) complex128 {
	turn := float64(int64(k)*int64(law.target)%int64(law.period)) / float64(law.period)
	sin, cos := math.Sincos(-2 * math.Pi * turn)
	if k > 0 {
		sin, cos = 2*sin, 2*cos
	}
	return complex(cos, sin)
}

// coarse says whether counts are skipped where it matters: near 0, where a bin's part of
// the divergence is not smooth, and which a bin of few baseline samples comes near however
// large the window.
func (law *countLaw) coarse() bool {
	near := 0.0
	for _, c := range law.classes {
		if c.stride > 1 && c.alpha > 0 && c.first < c.stride {
			near += float64(c.many) * c.weight[0]
		}
	}
	return near > coarseProbability
}

// smallestExpected is the smallest expected count of a bin that can have any.
func (law *countLaw) smallestExpected() float64 {
	out := math.Inf(1)
	for _, c := range law.classes {
		if c.alpha > 0 {
			out = min(out, c.expected)
		}
	}
	return out
}

// enumerationLimit bounds the windows that are listed one by one.
const enumerationLimit = 100_000

// atom is a value of the divergence and the probability of exceeding it.
type atom struct{ value, above float64 }

// enumerate lists every window (bins that are alike in decreasing order) where there
// are few enough, and gives the law's atoms in increasing order of value; ok is false
// where there are too many.
func (law *countLaw) enumerate() (atoms []atom, ok bool) {
	if !law.fewWindows() {
		return nil, false
	}
	type point struct{ value, weight float64 }
	var points []point
	var visit func(class, placed, run int, most, left int64, value, weight float64)
	visit = func(class, placed, run int, most, left int64, value, weight float64) {
		if class == len(law.classes) {
			if left == 0 {
				points = append(points, point{value, weight})
			}
			return
		}
		c := law.classes[class]
		if placed == c.many {
			visit(class+1, 0, 0, math.MaxInt64, left, value, weight)
			return
		}
		last := c.first + int64(len(c.weight)-1)
		low := c.first
		if placed == c.many-1 && class == len(law.classes)-1 {
			low = max(low, left)
		}
		for a := low; a <= min(last, most, left); a++ {
			// n!/(runs!) orderings, one factor a bin: (placed+1)/(length of the run).
			length := 1
			if a == most && placed > 0 {
				length = run + 1
			}
			i := a - c.first
			visit(class, placed+1, length, a, left-a, value+c.value[i],
				weight*c.weight[i]*float64(placed+1)/float64(length))
		}
	}
	visit(0, 0, 0, math.MaxInt64, law.m, 0, 1)
	slices.SortFunc(points, func(a, b point) int { return cmp.Compare(b.value, a.value) })
	total := 0.0
	for _, p := range points {
		total += p.weight
	}
	above := 0.0
	for i := 0; i < len(points); {
		// Orderings of one window differ in the last bits: one atom.
		top, weight := points[i].value, 0.0
		for ; i < len(points) && (points[i].value == top || points[i].value >= top*(1-1e-12)); i++ {
			weight += points[i].weight
		}
		atoms = append(atoms, atom{value: top, above: min(above/total, 1)})
		above += weight
	}
	slices.Reverse(atoms)
	return atoms, true
}

// fewWindows counts the windows class by class, and stops when there are too many.
func (law *countLaw) fewWindows() bool {
	bins := 0
	for _, c := range law.classes {
		if c.stride > 1 {
			return false
		}
		if c.alpha > 0 {
			bins += c.many
		}
	}
	if bins <= 2 {
		return law.m < enumerationLimit
	}
	if law.m > 2000 {
		return false
	}
	n := int(law.m)
	ways := make([]float64, n+1)
	ways[0] = 1
	for _, c := range law.classes {
		if c.alpha == 0 {
			continue
		}
		// Partitions into at most c.many parts: into parts of size at most c.many.
		parts := make([]float64, n+1)
		parts[0] = 1
		for size := 1; size <= min(c.many, n); size++ {
			for i := size; i <= n; i++ {
				parts[i] += parts[i-size]
			}
			if parts[n] > 100*enumerationLimit {
				return false
			}
		}
		next := make([]float64, n+1)
		for i, w := range ways {
			if w == 0 {
				continue
			}
			for j := 0; i+j <= n; j++ {
				next[i+j] += w * parts[j]
			}
		}
		ways = next
		if ways[n] > enumerationLimit {
			return false
		}
	}
	return true
}
