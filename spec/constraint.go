package spec

import (
	"fmt"
	"math"
	"math/big"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/zclconf/go-cty/cty"
)

// Ids of the findings that constraints yield. They are always errors, need no
// server, and cannot be waived: nothing could be made of such an object.
const (
	RuleInvalidValue     = "meta/invalid-value"
	RuleMissingAttribute = "meta/missing-attribute"
	RuleUnknownAttribute = "meta/unknown-attribute"
	RuleWaiverReason     = "meta/waiver-reason"
)

// Constraint is what every value of an attribute must satisfy by itself.
type Constraint struct {
	// Describe is one sentence for the documentation.
	Describe string
	// Check judges a known value. It returns why the value can never be valid and
	// the smallest change that makes it so, or nothing.
	Check func(v cty.Value) (why, fix string)
	// JSONSchema is what of it JSON Schema can say, if anything: whatever breaks
	// that, Check refuses, too.
	JSONSchema map[string]any
	// Null says that Check judges null as well, which others are not asked about.
	Null bool
	// Hide says that the value is not shown, because it may have a secret in it.
	Hide bool
	// Rule and Summary are those of the findings, where they are not
	// [RuleInvalidValue]'s.
	Rule, Summary string
}

// finding is what the constraint has against a value at a path, if anything.
func (c Constraint) finding(path cty.Path, value cty.Value) (Finding, bool) {
	if value.IsNull() && !c.Null {
		return Finding{}, false
	}
	why, fix := c.Check(value)
	if why == "" {
		return Finding{}, false
	}
	if c.Hide || value.IsNull() {
		value = cty.NilVal
	}
	f := Invalid(path, value, why, fix)
	if c.Rule != "" {
		f.Rule, f.Summary = c.Rule, c.Summary
	}
	return f, true
}

// Check reports everything about v that can never be valid: attributes that are
// missing, malformed, out of range or at odds with each other. Unknown values
// raise nothing. All findings are errors.
func (k *Kind) Check(v cty.Value) []Finding {
	if !v.IsKnown() || v.IsNull() {
		return nil
	}
	findings := k.checkAttributes(k.Schema.Attributes, v, "", nil)
	if len(findings) == 0 && k.Together != nil {
		findings = k.Together(v)
	}
	return findings
}

func (k *Kind) checkAttributes(attributes map[string]schema.Attribute, v cty.Value, prefix string, path cty.Path) []Finding {
	var findings []Finding
	for _, name := range sortedKeys(attributes) {
		attribute, value := attributes[name], v.GetAttr(name)
		here := extend(path, cty.GetAttrStep{Name: name})
		if !value.IsKnown() {
			continue
		}
		for _, constraint := range k.Constraints[prefix+name] {
			if f, wrong := constraint.finding(here, value); wrong {
				findings = append(findings, f)
			}
		}
		if value.IsNull() {
			if attribute.IsRequired() {
				findings = append(findings, Finding{
					Rule: RuleMissingAttribute, Severity: Error, Path: here, Summary: "Missing attribute",
					Detail: fmt.Sprintf("%s is required. %s", PathString(here), attribute.GetMarkdownDescription()),
					Fix:    fmt.Sprintf("Set %s.", PathString(here)),
				})
			}
			continue
		}
		nested, many := nestedAttributes(attribute)
		switch {
		case nested == nil:
		case many == noElements:
			findings = append(findings, k.checkAttributes(nested, value, prefix+name+".", here)...)
		default:
			for it := value.ElementIterator(); it.Next(); {
				key, element := it.Element()
				at := extend(here, cty.IndexStep{Key: key})
				switch {
				case !element.IsKnown():
				case element.IsNull():
					findings = append(findings, Invalid(at, element, "an element cannot be null", "Remove the element."))
				default:
					findings = append(findings, k.checkAttributes(nested, element, prefix+name+many+".", at)...)
				}
			}
		}
	}
	return findings
}

