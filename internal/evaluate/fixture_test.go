package evaluate_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/evaluate"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/profile"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// fixture is a chain of objects, the last of which is judged; rules over many objects
// judge them all.
type fixture []link

// link is one object; From takes attributes from objects before it, as
// {"signal": "drift_monitor.signal"}, or, where there are several of a kind, by its name:
// {"signal": "drift_monitor.score.signal"}.
type link struct {
	Kind    string            `json:"kind"`
	Object  json.RawMessage   `json:"object"`
	From    map[string]string `json:"from"`
	Profile *profile.Result   `json:"profile"`
	// Profiles are those of a baseline of several columns.
	Profiles map[string]*profile.Result `json:"profiles"`

	value cty.Value
}

func readFixture(t testing.TB, path string) fixture {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var f fixture
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for i := range f {
		f[i].value = declare(t, f[i].Kind, string(f[i].Object), f[i].From)
	}
	return f
}

// declare reads an object from JSON and fills in its defaults. Attributes that are
// taken from others are left null.
func declare(t testing.TB, kind, text string, from map[string]string) cty.Value {
	t.Helper()
	k := kindOf(t, kind)
	v, err := ctyjson.Unmarshal([]byte(text), k.Type())
	if err != nil {
		t.Fatalf("%s: %v", kind, err)
	}
	v = k.ApplyDefaults(v)
	if from == nil {
		check(t, k, v)
	}
	return v
}

func kindOf(t testing.TB, name string) *spec.Kind {
	t.Helper()
	k, ok := spec.ByName(name)
	if !ok {
		t.Fatalf("there is no kind %q", name)
	}
	return k
}

func check(t testing.TB, k *spec.Kind, v cty.Value) {
	t.Helper()
	for _, finding := range k.Check(v) {
		t.Fatalf("%s is not valid: %s", k.Name, finding.Detail)
	}
}

// address is how a link is called: drift_monitor.score. The control plane names what it
// numbers: a chain has one of a kind.
func (l link) address() string {
	k, ok := spec.ByName(l.Kind)
	if !ok || k.Numbered != "" {
		return l.Kind
	}
	return l.Kind + "." + l.value.GetAttr(k.Key[len(k.Key)-1]).AsString()
}

// judge evaluates the chain and returns the report on its last object.
func (f fixture) judge(t testing.TB) evaluate.Report {
	t.Helper()
	report, _ := f.evaluate(t)
	return report
}

// judgeBy is what one rule says: about the last object, or about all together.
func (f fixture) judgeBy(t testing.TB, rule evaluate.Rule) evaluate.Verdicts {
	t.Helper()
	report, members := f.evaluate(t)
	all := report.Verdicts
	if rule.Across != nil {
		verdicts, err := evaluate.Bundle(members)
		if err != nil {
			t.Fatal(err)
		}
		all = evaluate.Verdicts{}
		for i, v := range verdicts {
			all.Judged = append(all.Judged, v.Judged...)
			all.Findings = append(all.Findings, v.Findings...)
			for _, finding := range v.Findings {
				if finding.Address != members[i].Address {
					t.Errorf("the finding on %s has the address %q", members[i].Address, finding.Address)
				}
			}
		}
	}
	return evaluate.Verdicts{Findings: ofRule(all.Findings, rule.ID), Judged: all.Judged}
}

func (f fixture) evaluate(t testing.TB) (evaluate.Report, []evaluate.Member) {
	t.Helper()
	computed := map[string]cty.Value{}
	var report evaluate.Report
	var members []evaluate.Member
	for _, l := range f {
		k, v := kindOf(t, l.Kind), l.value
		for attribute, source := range l.From {
			taken, ok := computed[source]
			if !ok {
				t.Fatalf("nothing before it has %s", source)
			}
			v = spec.Overlay(v, map[string]cty.Value{attribute: convert(taken, k.Type().AttributeType(attribute))})
		}
		check(t, k, v)
		var err error
		if report, err = evaluate.Object(k, v, evaluate.Inputs{Profile: l.Profile, Profiles: l.Profiles}); err != nil {
			t.Fatal(err)
		}
		for name, value := range report.Computed {
			if !value.Type().Equals(k.Type().AttributeType(name)) {
				t.Fatalf("%s.%s has the type %#v", l.Kind, name, value.Type())
			}
			computed[l.Kind+"."+name] = value
			computed[l.address()+"."+name] = value
		}
		members = append(members, evaluate.Member{Address: l.address(), Kind: k, Value: spec.Overlay(v, report.Computed)})
	}
	return report, members
}

// convert takes an object for one of another type with the same attributes.
func convert(v cty.Value, ty cty.Type) cty.Value {
	attributes := map[string]cty.Value{}
	for name := range ty.AttributeTypes() {
		attributes[name] = v.GetAttr(name)
	}
	return cty.ObjectVal(attributes)
}

// with applies a change to the object it is meant for; without an address, that of the
// finding, which is the last object where it has none either.
func (f fixture) with(t testing.TB, change spec.Change, address string) fixture {
	t.Helper()
	out := slices.Clone(f)
	at := len(out) - 1
	switch {
	case change.Kind != "":
		at = slices.IndexFunc(out, func(l link) bool { return l.Kind == change.Kind })
	case change.Address != "" || address != "":
		if change.Address != "" {
			address = change.Address
		}
		at = slices.IndexFunc(out, func(l link) bool { return l.address() == address })
	}
	if at < 0 {
		t.Fatalf("the change is for %s%s, and there is none", change.Kind, address)
	}
	if change.Remove {
		return slices.Delete(out, at, at+1)
	}
	if p := out[at].Profile; p != nil {
		t.Fatal("a change to a baseline that is counted from a file needs the file")
	}
	for path, value := range change.Assign {
		out[at].value = assign(t, out[at].value, path, value)
	}
	for _, more := range change.With {
		out = out.with(t, more, address)
	}
	return out
}

