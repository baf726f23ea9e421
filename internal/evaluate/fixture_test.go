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

// fixture is a chain of objects, the last of which is judged.
type fixture []link

// link is one object; From takes attributes from objects before it, as
// {"signal": "drift_monitor.signal"}.
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

// judge evaluates the chain and returns the report on its last object.
func (f fixture) judge(t testing.TB) evaluate.Report {
	t.Helper()
	computed := map[string]cty.Value{}
	var report evaluate.Report
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
		}
	}
	return report
}

// convert takes an object for one of another type with the same attributes.
func convert(v cty.Value, ty cty.Type) cty.Value {
	attributes := map[string]cty.Value{}
	for name := range ty.AttributeTypes() {
		attributes[name] = v.GetAttr(name)
	}
	return cty.ObjectVal(attributes)
}

// with applies a change to the object it is meant for.
func (f fixture) with(t testing.TB, change spec.Change) fixture {
	t.Helper()
	out := slices.Clone(f)
	at := len(out) - 1
	if change.Kind != "" {
		at = slices.IndexFunc(out, func(l link) bool { return l.Kind == change.Kind })
	}
	if at < 0 {
		t.Fatalf("the change is for a %s, and there is none", change.Kind)
	}
	if p := out[at].Profile; p != nil {
		t.Fatal("a change to a baseline that is counted from a file needs the file")
	}
	for path, value := range change.Assign {
		out[at].value = assign(t, out[at].value, path, value)
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
		fmt.Fprintf(&out, "%s %s at %s\n%s\n\n%s\n\nFix: %s\n", f.Severity, f.Rule, spec.PathString(f.Path), f.Summary, f.Detail, f.Fix)
		for _, change := range f.Alternatives {
			out.WriteString("  or:")
			if change.Kind != "" {
				out.WriteString(" in the " + change.Kind)
			}
			for _, path := range slices.Sorted(maps.Keys(change.Assign)) {
				fmt.Fprintf(&out, " %s = %s", path, spec.ValueString(change.Assign[path]))
			}
			out.WriteByte('\n')
		}
	}
	return out.String()
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
				report := readFixture(t, path).judge(t)
				if found := ofRule(report.Findings, rule.ID); len(found) > 0 {
					t.Errorf("%s: %s", path, render(found))
				}
				if !slices.Contains(report.Judged, rule.ID) {
					t.Errorf("%s: the rule has not run", path)
				}
			}
			for _, path := range failing {
				t.Run(filepath.Base(path), func(t *testing.T) {
					f := readFixture(t, path)
					report := f.judge(t)
					found := ofRule(report.Findings, rule.ID)
					if len(found) == 0 || !slices.Contains(report.Judged, rule.ID) {
						t.Fatal("the rule finds nothing")
					}
					golden(t, strings.TrimSuffix(path, ".json")+".txt", render(found))
					for _, finding := range found {
						for _, change := range finding.Alternatives {
							after := ofRule(f.with(t, change).judge(t).Findings, rule.ID)
							for _, still := range after {
								if spec.PathString(still.Path) == spec.PathString(finding.Path) {
									t.Errorf("the finding stays after %v:\n%s", change, render(after))
								}
							}
						}
						if finding.Detail == "" || finding.Fix == "" || len(finding.Path) == 0 || finding.Summary != rule.Summary || finding.Address != "" {
							t.Errorf("incomplete: %+v", finding)
						}
					}
				})
			}
		})
	}
}