// Invalid is the finding for a value that can never be valid.
func Invalid(path cty.Path, value cty.Value, why, fix string) Finding {
	shown := ""
	if value != cty.NilVal && value.Type().IsPrimitiveType() {
		shown = " is " + ValueString(value)
	}
	return Finding{
		Rule: RuleInvalidValue, Severity: Error, Path: path, Summary: "Invalid value",
		Detail: fmt.Sprintf("%s%s: %s.", PathString(path), shown, why), Fix: fix,
	}
}

func oneOf(values ...string) Constraint {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = "`" + value + "`"
	}
	return Constraint{
		Describe:   "One of " + strings.Join(quoted, ", ") + ".",
		JSONSchema: map[string]any{"enum": values},
		Check: func(v cty.Value) (string, string) {
			if slices.Contains(values, v.AsString()) {
				return "", ""
			}
			return "must be one of " + quotedList(values), "Use " + strconvQuote(nearest(v.AsString(), values)) + "."
		},
	}
}

type bound struct {
	value     float64
	exclusive bool
}

func from(value float64) bound  { return bound{value: value} }
func above(value float64) bound { return bound{value: value, exclusive: true} }
func upTo(value float64) bound  { return bound{value: value} }
func below(value float64) bound { return bound{value: value, exclusive: true} }

// between accepts numbers from a lower to an upper bound; infinite bounds are
// open.
func between(low, high bound) Constraint {
	var words []string
	if !math.IsInf(low.value, -1) {
		word := "at least "
		if low.exclusive {
			word = "above "
		}
		words = append(words, word+formatNumber(low.value))
	}
	if !math.IsInf(high.value, 1) {
		word := "at most "
		if high.exclusive {
			word = "below "
		}
		words = append(words, word+formatNumber(high.value))
	}
	text := strings.Join(words, " and ")
	bounds := map[string]any{}
	for _, limit := range []struct {
		bound
		inclusive, exclusive string
	}{{low, "minimum", "exclusiveMinimum"}, {high, "maximum", "exclusiveMaximum"}} {
		keyword := limit.inclusive
		if limit.bound.exclusive {
			keyword = limit.exclusive
		}
		if !math.IsInf(limit.value, 0) {
			bounds[keyword] = limit.value
		}
	}
	return Constraint{
		Describe:   strings.ToUpper(text[:1]) + text[1:] + ".",
		JSONSchema: bounds,
		Check: func(v cty.Value) (string, string) {
			f, _ := v.AsBigFloat().Float64()
			tooLow := f < low.value || low.exclusive && f == low.value
			tooHigh := f > high.value || high.exclusive && f == high.value
			if math.IsInf(f, 0) || tooLow || tooHigh {
				return "must be " + text, "Use a number " + text + "."
			}
			return "", ""
		},
	}
}

// wholeNumber accepts integers only.
func wholeNumber() Constraint {
	return Constraint{
		Describe:   "A whole number.",
		JSONSchema: map[string]any{"type": "integer"},
		Check: func(v cty.Value) (string, string) {
			if v.AsBigFloat().IsInt() {
				return "", ""
			}
			rounded, _ := new(big.Float).Add(v.AsBigFloat(), big.NewFloat(0.5)).Int(nil)
			return "must be a whole number", "Use " + rounded.String() + "."
		},
	}
}

func durationAtLeast(least Duration) Constraint {
	describe := "A duration such as `90s`, `1h30m` or `7d`."
	if least > 0 {
		describe = "A duration of at least `" + least.String() + "`, such as `90s`, `1h30m` or `7d`."
	}
	return Constraint{
		Describe:   describe,
		JSONSchema: map[string]any{"minLength": 1, "pattern": `^(0|([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$`},
		Check: func(v cty.Value) (string, string) {
			d, err := ParseDuration(v.AsString())
			if err != nil {
				return "must be a duration: whole numbers with the units ms, s, m, h, d or w, largest first", `Write, for instance, "90s", "1h30m" or "7d".`
			}
			if d < least {
				return "must be at least " + least.String(), "Use " + strconvQuote(least.String()) + " or more."
			}
			return "", ""
		},
	}
}

