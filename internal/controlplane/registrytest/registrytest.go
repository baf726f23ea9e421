// Package registrytest holds every registry of models, versions and aliases to the
// same contract: what the control plane relies on, whatever keeps them.
package registrytest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// Run holds a registry to the contract. The registry may have other models;
// those of the tests have names of their own.
func Run(t *testing.T, r port.Registry) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, port.Registry){
		"a model is read as it was written":             readAsWritten,
		"a model is created once":                       createdOnce,
		"only the revision that was read is replaced":   onlyTheRevisionRead,
		"nothing is made of an update or delete":        nothingOfNothing,
		"a model made again is another one":             madeAgain,
		"of many who create a model one succeeds":       oneOfMany,
		"all models are listed, by name, page for page": listed,
		"a reader sees a writer's last word":            readYourWrites,

		"versions are numbered from 1, and no number comes twice":   numbered,
		"of many versions that are added at once, each has its own": numberedAtOnce,
		"a version that is asked for again is made once":            addedOnce,
		"a version's tags and description can change":               retagged,
		"versions and aliases are listed, all or of one model":      listedUnderModels,
		"an alias points at a version that is there":                pointed,
		"an alias moves only from where it was seen":                moved,
		"a version that an alias points at stays":                   heldByAlias,
		"a model goes with its versions only where that is asked":   cascaded,
	} {
		t.Run(name, func(t *testing.T) { test(t, r) })
	}
}

// Ref names a registered model.
func Ref(name string) port.Ref { return port.Ref{Kind: port.RegisteredModel, ID: name} }

