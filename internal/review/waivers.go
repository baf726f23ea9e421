package review

import (
	"fmt"
	"slices"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// waiver is one waiver of an object, as far as it is known.
type waiver struct {
	declared spec.Waiver
	path     cty.Path
	rule     string
	expired  bool
	used     bool
}

// waive sorts the findings into those that waivers cover and those that remain, and
// adds what is wrong with the waivers themselves.
func (r *Reviewer) waive(result *Result, object spec.Object, findings []spec.Finding, judged []string) {
	waivers, complete := r.waiversOf(object)
	for _, finding := range findings {
		finding.Address = object.Address
		level := r.level(finding)
		if w := covering(waivers, finding.Rule); w != nil {
			w.used = true
			if level != LevelOff {
				result.Waived = append(result.Waived, Waived{Finding: finding, Reason: w.declared.Reason.Or(""), Expires: w.declared.Expires.Or("")})
			}
			continue
		}
		if !complete && level == LevelError {
			// A waiver that is not known yet may cover it: judged again at apply.
			level = LevelWarning
		}
		if level != LevelOff {
			result.Findings = append(result.Findings, Judged{Finding: finding, Level: level})
		}
	}
	for _, w := range waivers {
		finding, wrong := r.judgeWaiver(w, object, judged)
		if !wrong {
			continue
		}
		finding.Address = object.Address
		if level := r.level(finding); level != LevelOff {
			result.Findings = append(result.Findings, Judged{Finding: finding, Level: level})
		}
	}
}

// waiversOf reads the waivers whose rule is known; false where there may be more.
func (r *Reviewer) waiversOf(object spec.Object) ([]*waiver, bool) {
	attribute := object.Value.GetAttr(spec.AttributeWaivers)
	if !attribute.IsKnown() {
		return nil, false
	}
	type waived struct {
		Waivers spec.Value[[]spec.Value[spec.Waiver]] `cty:"waivers"`
	}
	decoded, err := spec.Decode[waived](object.Value)
	if err != nil {
		return nil, true // the type is the schema's own
	}
	elements, _ := decoded.Waivers.Get()
	var out []*waiver
	complete := true
	for _, element := range elements {
		declared := element.Fields()
		rule, ok := declared.Rule.Get()
		if !ok {
			complete = false
			continue
		}
		out = append(out, &waiver{declared: declared, path: element.Path(), rule: rule, expired: r.expired(declared)})
	}
	return out, complete
}

// expired reports whether the last day of the waiver, in UTC, is over.
func (r *Reviewer) expired(w spec.Waiver) bool {
	text, ok := w.Expires.Get()
	if !ok {
		return false
	}
	day, err := time.Parse(time.DateOnly, text)
	return err == nil && !r.options.Today.UTC().Before(day.AddDate(0, 0, 1))
}

func covering(waivers []*waiver, rule string) *waiver {
	for _, w := range waivers {
		if w.rule == rule && !w.expired {
			return w
		}
	}
	return nil
}

// judgeWaiver says what is wrong with a waiver.
func (r *Reviewer) judgeWaiver(w *waiver, object spec.Object, judged []string) (spec.Finding, bool) {
	rule, known := ruleByID(w.rule)
	at := w.declared.Rule.Path()
	unused := func(detail, fix string, alternatives ...spec.Change) (spec.Finding, bool) {
		return spec.Finding{Rule: waiverUnused.ID, Severity: waiverUnused.Severity, Summary: waiverUnused.Summary, Path: at, Detail: detail, Fix: fix, Alternatives: alternatives}, true
	}
	switch {
	case !known:
		nearest := nearestRule(w.rule)
		return unused(
			fmt.Sprintf("There is no rule %q, so the waiver covers nothing; the nearest is %q.", w.rule, nearest),
			fmt.Sprintf("Name the rule %q, or remove the waiver.", nearest),
			spec.Change{Assign: map[string]cty.Value{spec.PathString(at): cty.StringVal(nearest)}},
		)
	case !Waivable(w.rule):
		return unused(fmt.Sprintf("%s cannot be waived: without what it asks for, nothing can be made of the object.", w.rule), "Remove the waiver and fix what it says.")
	case rule.Kind != object.Kind.Name:
		return unused(fmt.Sprintf("%s judges objects of kind %s, and this is a %s.", w.rule, rule.Kind, object.Kind.Name), "Move the waiver to the object that has the finding, or remove it.")
	case w.expired:
		return spec.Finding{
			Rule: waiverExpired.ID, Severity: waiverExpired.Severity, Summary: waiverExpired.Summary, Path: w.declared.Expires.Path(),
			Detail: fmt.Sprintf("The waiver of %s ended on %s (UTC), and today is %s. Its reason was %s.", w.rule, w.declared.Expires.Or(""), r.options.Today.UTC().Format(time.DateOnly), quoteReason(w.declared.Reason)),
			Fix:    "Remove the waiver and fix what it covered, or decide again and set a later date.",
		}, true
	case w.used || !slices.Contains(judged, w.rule):
		return spec.Finding{}, false
	}
	return unused(fmt.Sprintf("%s finds nothing here: what the waiver covered is gone.", w.rule), "Remove the waiver.")
}

func quoteReason(reason spec.Value[string]) string {
	if text, ok := reason.Get(); ok {
		return fmt.Sprintf("%q", text)
	}
	return "not known yet"
}

func ruleByID(id string) (evaluate.Rule, bool) {
	for _, rule := range Rules() {
		if rule.ID == id {
			return rule, true
		}
	}
	return evaluate.Rule{}, false
}