// objectName accepts what every registry accepts as a name.
func objectName() Constraint {
	return Constraint{
		Describe: "At most 250 characters, without `/`, `:` or control characters, and not starting with a dot or a space.",
		JSONSchema: map[string]any{
			"minLength": 1, "maxLength": 250, "pattern": `^[^. /:\x00-\x1f\x7f]([^/:\x00-\x1f\x7f]*[^ /:\x00-\x1f\x7f])?$`,
		},
		Check: func(v cty.Value) (string, string) {
			name := v.AsString()
			switch {
			case strings.TrimSpace(name) == "":
				return "a name cannot be empty", "Give it a name."
			case len(name) > 250:
				return fmt.Sprintf("a name has at most 250 bytes, this one %d", len(name)), "Shorten it."
			case name[0] == '.' || name[0] == ' ' || name[len(name)-1] == ' ':
				return "a name cannot start with a dot, nor start or end with a space", "Use " + strconvQuote(strings.Trim(name, ". ")) + "."
			case strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r == ':' || r < ' ' || r == 0x7f }):
				return "a name cannot contain a slash, a colon or control characters", "Use " + strconvQuote(unsafeName.ReplaceAllString(name, "_")) + "."
			}
			return "", ""
		},
	}
}

var unsafeName = regexp.MustCompile(`[/:\x00-\x1f\x7f]`)

func notBlank() Constraint {
	return Constraint{
		Describe:   "Not empty.",
		JSONSchema: map[string]any{"minLength": 1},
		Check: func(v cty.Value) (string, string) {
			if strings.TrimSpace(v.AsString()) == "" {
				return "cannot be empty", "Write something, or leave the attribute out."
			}
			return "", ""
		},
	}
}

// waiverReason asks for a reason, also where the attribute is left out: Terraform's
// own message about a missing attribute would not say what it is for.
func waiverReason() Constraint {
	return Constraint{
		Describe: "Required, and not blank.",
		Null:     true,
		Rule:     RuleWaiverReason, Summary: "A waiver has no reason",
		Check: func(v cty.Value) (string, string) {
			if !v.IsNull() && strings.TrimSpace(v.AsString()) != "" {
				return "", ""
			}
			return "a waiver without a reason hides a finding, and nobody can tell later whether it still should",
				"Say why the finding is acceptable until the waiver expires, or remove the waiver."
		},
	}
}

func atMostBytes(limit int) Constraint {
	return Constraint{
		Describe:   fmt.Sprintf("At most %d bytes.", limit),
		JSONSchema: map[string]any{"maxLength": limit},
		Check: func(v cty.Value) (string, string) {
			if n := len(v.AsString()); n > limit {
				return fmt.Sprintf("has %d bytes, at most %d are kept by every registry", n, limit), "Shorten it."
			}
			return "", ""
		},
	}
}

func webAddress() Constraint {
	return Constraint{
		Describe:   "An http or https URL.",
		JSONSchema: map[string]any{"format": "uri", "pattern": `^[Hh][Tt][Tt][Pp][Ss]?://.`},
		Check: func(v cty.Value) (string, string) {
			u, err := url.Parse(v.AsString())
			if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
				return "must be an http or https URL", `Write it in full, for instance "https://runbooks.example.com/score-drift".`
			}
			return "", ""
		},
	}
}

func calendarDate() Constraint {
	return Constraint{
		Describe:   "A date as `YYYY-MM-DD`; it ends at midnight UTC.",
		JSONSchema: map[string]any{"format": "date", "pattern": `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`},
		Check: func(v cty.Value) (string, string) {
			if _, err := time.Parse(time.DateOnly, v.AsString()); err != nil {
				return "must be a date as YYYY-MM-DD", `Write, for instance, "2027-01-31".`
			}
			return "", ""
		},
	}
}

func ruleID() Constraint {
	return matching(`^[a-z]+/[a-z0-9-]+$`, "The id of a rule, such as `drift/noise-floor`.",
		"must be the id of a rule, family/name", `Write, for instance, "drift/noise-floor".`)
}