// Attributes makes a document with the given description and tags.
func Attributes(t *testing.T, name, description string, tags map[string]string) json.RawMessage {
	t.Helper()
	doc := map[string]any{"name": name, "owner": "risk-ml", "risk": "high", "deletion_policy": "prevent", "tags": tags}
	if tags == nil {
		delete(doc, "tags")
	}
	if description != "" {
		doc["description"] = description
	}
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Create creates a model, which must not be there.
func Create(t *testing.T, r port.Registry, name string, attributes json.RawMessage) port.Object {
	t.Helper()
	o, err := r.Put(t.Context(), port.Write{Ref: Ref(name), Attributes: attributes, If: port.IfAbsent()})
	if err != nil {
		t.Fatalf("creating %s: %v", name, err)
	}
	return o
}

func wantCode(t *testing.T, err error, want port.Code) {
	t.Helper()
	if got := port.CodeOf(err); got != want {
		t.Errorf("code %q, want %q: %v", got, want, err)
	}
}

func readAsWritten(t *testing.T, r port.Registry) {
	many := map[string]string{}
	for i := range 60 {
		many[fmt.Sprintf("tag %03d", i)] = strings.Repeat("v", 100)
	}
	for name, attributes := range map[string]json.RawMessage{
		"plain":              Attributes(t, "plain", "", nil),
		"described":          Attributes(t, "described", "Scores payments", map[string]string{"team": "risk", "cost-center": "12"}),
		"empty tag":          Attributes(t, "empty tag", "", map[string]string{"flag": ""}),
		"long":               Attributes(t, "long", strings.Repeat("ü", 2500), many),
		"it's \"quoted\"":    Attributes(t, "it's \"quoted\"", "100 % & <b>", nil),
		"größe 模型 %2F?a=b#c": Attributes(t, "größe 模型 %2F?a=b#c", "", nil),
		// Nulls and the text of numbers are kept, and so is their order.
		"verbatim": json.RawMessage(`{"tags":null,"name":"verbatim","false_alarms_per_30d":1.50e0,"description":null,"waivers":[{"rule":"a/b","reason":"<&>\u2028","expires":"2030-01-01"}]}`),
	} {
		t.Run(name, func(t *testing.T) {
			made := Create(t, r, name, attributes)
			got, err := r.Get(t.Context(), Ref(name))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(attributes), string(got.Attributes)); diff != "" {
				t.Errorf("not the bytes that were written (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(made, got); diff != "" {
				t.Errorf("the answer to the create and a read differ (-create +read):\n%s", diff)
			}
			if got.Ref != Ref(name) || got.UID == "" || got.Generation != 1 || got.CreatedAt.IsZero() || !strings.HasPrefix(got.ETag, `"`) || !strings.HasSuffix(got.ETag, `"`) {
				t.Errorf("incomplete: %+v", got)
			}
		})
	}
}

func createdOnce(t *testing.T, r port.Registry) {
	first := Create(t, r, "once", Attributes(t, "once", "first", nil))
	_, err := r.Put(t.Context(), port.Write{Ref: Ref("once"), Attributes: Attributes(t, "once", "second", nil), If: port.IfAbsent()})
	wantCode(t, err, port.CodeAlreadyExists)
	got, err := r.Get(t.Context(), Ref("once"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, got); diff != "" {
		t.Errorf("a create that failed changed the model:\n%s", diff)
	}
}

func onlyTheRevisionRead(t *testing.T, r port.Registry) {
	first := Create(t, r, "revised", Attributes(t, "revised", "one", map[string]string{"a": "1", "b": "2"}))
	put := func(only port.Precondition, description string, tags map[string]string) (port.Object, error) {
		return r.Put(t.Context(), port.Write{Ref: Ref("revised"), Attributes: Attributes(t, "revised", description, tags), If: only})
	}
	second, err := put(port.IfMatch(first.ETag), "two", map[string]string{"b": "3", "c": "4"})
	if err != nil {
		t.Fatal(err)
	}
	if second.UID != first.UID || second.Generation != 2 || second.ETag == first.ETag || !second.CreatedAt.Equal(first.CreatedAt) {
		t.Errorf("after an update: %+v, before: %+v", second, first)
	}
	_, err = put(port.IfMatch(first.ETag), "three", nil)
	wantCode(t, err, port.CodeETagMismatch)
	_, err = r.Delete(t.Context(), port.Delete{Ref: Ref("revised"), If: port.IfMatch(first.ETag)})
	wantCode(t, err, port.CodeETagMismatch)
	_, err = put(port.Precondition{}, "three", nil)
	wantCode(t, err, port.CodeETagMismatch)
	if got, err := r.Get(t.Context(), Ref("revised")); err != nil || got.ETag != second.ETag {
		t.Errorf("writes that were refused changed the model: %+v, %v", got, err)
	}
	// The same words again are a revision again: back and forth is no standstill.
	third, err := put(port.IfMatch(`"other"`, second.ETag), "one", map[string]string{"a": "1", "b": "2"})
	if err != nil {
		t.Fatal(err)
	}
	if third.ETag == first.ETag || string(third.Attributes) != string(first.Attributes) {
		t.Errorf("third %+v, first %+v", third, first)
	}
	if _, err := put(port.IfPresent(), "", nil); err != nil {
		t.Errorf("over any revision: %v", err)
	}
}

func nothingOfNothing(t *testing.T, r port.Registry) {
	_, err := r.Get(t.Context(), Ref("nothing"))
	wantCode(t, err, port.CodeNotFound)
	for _, only := range []port.Precondition{port.IfMatch(`"x"`), port.IfPresent()} {
		_, err = r.Put(t.Context(), port.Write{Ref: Ref("nothing"), Attributes: Attributes(t, "nothing", "", nil), If: only})
		wantCode(t, err, port.CodeNotFound)
		_, err = r.Delete(t.Context(), port.Delete{Ref: Ref("nothing"), If: only})
		wantCode(t, err, port.CodeNotFound)
	}
	_, err = r.Get(t.Context(), Ref("nothing"))
	wantCode(t, err, port.CodeNotFound)
}

func madeAgain(t *testing.T, r port.Registry) {
	attributes := Attributes(t, "again", "", map[string]string{"a": "1"})
	first := Create(t, r, "again", attributes)
	was, err := r.Delete(t.Context(), port.Delete{Ref: Ref("again"), If: port.IfMatch(first.ETag)})
	if err != nil || was.UID != first.UID {
		t.Fatalf("%+v, %v", was, err)
	}
	_, err = r.Get(t.Context(), Ref("again"))
	wantCode(t, err, port.CodeNotFound)
	second := Create(t, r, "again", attributes)
	if second.UID == first.UID || second.ETag == first.ETag {
		t.Errorf("passes for the old one: %+v", second)
	}
	_, err = r.Put(t.Context(), port.Write{Ref: Ref("again"), Attributes: attributes, If: port.IfMatch(first.ETag)})
	wantCode(t, err, port.CodeETagMismatch)
}

func oneOfMany(t *testing.T, r port.Registry) {
	const many = 8
	errs := make([]error, many)
	var group sync.WaitGroup
	for i := range many {
		attributes := Attributes(t, "contested", fmt.Sprint("by ", i), nil)
		group.Go(func() {
			_, errs[i] = r.Put(t.Context(), port.Write{Ref: Ref("contested"), Attributes: attributes, If: port.IfAbsent()})
		})
	}
	group.Wait()
	winner := -1
	for i, err := range errs {
		switch {
		case err == nil && winner >= 0:
			t.Errorf("both %d and %d created the model", winner, i)
		case err == nil:
			winner = i
		default:
			wantCode(t, err, port.CodeAlreadyExists)
		}
	}
	got, err := r.Get(t.Context(), Ref("contested"))
	if err != nil || !strings.Contains(string(got.Attributes), fmt.Sprint("by ", winner)) {
		t.Errorf("winner %d, kept %s, %v", winner, got.Attributes, err)
	}
}

func listed(t *testing.T, r port.Registry) {
	var want []string
	for i := range 7 {
		name := fmt.Sprintf("listed-%d", i)
		Create(t, r, name, Attributes(t, name, "", map[string]string{"i": fmt.Sprint(i)}))
		want = append(want, name)
	}
	var got []string
	for token := ""; ; {
		page, err := r.List(t.Context(), port.RegisteredModel, "", port.PageRequest{Size: 3, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Objects) > 3 {
			t.Fatalf("a page of %d", len(page.Objects))
		}
		for _, o := range page.Objects {
			got = append(got, o.ID)
			if one, err := r.Get(t.Context(), Ref(o.ID)); err != nil || cmp.Diff(one, o) != "" {
				t.Errorf("%s is listed otherwise than it is read: %v\n%s", o.ID, err, cmp.Diff(one, o))
			}
		}
		if token = page.Next; token == "" {
			break
		}
	}
	if !slices.IsSorted(got) {
		t.Errorf("not by name: %v", got)
	}
	got = slices.DeleteFunc(got, func(name string) bool { return !strings.HasPrefix(name, "listed-") })
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	_, err := r.List(t.Context(), port.RegisteredModel, "", port.PageRequest{Size: 3, Token: "!"})
	wantCode(t, err, port.CodeInvalidArgument)
}

func readYourWrites(t *testing.T, r port.Registry) {
	current := Create(t, r, "counter", Attributes(t, "counter", "0", nil))
	for i := range 10 {
		next, err := r.Put(t.Context(), port.Write{Ref: Ref("counter"), Attributes: Attributes(t, "counter", fmt.Sprint(i), map[string]string{"i": fmt.Sprint(i)}), If: port.IfMatch(current.ETag)})
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Get(t.Context(), Ref("counter"))
		if err != nil || cmp.Diff(next, got) != "" {
			t.Fatalf("read after write %d: %v\n%s", i, err, cmp.Diff(next, got))
		}
		current = got
	}
}
