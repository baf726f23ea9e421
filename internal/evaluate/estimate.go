package evaluate

import (
	"math"
	"slices"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// estimate is a metric that has a true value, of which a window measures an estimate:
// what the law of that estimate depends on, and the time it takes.
type estimate struct {
	metric       string
	baseline     float64 // the true value while all is well
	window       float64 // declared samples of a window
	effective    int64   // M
	designEffect float64
	// spanSeconds is how long the window's samples are collected: its duration, less
	// the last part, whose labels are not there yet.
	spanSeconds  float64
	delaySeconds float64
	everySeconds float64

	share     float64 // of the rows that count: positives, or rows predicted positive
	method    string  // of an AUC's standard error
	kurtosis  float64 // of errors
	stdDev    float64 // of one observation
	quantile  float64 // of a latency
	latencies latencyLaw
}

// estimateLaw is the law of what windows measure.
type estimateLaw struct {
	// above and below are the chances of a value beyond a limit, or on it as well.
	above, below func(limit float64, included bool) float64
	// low and high enclose what windows measure.
	low, high float64
	method    string
}

// worse is the chance that a window measures worse than a limit.
func (e estimate) worse(law estimateLaw, limit float64, included bool) float64 {
	if spec.LowerIsWorse(e.metric) {
		return law.below(limit, included)
	}
	return law.above(limit, included)
}

// worsened is a value that is worse than another one by so much.
func (e estimate) worsened(value, change float64) float64 {
	if spec.LowerIsWorse(e.metric) {
		change = -change
	}
	return stats.RoundSignificant(value+change, 12)
}

// room is by how much the metric can worsen.
func (e estimate) room() float64 {
	switch highest, bounded := spec.Highest(e.metric); {
	case spec.LowerIsWorse(e.metric):
		return e.baseline
	case bounded:
		return highest - e.baseline
	}
	return e.baseline * 1e6
}

// measures reports whether a window of so many effective samples measures the metric at all.
func (e estimate) measures(effective int64) bool {
	if effective < 1 || !(e.spanSeconds > 0) {
		return false
	}
	n := float64(effective)
	switch e.metric {
	case "auc":
		return n*e.share >= 1 && n*(1-e.share) >= 1
	case "precision", "recall":
		return n*e.share >= 1
	case "latency":
		return len(e.latencies.logs) > 1 // one point says nothing of the spread
	}
	return true
}

// at is the law of what windows of so many effective samples, which need the metric's
// smallest number, measure where the true value is the given one.
func (e estimate) at(effective int64, value float64) (estimateLaw, error) {
	if highest, bounded := spec.Highest(e.metric); bounded {
		value = min(max(value, smallestAnyValue), highest-smallestAnyValue)
	}
	value = max(value, math.SmallestNonzeroFloat32)
	n := float64(effective)
	switch e.metric {
	case "auc":
		positives := n * e.share
		shape, err := stats.NewAUCLaw(e.method, value)
		if err != nil {
			return estimateLaw{}, err
		}
		se, skewness, err := shape.Moments(positives, n-positives)
		if err != nil {
			return estimateLaw{}, err
		}
		// How many positives a window has is chance as well.
		l := stats.SkewedLaw{Mean: value, StdDev: se * math.Sqrt(1+(1-e.share)/positives), Skewness: skewness}
		return skewed(l, func(x float64) float64 { return x }, stats.MethodGamma), nil
	case "accuracy", "error_rate":
		return proportion(stats.Subset{Rows: effective, Share: 1, Rate: value})
	case "recall", "precision":
		return proportion(stats.Subset{Rows: effective, Share: e.share, Rate: value})
	case "rmse":
		// The mean squared error, over the true one, has the mean 1.
		sd := math.Sqrt((e.kurtosis - 1) / n)
		l := stats.SkewedLaw{Mean: 1, StdDev: sd, Skewness: 2 * sd}
		law := skewed(l, func(x float64) float64 { return x / value * math.Abs(x/value) }, stats.MethodGamma)
		law.low, law.high = 0, value*math.Sqrt(law.high)
		return law, nil
	case "mae":
		// Errors that grow keep their shape.
		variation := e.stdDev / e.baseline / math.Sqrt(n)
		l := stats.SkewedLaw{Mean: value, StdDev: value * variation, Skewness: 2 * variation}
		return skewed(l, func(x float64) float64 { return x }, stats.MethodGamma), nil
	case "resource":
		l := stats.SkewedLaw{Mean: value, StdDev: e.stdDev / math.Sqrt(n)}
		return skewed(l, func(x float64) float64 { return x }, stats.MethodAsymptotic), nil
	case "throughput":
		return throughput(n*value/e.baseline, n/e.baseline), nil
	}
	return e.latency(effective, value), nil
}

// skewed is a law of three moments, of a transformed metric. Both ends are where the
// tails have long no probability.
func skewed(l stats.SkewedLaw, transform func(float64) float64, method stats.Method) estimateLaw {
	reach := l.StdDev * (40 + 100*math.Abs(l.Skewness))
	return estimateLaw{
		above: func(limit float64, _ bool) float64 { return l.Above(transform(limit)) },
		below: func(limit float64, _ bool) float64 { return l.Below(transform(limit)) },
		low:   max(l.Mean-reach, 0), high: l.Mean + reach, method: string(method),
	}
}

// proportion is the law of a share of rows.
func proportion(s stats.Subset) (estimateLaw, error) {
	if err := s.Validate(); err != nil {
		return estimateLaw{}, err
	}
	method := string(stats.MethodExact)
	if _, exact := s.Above(s.Rate, false); !exact {
		method = string(stats.MethodAsymptotic)
	}
	return estimateLaw{
		above: func(limit float64, included bool) float64 { p, _ := s.Above(limit, included); return p },
		below: func(limit float64, included bool) float64 { p, _ := s.Below(limit, included); return p },
		low:   0, high: 1, method: method,
	}, nil
}

// throughput is the law of a rate whose count is Poisson: mean is the expected count,
// and scale the count at a rate of 1.
func throughput(mean, scale float64) estimateLaw {
	return estimateLaw{
		above: func(limit float64, included bool) float64 {
			if included {
				return stats.PoissonAbove(ceil(limit*scale)-1, mean)
			}
			return stats.PoissonAbove(floor(limit*scale), mean)
		},
		below: func(limit float64, included bool) float64 {
			if included {
				return stats.PoissonBelow(floor(limit*scale)+1, mean)
			}
			return stats.PoissonBelow(ceil(limit*scale), mean)
		},
		low: 0, high: (mean + 40*math.Sqrt(mean) + 100) / scale, method: string(stats.MethodExact),
	}
}

// latency is the law of a sample quantile: of the sorted latencies, the one of rank
// ceil(n q). It exceeds a limit where more than n - rank of them do.
func (e estimate) latency(effective int64, value float64) estimateLaw {
	rank := int64(ceil(float64(effective) * e.quantile))
	scale := e.baseline / value // latencies that grow keep their shape
	above := func(limit float64, _ bool) float64 {
		p, err := stats.BinomialUpperTail(effective-rank, effective, e.latencies.above(limit*scale))
		if err != nil {
			return 1
		}
		return p
	}
	below := func(limit float64, _ bool) float64 {
		p, err := stats.BinomialUpperTail(rank-1, effective, e.latencies.below(limit*scale))
		if err != nil {
			return 1
		}
		return p
	}
	return estimateLaw{above: above, below: below, low: 0, high: e.latencies.highest() / scale, method: e.latencies.method}
}

// latencyLaw is how latencies are spread: between points that are known, and beyond
// them, the normal quantile of the share below is linear in the latency's logarithm, so
// that two points, or a point and a slope, are a log-normal law.
type latencyLaw struct {
	logs   []float64 // logarithms of latencies, ascending
	z      []float64 // normal quantiles of the shares below them, ascending
	method string
}

// methodInterpolated is that of a law that is read between a profile's edges.
const methodInterpolated = "interpolated"

// lognormal is the law with one known quantile.
func lognormal(value, quantile, logStdDev float64) latencyLaw {
	z := normalQuantile(quantile)
	return latencyLaw{
		logs: []float64{math.Log(value), math.Log(value) + logStdDev}, z: []float64{z, z + 1},
		method: string(stats.MethodExact),
	}
}

// profiled is the law of a profile that also has the known quantile.
func profiled(edges, shares []float64, value, quantile float64) latencyLaw {
	type point struct{ log, z float64 }
	known := []point{{math.Log(value), normalQuantile(quantile)}}
	below := 0.0
	for i, edge := range edges {
		below += shares[i]
		if below > smallestAnyValue && below < 1-smallestAnyValue {
			known = append(known, point{math.Log(edge), normalQuantile(below)})
		}
	}
	slices.SortStableFunc(known[1:], func(a, b point) int { return cmpFloat(a.log, b.log) })
	l := latencyLaw{method: methodInterpolated}
	for _, p := range known {
		at, _ := slices.BinarySearch(l.logs, p.log)
		// A point that does not rise strictly with its neighbours adds nothing: an
		// empty bin, or an edge that is the known quantile itself.
		if at > 0 && (l.z[at-1] >= p.z || p.log-l.logs[at-1] < 1e-9) || at < len(l.logs) && (l.z[at] <= p.z || l.logs[at]-p.log < 1e-9) {
			continue
		}
		l.logs, l.z = slices.Insert(l.logs, at, p.log), slices.Insert(l.z, at, p.z)
	}
	return l
}

func cmpFloat(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func normalQuantile(p float64) float64 {
	z, err := stats.NormalQuantile(p)
	if err != nil {
		return 0 // constraints keep shares between 0 and 1
	}
	return z
}

// score is the normal quantile of the share below a latency.
func (l latencyLaw) score(latency float64) float64 {
	if latency <= 0 {
		return math.Inf(-1)
	}
	x := math.Log(latency)
	i, _ := slices.BinarySearch(l.logs, x)
	i = min(max(i, 1), len(l.logs)-1)
	return l.z[i-1] + (x-l.logs[i-1])*(l.z[i]-l.z[i-1])/(l.logs[i]-l.logs[i-1])
}

func (l latencyLaw) above(latency float64) float64 {
	p, err := stats.NormalSurvival(l.score(latency))
	if err != nil {
		return 1
	}
	return p
}

func (l latencyLaw) below(latency float64) float64 {
	p, err := stats.NormalCDF(l.score(latency))
	if err != nil {
		return 1
	}
	return p
}

// highest is a latency that none of a window's reaches.
func (l latencyLaw) highest() float64 {
	last := len(l.logs) - 1
	slope := (l.logs[last] - l.logs[last-1]) / (l.z[last] - l.z[last-1])
	return math.Exp(min(l.logs[last]+slope*max(12-l.z[last], 1), 700))
}

// upperQuantile is the value that windows measure more than with at most the given
// probability, the smallest such.
func (law estimateLaw) upperQuantile(q float64) float64 {
	return bisect(law.low, law.high, func(x float64) bool { return law.above(x, false) <= q })
}

// lowerQuantile is the value that windows measure less than with at most the given
// probability, the largest such.
func (law estimateLaw) lowerQuantile(q float64) float64 {
	return bisect(law.low, law.high, func(x float64) bool { return law.below(x, false) > q })
}

// bisect is where a condition that stays true once it is begins to hold.
func bisect(low, high float64, holds func(float64) bool) float64 {
	for range 50 {
		middle := low + (high-low)/2
		if holds(middle) {
			high = middle
		} else {
			low = middle
		}
	}
	return high
}

// noiseFigures are what windows measure while all is well.
type noiseFigures struct {
	standardError, p01, p05, p95, p99 float64
	detectable                        float64
	method                            string
}

var noNoise = noiseFigures{standardError: none, p01: none, p05: none, p95: none, p99: none, detectable: none}

// testLevel is the significance level of the test by which a change counts as seen where
// no alert says so.
const testLevel = 0.05

// noise computes the figures of a monitor; power is that of its smallest detectable
// change.
func (e estimate) noise(power float64) (noiseFigures, error) {
	if !e.measures(e.effective) {
		return noNoise, nil
	}
	law, err := e.at(e.effective, e.baseline)
	if err != nil {
		return noNoise, err
	}
	f := noiseFigures{
		p01: round(law.lowerQuantile(0.01)), p05: round(law.lowerQuantile(0.05)),
		p95: round(law.upperQuantile(0.05)), p99: round(law.upperQuantile(0.01)),
		method: law.method,
	}
	if f.standardError, err = e.standardError(law); err != nil {
		return noNoise, err
	}
	f.standardError = round(f.standardError)
	limit := law.upperQuantile(testLevel)
	if spec.LowerIsWorse(e.metric) {
		limit = law.lowerQuantile(testLevel)
	}
	f.detectable, err = e.detectable(e.effective, power, func(law estimateLaw) float64 { return e.worse(law, limit, false) })
	return f, err
}

// detectable is the smallest worsening, to three digits, at which what a law is asked
// for has the given probability; none where not even the largest has.
func (e estimate) detectable(effective int64, power float64, seen func(estimateLaw) float64) (float64, error) {
	largest := e.room()
	if _, bounded := spec.Highest(e.metric); bounded || spec.LowerIsWorse(e.metric) {
		largest = gridValue(gridIndex(largest) - 1)
	}
	return smallestOnGrid(gridValue(gridIndex(largest*1e-9)), gridValue(gridIndex(largest)), none, func(change float64) (bool, error) {
		law, err := e.at(effective, e.worsened(e.baseline, change))
		if err != nil {
			return false, err
		}
		return roundProbability(seen(law)) >= power, nil
	})
}

// standardError is that of the metric at its baseline.
func (e estimate) standardError(law estimateLaw) (float64, error) {
	n := float64(e.effective)
	switch e.metric {
	case "auc":
		return stats.AUCStandardError(e.method, e.baseline, n*e.share, n*(1-e.share))
	case "accuracy", "error_rate":
		return stats.AccuracyStandardError(e.baseline, n)
	case "recall", "precision":
		return stats.AccuracyStandardError(e.baseline, n*e.share)
	case "rmse":
		return stats.RMSEStandardError(e.baseline, n, e.kurtosis)
	case "mae", "resource":
		return e.stdDev / math.Sqrt(n), nil
	case "throughput":
		return e.baseline / math.Sqrt(n), nil
	}
	const tail = 0.15865525393145707 // beyond one standard deviation of the normal law
	return (law.upperQuantile(tail) - law.lowerQuantile(tail)) / 2, nil
}

// durationOf is how long a window of so many declared samples takes at the declared
// traffic.
func (e estimate) durationOf(samples float64) float64 {
	return e.delaySeconds + samples*e.spanSeconds/e.window
}

// samplesIn is how many samples a window of that duration has.
func (e estimate) samplesIn(duration float64) float64 {
	return floor(e.window * (duration - e.delaySeconds) / e.spanSeconds)
}

// counted writes a number of the metric's observations.
func (e estimate) counted(n float64) string {
	switch e.metric {
	case "auc", "accuracy", "precision", "recall", "rmse", "mae":
		return plural(n, "labelled row", "labelled rows")
	case "resource":
		return plural(n, "measurement", "measurements")
	}
	return plural(n, "request", "requests")
}

// rows names the sample sizes of a window.
func (e estimate) rows() string {
	text := e.counted(e.window)
	if e.designEffect != 1 {
		text += " (worth " + show(float64(e.effective)) + " independent ones at a design effect of " + show(round(e.designEffect)) + ")"
	}
	return text
}

// describe names them with those that count.
func (e estimate) describe() string {
	text := "windows of " + e.rows()
	switch counting := show(round(float64(e.effective) * e.share)); e.metric {
	case "auc", "recall":
		text += ", of which " + counting + " are positives"
	case "precision":
		text += ", of which " + counting + " are predicted positive"
	}
	return text
}

// title is the metric as a sentence names it.
func (e estimate) title() string {
	switch e.metric {
	case "auc", "rmse", "mae":
		return map[string]string{"auc": "AUC", "rmse": "RMSE", "mae": "MAE"}[e.metric]
	case "error_rate":
		return "error rate"
	case "latency":
		return "p" + show(stats.RoundSignificant(100*e.quantile, 12)) + " latency"
	case "resource":
		return "utilisation"
	}
	return e.metric
}