func notEmptyList() Constraint {
	return Constraint{
		Describe:   "At least one.",
		JSONSchema: map[string]any{"minItems": 1},
		Check: func(v cty.Value) (string, string) {
			if v.LengthInt() == 0 {
				return "needs at least one element", "Add one."
			}
			return "", ""
		},
	}
}

func tagMap() Constraint {
	key := regexp.MustCompile(`^[\w.\- ]{1,250}$`)
	return Constraint{
		Describe: "Keys have letters, digits, `_`, `.`, `-` and spaces; values at most 5000 bytes. Keys that begin with `mlops.` are reserved.",
		JSONSchema: map[string]any{
			"propertyNames":        map[string]any{"pattern": `^[0-9A-Za-z_.\- ]{1,250}$`, "not": map[string]any{"pattern": `^mlops\.`}},
			"additionalProperties": map[string]any{"type": "string", "maxLength": 5000},
		},
		Check: func(v cty.Value) (string, string) {
			for it := v.ElementIterator(); it.Next(); {
				k, element := it.Element()
				switch name := k.AsString(); {
				case !key.MatchString(name):
					return fmt.Sprintf("the key %q has characters that not every registry keeps", name), "Use letters, digits, '_', '.', '-' and spaces, at most 250 of them."
				case strings.HasPrefix(name, "mlops."):
					return fmt.Sprintf("the key %q begins with \"mlops.\", which the provider reserves", name), "Choose another key."
				case element.IsKnown() && element.IsNull():
					return fmt.Sprintf("the tag %q is null", name), "Give it a value, or leave it out."
				case element.IsKnown() && len(element.AsString()) > 5000:
					return fmt.Sprintf("the tag %q has %d bytes, at most 5000 are kept by every registry", name, len(element.AsString())), "Shorten it."
				}
			}
			return "", ""
		},
	}
}

func quotedList(values []string) string {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = strconvQuote(value)
	}
	return strings.Join(quoted, ", ")
}

func strconvQuote(s string) string { return fmt.Sprintf("%q", s) }

func formatNumber(f float64) string { return NumberString(Number(f)) }

// nearest picks the accepted word that shares the longest prefix with what was
// written, or the first.
func nearest(word string, accepted []string) string {
	best, length := accepted[0], 0
	for _, candidate := range accepted {
		n := 0
		for n < len(word) && n < len(candidate) && strings.EqualFold(word[n:n+1], candidate[n:n+1]) {
			n++
		}
		if n > length {
			best, length = candidate, n
		}
	}
	return best
}

func matching(pattern, describe, why, fix string) Constraint {
	expression := regexp.MustCompile(pattern)
	return Constraint{
		Describe:   describe,
		JSONSchema: map[string]any{"pattern": pattern},
		Check: func(v cty.Value) (string, string) {
			if expression.MatchString(v.AsString()) {
				return "", ""
			}
			return why, fix
		},
	}
}

// each holds every element of a list against a constraint.
func each(c Constraint) Constraint {
	return Constraint{
		Describe: "Each: " + c.Describe,
		Check: func(v cty.Value) (string, string) {
			for i, element := range v.AsValueSlice() {
				switch {
				case !element.IsKnown():
				case element.IsNull():
					return fmt.Sprintf("the element %d is null", i), "Remove the element."
				default:
					if why, fix := c.Check(element); why != "" {
						return fmt.Sprintf("the element %d is %s, and it %s", i, ValueString(element), why), fix
					}
				}
			}
			return "", ""
		},
	}
}

// noneTwice refuses a list that says the same thing twice.
func noneTwice() Constraint {
	return Constraint{
		Describe: "None twice.",
		Check: func(v cty.Value) (string, string) {
			seen := map[string]bool{}
			for _, element := range v.AsValueSlice() {
				if !element.IsKnown() || element.IsNull() {
					continue
				}
				if seen[element.AsString()] {
					return fmt.Sprintf("%s is there twice", ValueString(element)), "Remove one of them."
				}
				seen[element.AsString()] = true
			}
			return "", ""
		},
	}
}
