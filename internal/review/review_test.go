package review_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/review"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var today = time.Date(2027, 1, 31, 23, 59, 0, 0, time.UTC)

// declare reads an object from JSON and fills in its defaults.
func declare(t testing.TB, kind, text string) spec.Object {
	t.Helper()
	k, ok := spec.ByName(kind)
	if !ok {
		t.Fatalf("there is no kind %q", kind)
	}
	v, err := ctyjson.Unmarshal([]byte(text), k.Type())
	if err != nil {
		t.Fatal(err)
	}
	return spec.Object{Kind: k, Address: kind + ".score", Value: k.ApplyDefaults(v)}
}

// noisy is an alert that fires on noise; more goes into its attributes.
func noisy(t testing.TB, more string) spec.Object {
	return declare(t, "alert_threshold", `{"model":"m","name":"a","owner":"o","runbook_url":"https://r","value":0.1,"severity":"page","signal":{"model":"m","monitor":"s","kind":"data_drift","metric":"psi",
		"bins":10,"baseline_samples":1000,"window_samples":100,"window_seconds":3600,"every_seconds":3600}`+more+`}`)
}

func quiet(t testing.TB, more string) spec.Object {
	object := noisy(t, more)
	object.Value = spec.Overlay(object.Value, map[string]cty.Value{"value": spec.Number(2)})
	return object
}

func waived(rule, expires string) string {
	return fmt.Sprintf(`,"waivers":[{"rule":%q,"reason":"Known until the window grows.","expires":%q}]`, rule, expires)
}

func with(object spec.Object, name string, value cty.Value) spec.Object {
	object.Value = spec.Overlay(object.Value, map[string]cty.Value{name: value})
	return object
}

// judged writes what remains of each finding: its rule, severity and level.
func judged(result review.Result) []string {
	var out []string
	for _, f := range result.Findings {
		out = append(out, fmt.Sprintf("%s is %s, taken as %s, at %s", f.Rule, f.Severity, f.Level, spec.PathString(f.Path)))
	}
	return out
}