var step = regexp.MustCompile(`^([a-z0-9_]+)(?:\[(\d+)\])?$`)

func assign(t testing.TB, v cty.Value, path string, to cty.Value) cty.Value {
	t.Helper()
	head, rest, nested := strings.Cut(path, ".")
	m := step.FindStringSubmatch(head)
	if m == nil || !v.Type().IsObjectType() || !v.Type().HasAttribute(m[1]) {
		t.Fatalf("there is no %s", path)
	}
	child := v.GetAttr(m[1])
	if child.IsNull() && nested {
		attributes := map[string]cty.Value{}
		for name, ty := range child.Type().AttributeTypes() {
			attributes[name] = cty.NullVal(ty)
		}
		child = cty.ObjectVal(attributes)
	}
	inner := func(v cty.Value) cty.Value {
		if !nested {
			return to
		}
		return assign(t, v, rest, to)
	}
	if m[2] == "" {
		return spec.Overlay(v, map[string]cty.Value{m[1]: inner(child)})
	}
	index, err := strconv.Atoi(m[2])
	if err != nil {
		t.Fatal(err)
	}
	elements := child.AsValueSlice()
	elements[index] = inner(elements[index])
	return spec.Overlay(v, map[string]cty.Value{m[1]: cty.ListVal(elements)})
}

// render writes findings as a golden file has them.
func render(findings []spec.Finding) string {
	var out strings.Builder
	for _, f := range findings {
		of := ""
		if f.Address != "" {
			of = " of " + f.Address
		}
		fmt.Fprintf(&out, "%s %s at %s%s\n%s\n\n%s\n\nFix: %s\n", f.Severity, f.Rule, spec.PathString(f.Path), of, f.Summary, f.Detail, f.Fix)
		for _, change := range f.Alternatives {
			out.WriteString("  or:" + renderChange(change))
			for _, more := range change.With {
				out.WriteString(" and" + renderChange(more))
			}
			out.WriteByte('\n')
		}
	}
	return out.String()
}

func renderChange(change spec.Change) string {
	text := ""
	if change.Kind != "" {
		text += " in the " + change.Kind
	}
	if change.Address != "" {
		text += " in " + change.Address
	}
	if change.Remove {
		text += " remove it"
	}
	for _, path := range slices.Sorted(maps.Keys(change.Assign)) {
		text += fmt.Sprintf(" %s = %s", path, valueString(change.Assign[path]))
	}
	return text
}

func valueString(v cty.Value) string {
	if !v.Type().IsListType() {
		return spec.ValueString(v)
	}
	var elements []string
	for _, element := range v.AsValueSlice() {
		elements = append(elements, spec.ValueString(element))
	}
	return "[" + strings.Join(elements, ", ") + "]"
}

// golden compares with a file, or rewrites it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run the test with -update to write it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("the message has changed (-want +got); run with -update if it should:\n%s", diff)
	}
}

func ofRule(findings []spec.Finding, id string) []spec.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f spec.Finding) bool { return f.Rule != id })
}

func fixtures(t testing.TB, id, prefix string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("testdata", filepath.FromSlash(id), prefix+"*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

func TestEveryRuleFailsAndPassesItsFixtures(t *testing.T) {
	for _, rule := range evaluate.Rules() {
		t.Run(rule.ID, func(t *testing.T) {
			passing, failing := fixtures(t, rule.ID, "pass"), fixtures(t, rule.ID, "fail")
			if len(passing) == 0 || len(failing) == 0 {
				t.Fatalf("%d passing and %d failing fixtures", len(passing), len(failing))
			}
			for _, path := range passing {
				report := readFixture(t, path).judgeBy(t, rule)
				if len(report.Findings) > 0 {
					t.Errorf("%s: %s", path, render(report.Findings))
				}
				if !slices.Contains(report.Judged, rule.ID) {
					t.Errorf("%s: the rule has not run", path)
				}
			}
			for _, path := range failing {
				t.Run(filepath.Base(path), func(t *testing.T) {
					f := readFixture(t, path)
					report := f.judgeBy(t, rule)
					found := report.Findings
					if len(found) == 0 || !slices.Contains(report.Judged, rule.ID) {
						t.Fatal("the rule finds nothing")
					}
					golden(t, strings.TrimSuffix(path, ".json")+".txt", render(found))
					for _, finding := range found {
						for _, change := range finding.Alternatives {
							after := f.with(t, change, finding.Address).judgeBy(t, rule).Findings
							for _, still := range after {
								if still.Address == finding.Address && spec.PathString(still.Path) == spec.PathString(finding.Path) {
									t.Errorf("the finding stays after %v:\n%s", change, render(after))
								}
							}
						}
						if finding.Detail == "" || finding.Fix == "" || len(finding.Path) == 0 || finding.Summary != rule.Summary || (finding.Address != "") != (rule.Across != nil) {
							t.Errorf("incomplete: %+v", finding)
						}
					}
				})
			}
		})
	}
}
