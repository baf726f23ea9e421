package evaluate

import (
	"fmt"
	"math"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/stats"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var underpowered = Rule{
	ID: "rollout/underpowered", Severity: spec.Error, Kind: "rollout_policy",
	Summary: "The deciding stage cannot see the effect",
	Check: judge(func(s *rolloutSubject) Verdict {
		switch {
		case !s.known:
			return later
		case s.hypothesis == nil:
			return pass
		case s.deciding < 0:
			return found(spec.Finding{
				Path:   s.declared.Hypothesis.Path(),
				Detail: "No canary or ab stage answers users, so nothing is ever compared, and the hypothesis is not tested.",
				Fix:    `Add a stage of kind "canary" before the full one, or remove the hypothesis.`,
			})
		}
		st := s.stages[s.deciding]
		if st.ratio <= 0 {
			return found(spec.Finding{
				Path:   st.declared.TrafficPercent.Path(),
				Detail: fmt.Sprintf("Stage %q decides, and gives all traffic to the candidate: no control is left to compare it with.", st.name),
				Fix:    fmt.Sprintf("Lower %s, or let an earlier stage decide.", spec.PathString(st.declared.TrafficPercent.Path())),
			})
		}
		if !exists(st.power) || st.power >= s.hypothesis.power {
			return pass
		}
		return found(s.underpowered(st))
	}),
}

func (s *rolloutSubject) underpowered(st stage) spec.Finding {
	h := *s.hypothesis
	needs := "no number of samples is enough"
	if exists(st.requiredTreatment) {
		needs = fmt.Sprintf("needs %s (and %s of the control)", show(st.requiredTreatment), show(st.requiredControl))
	}
	looks := ""
	if h.looks > 1 {
		looks = fmt.Sprintf(" and %d looks", h.looks)
	}
	collects := fmt.Sprintf("In %s at %s %% of %s requests/s the %s collects %s samples, against %s of the control",
		showSeconds(st.seconds), show(st.percent), show(s.rate), describeStage(st), show(st.treatment), show(st.control))
	if h.designEffect != 1 {
		collects += fmt.Sprintf(" (worth %s and %s independent ones at a design effect of %s)", show(math.Floor(st.treatment/h.designEffect)), show(math.Floor(st.control/h.designEffect)), show(h.designEffect))
	}
	finding := spec.Finding{
		Path: st.declared.Duration.Path(),
		Detail: fmt.Sprintf("%s; seeing %s with power %s at significance level %s%s %s. It would see the effect with probability %s only.",
			collects, h.describe(), show(h.power), show(h.significance), looks, needs, show(st.power)),
	}
	var ways []string
	if way, assign, ok := s.longerStage(st); ok {
		ways, finding.Alternatives = append(ways, way), append(finding.Alternatives, change(assign))
	}
	if way, assign, ok := s.largerShare(st); ok {
		ways, finding.Alternatives = append(ways, way), append(finding.Alternatives, change(assign))
	}
	if way, assign, ok := s.largerEffect(st); ok {
		ways, finding.Alternatives = append(ways, way), append(finding.Alternatives, change(assign))
	}
	finding.Fix = "Traffic is too low to test this: remove the hypothesis, and watch the guardrails instead."
	if len(ways) > 0 {
		finding.Fix = sentence(ways)
	}
	return finding
}

func describeStage(st stage) string {
	switch {
	case st.name != st.kind:
		return fmt.Sprintf("%s stage %q", st.kind, st.name)
	case st.kind == spec.StageAB:
		return "ab stage"
	}
	return st.kind
}

// describe says what must be seen.
func (h hypothesis) describe() string {
	switch {
	case h.alternative == "non_inferior":
		return fmt.Sprintf("that it is not worse by %s", show(h.margin))
	case h.kind == "mean":
		return fmt.Sprintf("a change of %s at a standard deviation of %s", show(h.effect), show(h.stdDev))
	}
	return alike(h.baselineRate, stats.RoundSignificant(h.baselineRate+h.effect, 12))
}

// alike writes two rates with the same number of decimals.
func alike(from, to float64) string {
	decimals := 0
	for _, rate := range []float64{from, to} {
		_, fraction, _ := strings.Cut(show(rate), ".")
		decimals = max(decimals, len(fraction))
	}
	return fmt.Sprintf("%.*f -> %.*f", decimals, from, decimals, to)
}