func TestEnforcementDecidesHowAFindingIsTaken(t *testing.T) {
	const at = " at value"
	for name, c := range map[string]struct {
		enforcement review.Level
		rules       map[string]review.Level
		object      func(testing.TB, string) spec.Object
		want        []string
	}{
		"left out, a rule keeps its own severity":     {want: []string{"drift/noise-floor is error, taken as error," + at}},
		"error leaves a rule its own severity":        {enforcement: review.LevelError, want: []string{"drift/noise-floor is error, taken as error," + at}},
		"warning makes errors warnings":               {enforcement: review.LevelWarning, want: []string{"drift/noise-floor is error, taken as warning," + at}},
		"off drops findings":                          {enforcement: review.LevelOff},
		"a rule's own level goes before":              {enforcement: review.LevelOff, rules: map[string]review.Level{"drift/noise-floor": review.LevelError}, want: []string{"drift/noise-floor is error, taken as error," + at}},
		"a rule can be turned off alone":              {rules: map[string]review.Level{"drift/noise-floor": review.LevelOff}},
		"a rule that warns can be made an error":      {rules: map[string]review.Level{"alert/no-owner": review.LevelError}, object: ownerless, want: []string{"alert/no-owner is warning, taken as error, at owner"}},
		"error leaves a rule that warns at a warning": {object: ownerless, want: []string{"alert/no-owner is warning, taken as warning, at owner"}},
	} {
		t.Run(name, func(t *testing.T) {
			object := noisy
			if c.object != nil {
				object = c.object
			}
			got := review.New(review.Options{Today: today, Enforcement: c.enforcement, Rules: c.rules}).Object(context.Background(), object(t, ""))
			if diff := cmp.Diff(c.want, judged(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, finding := range got.Findings {
				if finding.Address != "alert_threshold.score" {
					t.Errorf("the address is %q", finding.Address)
				}
			}
		})
	}
}

func ownerless(t testing.TB, more string) spec.Object {
	return with(quiet(t, more), "owner", cty.NullVal(cty.String))
}

func TestConstraintsAreErrorsWhateverTheEnforcementAndKeepDependentsSilent(t *testing.T) {
	object := with(noisy(t, waived("meta/invalid-value", "2027-12-31")), "value", spec.Number(-1))
	got := review.New(review.Options{Today: today, Enforcement: review.LevelOff}).Object(context.Background(), object)
	if diff := cmp.Diff([]string{"meta/invalid-value is error, taken as error, at value"}, judged(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.Figures.IsKnown() || got.Value.GetAttr("uid").IsKnown() || !got.HasErrors() {
		t.Errorf("figures %#v, uid %#v", got.Figures, got.Value.GetAttr("uid"))
	}
	if id := got.Value.GetAttr("id"); !id.RawEquals(cty.StringVal("m/a")) {
		t.Errorf("id %#v", id)
	}
}

func TestAWaiver(t *testing.T) {
	unknownWaivers := func(t testing.TB, _ string) spec.Object {
		object := noisy(t, "")
		return with(object, "waivers", cty.UnknownVal(object.Kind.Type().AttributeType("waivers")))
	}
	unknownValue := func(t testing.TB, more string) spec.Object {
		return with(noisy(t, more), "value", cty.UnknownVal(cty.Number))
	}
	for name, c := range map[string]struct {
		object func(testing.TB, string) spec.Object
		more   string
		want   []string
		waived []string
	}{
		"covers the findings of its rule": {
			object: noisy, more: waived("drift/noise-floor", "2027-02-01"), waived: []string{"drift/noise-floor"},
		},
		"holds to the end of its last day, UTC": {
			object: noisy, more: waived("drift/noise-floor", "2027-01-31"), waived: []string{"drift/noise-floor"},
		},
		"is over the day after, and its finding stands": {
			object: noisy, more: waived("drift/noise-floor", "2027-01-30"),
			want: []string{"drift/noise-floor is error, taken as error, at value", "meta/waiver-expired is error, taken as error, at waivers[0].expires"},
		},
		"that covers nothing is a finding": {
			object: quiet, more: waived("drift/noise-floor", "2027-12-31"),
			want: []string{"meta/waiver-unused is error, taken as error, at waivers[0].rule"},
		},
		"is no finding while its rule waits for a value": {
			object: unknownValue, more: waived("drift/noise-floor", "2027-12-31"),
		},
		"of a rule that does not exist covers nothing": {
			object: noisy, more: waived("drift/noise-flor", "2027-12-31"),
			want: []string{"drift/noise-floor is error, taken as error, at value", "meta/waiver-unused is error, taken as error, at waivers[0].rule"},
		},
		"of another kind's rule covers nothing": {
			object: quiet, more: waived("rollout/underpowered", "2027-12-31"),
			want: []string{"meta/waiver-unused is error, taken as error, at waivers[0].rule"},
		},
		"cannot cover a rule about the policy itself": {
			object: quiet, more: waived("meta/waiver-unused", "2027-12-31"),
			want: []string{"meta/waiver-unused is error, taken as error, at waivers[0].rule"},
		},
		"that is not known yet may still come: the finding warns, and is judged again at apply": {
			object: unknownWaivers, want: []string{"drift/noise-floor is error, taken as warning, at value"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := review.New(review.Options{Today: today}).Object(context.Background(), c.object(t, c.more))
			if diff := cmp.Diff(c.want, judged(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var waived []string
			for _, w := range got.Waived {
				waived = append(waived, w.Rule)
				if w.Reason == "" || w.Expires == "" || w.Address == "" {
					t.Errorf("incomplete: %+v", w)
				}
			}
			if diff := cmp.Diff(c.waived, waived); diff != "" {
				t.Errorf("waived (-want +got):\n%s", diff)
			}
		})
	}
}

// data writes a data file and returns its directory.
func data(t testing.TB, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "train.csv"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func scores(n int) string {
	var out strings.Builder
	out.WriteString("score\n")
	for i := range n {
		fmt.Fprintln(&out, i)
	}
	return out.String()
}

func baseline(t testing.TB, dir, file string) spec.Object {
	object := declare(t, "baseline", `{"model":"m","name":"score","file":`+file+`,"binning":{"bins":4}}`)
	object.Directory = dir
	return object
}

const trainCSV = `{"path":"train.csv","column":"score"}`

func TestABaselineIsProfiledFromItsFile(t *testing.T) {
	got := review.New(review.Options{Today: today}).Object(context.Background(), baseline(t, data(t, scores(100)), trainCSV))
	if len(got.Findings) > 0 {
		t.Fatal(judged(got))
	}
	profile := got.Value.GetAttr("profile")
	if !profile.GetAttr("samples").RawEquals(spec.Number(100)) || !profile.GetAttr("bins").RawEquals(spec.Number(4)) {
		t.Errorf("%#v", profile)
	}
	if !got.Figures.GetAttr("maximum").RawEquals(spec.Number(99)) {
		t.Errorf("%#v", got.Figures)
	}
}

func TestABaselineOfSeveralColumnsHasAProfileForEach(t *testing.T) {
	var text strings.Builder
	text.WriteString("score,country,age\n")
	for i := range 100 {
		fmt.Fprintf(&text, "%d,DE,%d\n", i, i%10)
	}
	dir := data(t, text.String())
	reviewer := review.New(review.Options{Today: today})
	got := reviewer.Object(context.Background(), baseline(t, dir, `{"path":"train.csv","columns":["age","score"]}`))
	if len(got.Findings) > 0 {
		t.Fatal(judged(got))
	}
	if !got.Value.GetAttr("profile").IsNull() {
		t.Errorf("there is a single profile: %#v", got.Value.GetAttr("profile"))
	}
	for column, maximum := range map[string]float64{"age": 9, "score": 99} {
		key := cty.StringVal(column)
		alone := reviewer.Object(context.Background(), baseline(t, dir, `{"path":"train.csv","column":"`+column+`"}`))
		one := spec.Overlay(alone.Value.GetAttr("profile"), map[string]cty.Value{"name": key})
		if many := got.Value.GetAttr("profiles").Index(key); !many.RawEquals(one) {
			t.Errorf("%s: %#v, want %#v", column, many, one)
		}
		if figures := got.Figures.GetAttr("columns").Index(key); !figures.GetAttr("maximum").RawEquals(spec.Number(maximum)) {
			t.Errorf("%s: %#v", column, figures)
		}
		if !alone.Value.GetAttr("profiles").IsNull() || !alone.Figures.GetAttr("columns").IsNull() {
			t.Errorf("%s alone has %#v", column, alone.Value)
		}
	}

	// The state's profiles stay where the file is gone and the declaration is the same.
	later := baseline(t, t.TempDir(), `{"path":"train.csv","columns":["age","score"]}`)
	later.Prior = got.Value
	if kept := reviewer.Object(context.Background(), later); kept.HasErrors() || !kept.Value.GetAttr("profiles").RawEquals(got.Value.GetAttr("profiles")) {
		t.Errorf("%v", judged(kept))
	}
	later.Value = baseline(t, "", `{"path":"train.csv","columns":["age"]}`).Value
	if lost := reviewer.Object(context.Background(), later); !lost.HasErrors() {
		t.Error("a changed declaration kept the profiles")
	}

	wrong := reviewer.Object(context.Background(), baseline(t, dir, `{"path":"train.csv","columns":["score","country","ages"]}`))
	var at []string
	for _, finding := range wrong.Findings {
		at = append(at, spec.PathString(finding.Path))
	}
	if diff := cmp.Diff([]string{"file.columns[1]", "file.columns[2]"}, at); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryBaselineOfAFileReadsItOnceAndInParallel(t *testing.T) {
	dir := data(t, scores(1000))
	reviewer := review.New(review.Options{Today: today})
	first := reviewer.Object(context.Background(), baseline(t, dir, trainCSV))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			again := reviewer.Object(context.Background(), baseline(t, dir, trainCSV))
			if !again.Value.RawEquals(first.Value) {
				t.Errorf("%#v", again.Value)
			}
		})
	}
	group.Wait()
}

func TestAFileThatCannotBeUsedRefusesOnlyWhatIsNew(t *testing.T) {
	reviewer := review.New(review.Options{Today: today, Enforcement: review.LevelOff})
	dir := data(t, scores(100))
	object := baseline(t, dir, trainCSV)
	applied := reviewer.Object(context.Background(), object).Value
	digest := applied.GetAttr("profile").GetAttr("digest").AsString()
	empty := t.TempDir()

	for name, c := range map[string]struct {
		object  spec.Object
		prior   cty.Value
		planned bool
		want    []string
		kept    bool
	}{
		"a file that is not there": {
			object: baseline(t, empty, trainCSV),
			want:   []string{"baseline/file-unreadable is error, taken as error, at file.path"},
		},
		"a file that is gone, with nothing changed since the last apply": {
			object: baseline(t, empty, trainCSV), prior: applied, kept: true,
		},
		"a file that is gone, and another column asked for": {
			object: baseline(t, empty, `{"path":"train.csv","column":"id"}`), prior: applied,
			want: []string{"baseline/file-unreadable is error, taken as error, at file.path"},
		},
		"a file that is gone after the plan": {
			object: with(baseline(t, empty, trainCSV), "profile", applied.GetAttr("profile")), planned: true, kept: true,
		},
		"a column that is not there": {
			object: baseline(t, dir, `{"path":"train.csv","column":"scores"}`),
			want:   []string{"baseline/file-unreadable is error, taken as error, at file.column"},
		},
		"bins that the values cannot fill": {
			object: baseline(t, data(t, "score\n1\n1\n1\n1\n1\n1\n1\n2\n"), trainCSV),
			want:   []string{"baseline/file-unreadable is error, taken as error, at binning"},
		},
		"a file with the digest that is declared": {
			object: baseline(t, dir, fmt.Sprintf(`{"path":"train.csv","column":"score","digest":%q}`, digest)), kept: true,
		},
		"a file with another digest": {
			object: baseline(t, data(t, scores(101)), fmt.Sprintf(`{"path":"train.csv","column":"score","digest":%q}`, digest)),
			want:   []string{"baseline/file-digest is error, taken as error, at file.digest"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.object.Prior, c.object.Planned = c.prior, c.planned
			if c.planned {
				c.object = with(c.object, "evaluation", applied.GetAttr("evaluation"))
			}
			got := reviewer.Object(context.Background(), c.object)
			if diff := cmp.Diff(c.want, judged(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			switch profile := got.Value.GetAttr("profile"); {
			case c.kept && !profile.RawEquals(applied.GetAttr("profile")):
				t.Errorf("the profile is %#v", profile)
			case !c.kept && profile.IsKnown():
				t.Errorf("a profile comes out of it: %#v", profile)
			}
		})
	}
	t.Run("keeping the profile is told", func(t *testing.T) {
		gone := baseline(t, empty, trainCSV)
		gone.Prior = applied
		got := review.New(review.Options{Today: today}).Object(context.Background(), gone)
		if diff := cmp.Diff([]string{"baseline/file-unreadable is warning, taken as warning, at file.path"}, judged(got)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestAnUnknownPathLeavesTheProfileForLater(t *testing.T) {
	object := baseline(t, t.TempDir(), trainCSV)
	file := object.Value.GetAttr("file")
	object = with(object, "file", spec.Overlay(file, map[string]cty.Value{"path": cty.UnknownVal(cty.String)}))
	got := review.New(review.Options{Today: today}).Object(context.Background(), object)
	if len(got.Findings) > 0 || got.Value.GetAttr("profile").IsKnown() {
		t.Errorf("%v, %#v", judged(got), got.Value.GetAttr("profile"))
	}
}

// chain is a source of a baseline, its monitor and the alert on it.
type chain struct {
	t   testing.TB
	dir string
}

func (c *chain) Walk(visit func(spec.Object) cty.Value) {
	b := visit(baseline(c.t, c.dir, trainCSV))
	m := declare(c.t, "drift_monitor", `{"model":"m","name":"s","feature":"score","metric":"psi","window":{"duration":"1h","samples":20},"schedule":{"every":"1h"}}`)
	m = with(m, "baseline", b.GetAttr("profile"))
	a := declare(c.t, "alert_threshold", `{"model":"m","name":"a","owner":"o","runbook_url":"https://r","value":0.1}`)
	a = with(a, "signal", visit(m).GetAttr("signal"))
	visit(a)
}

func TestASetFeedsWhatIsComputedIntoWhatRefersToIt(t *testing.T) {
	reviewer := review.New(review.Options{Today: today})
	var got []string
	for _, result := range reviewer.Set(context.Background(), &chain{t: t, dir: data(t, scores(100))}) {
		got = append(got, result.Object.Address)
		got = append(got, judged(result)...)
	}
	want := []string{
		"baseline.score",
		"drift_monitor.score",
		"alert_threshold.score", "drift/noise-floor is error, taken as error, at value",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	t.Run("an error upstream hides the findings of what depends on it", func(t *testing.T) {
		results := reviewer.Set(context.Background(), &chain{t: t, dir: t.TempDir()})
		if len(results) != 3 || len(results[0].Findings) != 1 || len(results[1].Findings)+len(results[2].Findings) != 0 {
			t.Errorf("%v", results)
		}
	})
	t.Run("a cancelled context leaves everything unreviewed", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if results := reviewer.Set(ctx, &chain{t: t, dir: t.TempDir()}); len(results) > 0 {
			t.Errorf("%v", results)
		}
	})
}

func TestEveryKindIsReviewedWithNothingKnown(t *testing.T) {
	for _, kind := range spec.All() {
		attributes := map[string]cty.Value{}
		for name, ty := range kind.Type().AttributeTypes() {
			attributes[name] = cty.UnknownVal(ty)
		}
		got := review.New(review.Options{Today: today}).Object(context.Background(), spec.Object{Kind: kind, Address: "x", Value: cty.ObjectVal(attributes)})
		if len(got.Findings) > 0 || !got.Value.Type().Equals(kind.Type()) {
			t.Errorf("%s: %v", kind.Name, judged(got))
		}
		null := review.New(review.Options{Today: today}).Object(context.Background(), spec.Object{Kind: kind, Address: "x", Value: cty.NullVal(kind.Type())})
		if len(null.Findings) > 0 || !null.Value.IsNull() {
			t.Errorf("%s: %v", kind.Name, judged(null))
		}
	}
}

// render writes findings as a golden file has them.
func render(result review.Result) string {
	var out strings.Builder
	for _, f := range result.Findings {
		fmt.Fprintf(&out, "%s %s at %s\n%s\n\n%s\n\nFix: %s\n", f.Severity, f.Rule, spec.PathString(f.Path), f.Summary, f.Detail, f.Fix)
		for _, change := range f.Alternatives {
			out.WriteString("  or:")
			for _, path := range slices.Sorted(maps.Keys(change.Assign)) {
				fmt.Fprintf(&out, " %s = %s", path, spec.ValueString(change.Assign[path]))
			}
			out.WriteByte('\n')
		}
	}
	return out.String()
}

// messages has an object that fails each rule that is not of package evaluate, and one
// that passes it.
func messages(t testing.TB) map[string]struct{ fail, pass spec.Object } {
	dir := data(t, scores(100))
	wrong := `{"path":"train.csv","column":"score","digest":"sha256:` + strings.Repeat("0", 64) + `"}`
	return map[string]struct{ fail, pass spec.Object }{
		"meta/waiver-expired":      {noisy(t, waived("drift/noise-floor", "2026-12-31")), noisy(t, waived("drift/noise-floor", "2027-12-31"))},
		"meta/waiver-unused":       {quiet(t, waived("drift/noise-floor", "2027-12-31")), noisy(t, waived("drift/noise-floor", "2027-12-31"))},
		"baseline/file-unreadable": {baseline(t, dir, `{"path":"train.csv","column":"scores"}`), baseline(t, dir, trainCSV)},
		"baseline/file-digest":     {baseline(t, dir, wrong), baseline(t, dir, trainCSV)},
		"meta/invalid-value":       {with(quiet(t, ""), "value", spec.Number(-1)), quiet(t, "")},
		"meta/missing-attribute":   {with(quiet(t, ""), "value", cty.NullVal(cty.Number)), quiet(t, "")},
		"meta/waiver-reason":       {noisy(t, `,"waivers":[{"rule":"drift/noise-floor","reason":" ","expires":"2027-12-31"}]`), noisy(t, waived("drift/noise-floor", "2027-12-31"))},
	}
}

func TestEveryMessageOfTheReviewIsAsItWas(t *testing.T) {
	for id, c := range messages(t) {
		t.Run(id, func(t *testing.T) {
			reviewer := review.New(review.Options{Today: today})
			if got := reviewer.Object(context.Background(), c.pass); len(got.Findings) > 0 {
				t.Errorf("the passing object has findings: %v", judged(got))
			}
			got := reviewer.Object(context.Background(), c.fail)
			got.Findings = slices.DeleteFunc(got.Findings, func(f review.Judged) bool { return f.Rule != id })
			if len(got.Findings) == 0 {
				t.Fatal("the failing object has no finding")
			}
			text := render(got)
			if dir := c.fail.Directory; dir != "" {
				text = strings.ReplaceAll(text, dir+string(filepath.Separator), "")
			}
			path := filepath.Join("testdata", filepath.FromSlash(id), "fail.txt")
			if *update {
				if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatalf("%v; run the test with -update to write it", err)
			}
			if diff := cmp.Diff(string(want), text); diff != "" {
				t.Errorf("the message has changed (-want +got); run with -update if it should:\n%s", diff)
			}
		})
	}
}

func TestEveryRuleHasAMessageThatIsTested(t *testing.T) {
	// Unknown attributes are found by the readers of spec files, and an internal
	// error by nobody, one hopes.
	elsewhere := []string{spec.RuleUnknownAttribute, review.RuleInternal}
	ids := map[string]bool{}
	for _, rule := range review.Rules() {
		if ids[rule.ID] {
			t.Errorf("two rules are called %s", rule.ID)
		}
		ids[rule.ID] = true
		if rule.Summary == "" || rule.Severity == "" {
			t.Errorf("incomplete: %+v", rule)
		}
		_, tested := messages(t)[rule.ID]
		if !tested && rule.Check == nil && rule.Across == nil && !slices.Contains(elsewhere, rule.ID) {
			t.Errorf("%s has no message in a test", rule.ID)
		}
	}
	for id := range messages(t) {
		if !ids[id] {
			t.Errorf("%s is no rule", id)
		}
	}
}

// several is a source of objects that do not refer to each other.
type several []spec.Object

func (s several) Walk(visit func(spec.Object) cty.Value) {
	for _, object := range s {
		visit(object)
	}
}

func TestRulesOverManyObjects(t *testing.T) {
	model := func(more string) spec.Object {
		object := declare(t, "registered_model", `{"name":"m","false_alarms_per_30d":1`+more+`}`)
		object.Address = "registered_model.m"
		return object
	}
	const found = "drift/family-wise is warning, taken as warning, at false_alarms_per_30d"
	alert := noisy(t, waived("drift/noise-floor", "2027-12-31"))
	for name, c := range map[string]struct {
		options review.Options
		objects several
		want    []string
		waived  int
	}{
		"judge a set, on the object where the fix goes": {objects: several{model(""), alert}, want: []string{found}},
		"are silent where one of them is not valid":     {objects: several{model(""), alert, with(noisy(t, ""), "value", spec.Number(-1))}, want: []string{"meta/invalid-value is error, taken as error, at value"}},
		"are subject to enforcement":                    {options: review.Options{Rules: map[string]review.Level{"drift/family-wise": review.LevelError}}, objects: several{model(""), alert}, want: []string{strings.Replace(found, "taken as warning", "taken as error", 1)}},
		"can be turned off":                             {options: review.Options{Enforcement: review.LevelOff}, objects: several{model(""), alert}},
		"can be waived there":                           {objects: several{model(waived("drift/family-wise", "2027-12-31")), alert}, waived: 1},
		"find a waiver that nothing needs":              {objects: several{model(waived("drift/family-wise", "2027-12-31")), quiet(t, "")}, want: []string{"meta/waiver-unused is error, taken as error, at waivers[0].rule"}},
		"are waived on no other kind":                   {objects: several{model(""), with(alert, "waivers", quiet(t, waived("drift/family-wise", "2027-12-31")).Value.GetAttr("waivers"))}, want: []string{found, "drift/noise-floor is error, taken as error, at value", "meta/waiver-unused is error, taken as error, at waivers[0].rule"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.options.Today = today
			var got []string
			waived := 0
			for _, result := range review.New(c.options).Set(context.Background(), c.objects) {
				got = append(got, judged(result)...)
				for _, w := range result.Waived {
					if w.Rule == "drift/family-wise" {
						waived++
					}
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if waived != c.waived {
				t.Errorf("%d are waived", waived)
			}
		})
	}
	t.Run("do not judge an object alone, where a waiver of theirs is not unused", func(t *testing.T) {
		got := review.New(review.Options{Today: today}).Object(context.Background(), model(waived("drift/family-wise", "2027-12-31")))
		if len(got.Findings)+len(got.Waived) > 0 {
			t.Errorf("%v", judged(got))
		}
	})
}