// with judges the deciding stage after a change to it or to the hypothesis. With
// several looks the power is costly, and the sample that is required for it tells
// the same.
func (s *rolloutSubject) with(st stage, h hypothesis) (stage, bool) {
	changed := *s
	changed.hypothesis = &h
	looks := s.design != nil
	if looks {
		changed.hypothesis.looks = 1
	}
	if err := changed.collect(&st, s.design); err != nil {
		return st, false
	}
	if looks {
		return st, exists(st.requiredTreatment) && st.requiredTreatment <= st.treatment && st.requiredControl <= st.control
	}
	return st, exists(st.power) && st.power >= h.power
}

func (s *rolloutSubject) longerStage(st stage) (string, map[string]cty.Value, bool) {
	if !exists(st.minimumSeconds) {
		return "", nil, false
	}
	needed := st.minimumSeconds
	for range 20 {
		duration := niceDuration(max(needed, st.seconds+1))
		longer := st
		longer.seconds = duration.Seconds()
		if longer, ok := s.with(longer, *s.hypothesis); ok {
			path := spec.PathString(st.declared.Duration.Path())
			way := fmt.Sprintf("lengthen %s to %q, which collects %s and %s", path, duration, show(longer.treatment), show(longer.control))
			if delay := s.hypothesis.delaySecs; delay > 0 {
				way += fmt.Sprintf(" and includes the label_delay of %s", showSeconds(delay))
			}
			return way, map[string]cty.Value{path: cty.StringVal(duration.String())}, true
		}
		if needed = duration.Seconds() * 1.02; needed > maximumSeconds {
			break
		}
	}
	return "", nil, false
}

// largerShare looks for a larger share of the same stage, up to the next live one:
// beyond an even split more of the candidate is less of the control, so shares of two
// digits are tried one by one.
func (s *rolloutSubject) largerShare(st stage) (string, map[string]cty.Value, bool) {
	limit := 100.0
	for _, later := range s.stages[s.deciding+1:] {
		if later.kind != spec.StageShadow {
			limit = later.percent
			break
		}
	}
	for percent := nextShare(st.percent); percent < limit; percent = nextShare(percent) {
		larger := st
		larger.percent = percent
		if larger, ok := s.with(larger, *s.hypothesis); ok {
			path := spec.PathString(st.declared.TrafficPercent.Path())
			return fmt.Sprintf("raise %s to %s, which collects %s and %s and exposes more users", path, show(percent), show(larger.treatment), show(larger.control)),
				map[string]cty.Value{path: spec.Number(percent)}, true
		}
	}
	return "", nil, false
}

// nextShare is the next larger share of two digits, in percent.
func nextShare(percent float64) float64 {
	unit := math.Pow10(int(math.Floor(math.Log10(percent)+1e-9)) - 1)
	return stats.RoundSignificant((math.Floor(percent/unit+1e-9)+1)*unit, 2)
}

// largerEffect is the smallest effect, or for non-inferiority the smallest margin,
// that the stage sees as it is.
func (s *rolloutSubject) largerEffect(st stage) (string, map[string]cty.Value, bool) {
	h := *s.hypothesis
	path, what, size, sign := "hypothesis.minimum_detectable_effect", "settle for an effect of", math.Abs(h.effect), 1.0
	if h.effect < 0 {
		sign = -1
	}
	room := math.Inf(1)
	if h.kind == "proportion" {
		room = 1 - h.baselineRate
		if sign < 0 {
			room = h.baselineRate
		}
	}
	if h.alternative == "non_inferior" {
		path, what, size, sign = "hypothesis.margin", "accept a margin of", h.margin, 1
		if h.kind == "proportion" {
			room = h.baselineRate
			if !h.higherIsBetter {
				room = 1 - h.baselineRate
			}
		}
	}
	if !(size > 0) {
		return "", nil, false
	}
	// A power of ten above what is declared is no longer the same question.
	low, high := math.Pow(10, math.Floor(math.Log10(size))), math.Pow(10, math.Ceil(math.Log10(size))+1)
	smallest, err := smallestOnGrid(low, high, size, func(value float64) (bool, error) {
		if value <= size {
			return false, nil
		}
		if value >= room {
			return true, nil // out of range: refused below
		}
		changed := h
		if h.alternative == "non_inferior" {
			changed.margin = value
		} else {
			changed.effect = sign * value
		}
		_, ok := s.with(st, changed)
		return ok, nil
	})
	if err != nil || !exists(smallest) || smallest >= room {
		return "", nil, false
	}
	return fmt.Sprintf("%s %s, the smallest that it sees as it is", what, show(sign*smallest)), map[string]cty.Value{path: spec.Number(sign * smallest)}, true
}
