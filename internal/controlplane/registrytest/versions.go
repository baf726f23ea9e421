package registrytest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// VersionRef names a version.
func VersionRef(model string, number int64) port.Ref {
	return port.Ref{Kind: port.ModelVersion, ID: port.VersionID(model, number)}
}

// AliasRef names an alias.
func AliasRef(model, alias string) port.Ref {
	return port.Ref{Kind: port.ModelAlias, ID: model + "/" + alias}
}

// VersionAttributes makes a version's document.
func VersionAttributes(t *testing.T, model, source, description string, tags map[string]string) json.RawMessage {
	t.Helper()
	doc := map[string]any{
		"model": model, "source": source, "metrics": map[string]float64{"auc": 0.91}, "deletion_policy": "delete",
		"gates": []map[string]any{{"metric": "auc", "minimum": 0.9}},
	}
	if tags != nil {
		doc["tags"] = tags
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

// Key makes an idempotency key that nobody has used.
func Key() port.Once { return port.Once{Key: uuid.NewString(), Request: "r"} }

// Add adds a version to a model.
func Add(t *testing.T, r port.Registry, model, source string) port.Object {
	t.Helper()
	o, err := r.Add(t.Context(), port.Addition{Kind: port.ModelVersion, Model: model, Attributes: VersionAttributes(t, model, source, "", nil), Once: Key()})
	if err != nil {
		t.Fatalf("adding a version to %s: %v", model, err)
	}
	return o
}

// Point creates or moves an alias.
func Point(t *testing.T, r port.Registry, model, alias string, version int64, only port.Precondition) (port.Object, error) {
	t.Helper()
	attributes := json.RawMessage(fmt.Sprintf(`{"model":%q,"alias":%q,"version":%d,"reason":"because","waivers":null}`, model, alias, version))
	return r.Put(t.Context(), port.Write{Ref: AliasRef(model, alias), Attributes: attributes, Model: model, Version: version, Reason: "because", If: only})
}

func model(t *testing.T, r port.Registry, name string) string {
	t.Helper()
	Create(t, r, name, Attributes(t, name, "", nil))
	return name
}

func numbered(t *testing.T, r port.Registry) {
	name := model(t, r, "numbered")
	_, err := r.Add(t.Context(), port.Addition{Kind: port.ModelVersion, Model: "no such model", Attributes: VersionAttributes(t, "no such model", "s3://b/k", "", nil), Once: Key()})
	wantCode(t, err, port.CodeFailedPrecondition)

	long := map[string]string{}
	for i := range 60 {
		long[fmt.Sprintf("tag %03d", i)] = strings.Repeat("v", 100)
	}
	for i, attributes := range []json.RawMessage{
		VersionAttributes(t, name, "s3://bucket/a b%20c?versionId=x", "", nil),
		VersionAttributes(t, name, "s3://bucket/k", "Retrained <&> in \"March\"", map[string]string{"team": "risk", "empty": ""}),
		VersionAttributes(t, name, "s3://bucket/k", strings.Repeat("ü", 2400), long),
		json.RawMessage(`{"source":"s3://bucket/k","model":"numbered","metrics":{"auc":9.10e-1},"run_id":"0123456789abcdef0123456789abcdef","tags":null}`),
	} {
		made, err := r.Add(t.Context(), port.Addition{Kind: port.ModelVersion, Model: name, Attributes: attributes, Once: Key()})
		if err != nil {
			t.Fatal(err)
		}
		if want := VersionRef(name, int64(i+1)); made.Ref != want || made.UID == "" || made.Generation != 1 || made.ETag == "" {
			t.Errorf("made %+v, want %s", made, want)
		}
		got, err := r.Get(t.Context(), made.Ref)
		if err != nil || cmp.Diff(made, got) != "" || string(got.Attributes) != string(attributes) {
			t.Errorf("%v\nwritten %s\nread %s\n%s", err, attributes, got.Attributes, cmp.Diff(made, got))
		}
	}
	// Neither the last number nor one in between is given again.
	for _, gone := range []int64{2, 4} {
		if _, err := r.Delete(t.Context(), port.Delete{Ref: VersionRef(name, gone), If: port.IfPresent()}); err != nil {
			t.Fatal(err)
		}
		_, err := r.Get(t.Context(), VersionRef(name, gone))
		wantCode(t, err, port.CodeNotFound)
		_, err = r.Delete(t.Context(), port.Delete{Ref: VersionRef(name, gone), If: port.IfPresent()})
		wantCode(t, err, port.CodeNotFound)
	}
	if made := Add(t, r, name, "s3://bucket/k"); made.Ref != VersionRef(name, 5) {
		t.Errorf("after the deletion of 4, the next is %s", made.Ref)
	}
	_, err = r.Get(t.Context(), VersionRef(name, 99))
	wantCode(t, err, port.CodeNotFound)
}

func numberedAtOnce(t *testing.T, r port.Registry) {
	const many = 6
	name := model(t, r, "at once")
	made := make([]string, many)
	errs := make([]error, many)
	var group sync.WaitGroup
	for i := range many {
		attributes := VersionAttributes(t, name, fmt.Sprint("s3://bucket/", i), "", nil)
		group.Go(func() {
			var o port.Object
			o, errs[i] = r.Add(t.Context(), port.Addition{Kind: port.ModelVersion, Model: name, Attributes: attributes, Once: Key()})
			made[i] = o.ID
		})
	}
	group.Wait()
	for i, err := range errs {
		// MLflow gives up where others were faster three times: nothing is made then.
		if err != nil && port.CodeOf(err) != port.CodeRegistryError {
			t.Errorf("version %d: %v", i, err)
		}
	}
	made = slices.DeleteFunc(made, func(id string) bool { return id == "" })
	slices.Sort(made)
	if len(made) < 3 || len(slices.Compact(slices.Clone(made))) != len(made) {
		t.Errorf("numbers %v", made)
	}
}

func addedOnce(t *testing.T, r port.Registry) {
	name := model(t, r, "once more")
	addition := port.Addition{Kind: port.ModelVersion, Model: name, Attributes: VersionAttributes(t, name, "s3://bucket/k", "", nil), Once: Key()}
	first, err := r.Add(t.Context(), addition)
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.Add(t.Context(), addition)
	if err != nil || cmp.Diff(first, again) != "" {
		t.Errorf("asked for again: %v\n%s", err, cmp.Diff(first, again))
	}
	other := addition
	other.Attributes, other.Once.Request = VersionAttributes(t, name, "s3://bucket/other", "", nil), "other"
	_, err = r.Add(t.Context(), other)
	wantCode(t, err, port.CodeKeyReused)
	other.Once = Key()
	if second, err := r.Add(t.Context(), other); err != nil || second.Ref != VersionRef(name, 2) {
		t.Errorf("with a key of its own: %+v, %v", second, err)
	}
	// Until its answer is acknowledged, what was added can be found by its key; the
	// revision stays the same.
	keys := func() []port.Added {
		added, err := r.Unacknowledged(t.Context(), port.ModelVersion, name)
		if err != nil {
			t.Fatal(err)
		}
		return added
	}
	second := port.Added{Ref: VersionRef(name, 2), Key: other.Once.Key}
	if diff := cmp.Diff([]port.Added{{Ref: first.Ref, Key: addition.Once.Key}, second}, keys()); diff != "" {
		t.Error(diff)
	}
	for range 2 {
		if err := r.Acknowledge(t.Context(), first.Ref); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := r.Get(t.Context(), first.Ref); err != nil || got.ETag != first.ETag {
		t.Errorf("%+v, %v", got, err)
	}
	if diff := cmp.Diff([]port.Added{second}, keys()); diff != "" {
		t.Error(diff)
	}
	if _, err := r.Delete(t.Context(), port.Delete{Ref: second.Ref, If: port.IfPresent()}); err != nil {
		t.Fatal(err)
	}
	if left := keys(); len(left) > 0 {
		t.Errorf("what is gone still waits: %v", left)
	}
	if err := r.Acknowledge(t.Context(), second.Ref); err != nil {
		t.Errorf("acknowledging what is gone: %v", err)
	}
}

func retagged(t *testing.T, r port.Registry) {
	name := model(t, r, "retagged")
	first := Add(t, r, name, "s3://bucket/k")
	put := func(only port.Precondition, description string, tags map[string]string) (port.Object, error) {
		return r.Put(t.Context(), port.Write{Ref: first.Ref, Model: name, Attributes: VersionAttributes(t, name, "s3://bucket/k", description, tags), If: only})
	}
	second, err := put(port.IfMatch(first.ETag), "better", map[string]string{"stage": "canary"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Get(t.Context(), first.Ref)
	if err != nil || cmp.Diff(second, got) != "" || second.UID != first.UID || second.Generation != 2 || second.ETag == first.ETag {
		t.Errorf("%v: %+v\n%s", err, second, cmp.Diff(second, got))
	}
	_, err = put(port.IfMatch(first.ETag), "worse", nil)
	wantCode(t, err, port.CodeETagMismatch)
	_, err = r.Put(t.Context(), port.Write{Ref: VersionRef(name, 9), Model: name, Attributes: first.Attributes, If: port.IfPresent()})
	wantCode(t, err, port.CodeNotFound)
	_, err = r.Delete(t.Context(), port.Delete{Ref: first.Ref, If: port.IfMatch(first.ETag)})
	wantCode(t, err, port.CodeETagMismatch)
}

// all reads every page of a list.
func all(t *testing.T, r port.Registry, kind, of string) []string {
	t.Helper()
	var out []string
	for token := ""; ; {
		page, err := r.List(t.Context(), kind, of, port.PageRequest{Size: 2, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Objects) > 2 {
			t.Fatalf("a page of %d", len(page.Objects))
		}
		for _, o := range page.Objects {
			out = append(out, o.ID)
			if one, err := r.Get(t.Context(), o.Ref); err != nil || cmp.Diff(one, o) != "" {
				t.Errorf("%s is listed otherwise than it is read: %v\n%s", o.Ref, err, cmp.Diff(one, o))
			}
		}
		if token = page.Next; token == "" {
			slices.Sort(out)
			return out
		}
	}
}

func listedUnderModels(t *testing.T, r port.Registry) {
	one, two := model(t, r, "lists one"), model(t, r, "it's \u00e9 list")
	for range 3 {
		Add(t, r, one, "s3://bucket/k")
	}
	Add(t, r, two, "s3://bucket/k")
	for _, alias := range []string{"a", "b", "c"} {
		if _, err := Point(t, r, one, alias, 1, port.IfAbsent()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Point(t, r, two, "a", 1, port.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{one + "/1", one + "/2", one + "/3"}, all(t, r, port.ModelVersion, one)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{two + "/1"}, all(t, r, port.ModelVersion, two)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{one + "/a", one + "/b", one + "/c"}, all(t, r, port.ModelAlias, one)); diff != "" {
		t.Error(diff)
	}
	for _, kind := range []string{port.ModelVersion, port.ModelAlias} {
		every := all(t, r, kind, "")
		if compact := slices.Compact(slices.Clone(every)); len(compact) != len(every) {
			t.Errorf("listed twice: %v", every)
		}
		for _, name := range []string{one, two} {
			for _, id := range all(t, r, kind, name) {
				if !slices.Contains(every, id) {
					t.Errorf("%s %s is not in the list of all: %v", kind, id, every)
				}
			}
		}
		if of := all(t, r, kind, "no such model"); len(of) > 0 {
			t.Errorf("a model that is not there has %v", of)
		}
	}
}

func pointed(t *testing.T, r port.Registry) {
	name := model(t, r, "pointed")
	Add(t, r, name, "s3://bucket/k")
	_, err := Point(t, r, name, "champion", 2, port.IfAbsent())
	wantCode(t, err, port.CodeFailedPrecondition)
	_, err = Point(t, r, "no such model", "champion", 1, port.IfAbsent())
	wantCode(t, err, port.CodeFailedPrecondition)
	_, err = r.Get(t.Context(), AliasRef(name, "champion"))
	wantCode(t, err, port.CodeNotFound)
	_, err = r.Get(t.Context(), AliasRef("no such model", "champion"))
	wantCode(t, err, port.CodeNotFound)
	_, err = Point(t, r, name, "champion", 1, port.IfPresent())
	wantCode(t, err, port.CodeNotFound)

	made, err := Point(t, r, name, "champion", 1, port.IfAbsent())
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Get(t.Context(), made.Ref)
	if err != nil || cmp.Diff(made, got) != "" || !strings.Contains(string(got.Attributes), `"version":1,"reason":"because"`) || got.UID == "" || got.Generation != 1 {
		t.Errorf("%+v, %v\n%s", got, err, cmp.Diff(made, got))
	}
	_, err = Point(t, r, name, "champion", 1, port.IfAbsent())
	wantCode(t, err, port.CodeAlreadyExists)
	// An alias is no change of its model, nor of the version.
	if m, err := r.Get(t.Context(), Ref(name)); err != nil || m.Generation != 1 {
		t.Errorf("the model is now %+v, %v", m, err)
	}
	was, err := r.Delete(t.Context(), port.Delete{Ref: made.Ref, If: port.IfMatch(made.ETag)})
	if err != nil || was.UID != made.UID {
		t.Errorf("%+v, %v", was, err)
	}
	_, err = r.Delete(t.Context(), port.Delete{Ref: made.Ref, If: port.IfPresent()})
	wantCode(t, err, port.CodeNotFound)
	again, err := Point(t, r, name, "champion", 1, port.IfAbsent())
	if err != nil || again.UID == made.UID {
		t.Errorf("made again: %+v, %v", again, err)
	}
}

func moved(t *testing.T, r port.Registry) {
	name := model(t, r, "moved")
	for range 3 {
		Add(t, r, name, "s3://bucket/k")
	}
	first, err := Point(t, r, name, "champion", 1, port.IfAbsent())
	if err != nil {
		t.Fatal(err)
	}
	second, err := Point(t, r, name, "champion", 2, port.IfMatch(first.ETag))
	if err != nil || second.UID != first.UID || second.Generation != 2 {
		t.Fatalf("%+v, %v", second, err)
	}
	_, err = Point(t, r, name, "champion", 3, port.IfMatch(first.ETag))
	wantCode(t, err, port.CodeETagMismatch)
	_, err = Point(t, r, name, "champion", 9, port.IfMatch(second.ETag))
	wantCode(t, err, port.CodeFailedPrecondition)
	got, err := r.Get(t.Context(), first.Ref)
	if err != nil || cmp.Diff(second, got) != "" {
		t.Errorf("moves that were refused changed it: %v\n%s", err, cmp.Diff(second, got))
	}
	// Back is a move like any other, and not the revision of before.
	third, err := Point(t, r, name, "champion", 1, port.IfMatch(second.ETag))
	if err != nil || third.ETag == first.ETag || string(third.Attributes) != string(first.Attributes) {
		t.Errorf("%+v, %v", third, err)
	}
}

func heldByAlias(t *testing.T, r port.Registry) {
	name := model(t, r, "held")
	one, _ := Add(t, r, name, "s3://bucket/k"), Add(t, r, name, "s3://bucket/k")
	var last port.Object
	for _, alias := range []string{"champion", "shadow"} {
		var err error
		if last, err = Point(t, r, name, alias, 1, port.IfAbsent()); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.Delete(t.Context(), port.Delete{Ref: one.Ref, If: port.IfMatch(one.ETag)})
	wantCode(t, err, port.CodeFailedPrecondition)
	if err != nil && (!strings.Contains(err.Error(), "champion") || !strings.Contains(err.Error(), "shadow") || !strings.Contains(err.Error(), "create_before_destroy")) {
		t.Errorf("does not say what holds it and what to do: %v", err)
	}
	if _, err := Point(t, r, name, "champion", 2, port.IfPresent()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Delete(t.Context(), port.Delete{Ref: last.Ref, If: port.IfPresent()}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Delete(t.Context(), port.Delete{Ref: one.Ref, If: port.IfMatch(one.ETag)}); err != nil {
		t.Errorf("with nothing pointing at it: %v", err)
	}
}

func cascaded(t *testing.T, r port.Registry) {
	name := model(t, r, "cascaded")
	Add(t, r, name, "s3://bucket/k")
	if _, err := Point(t, r, name, "champion", 1, port.IfAbsent()); err != nil {
		t.Fatal(err)
	}
	_, err := r.Delete(t.Context(), port.Delete{Ref: Ref(name), If: port.IfPresent()})
	wantCode(t, err, port.CodeFailedPrecondition)
	if _, err := r.Delete(t.Context(), port.Delete{Ref: Ref(name), If: port.IfPresent(), Cascade: true}); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []port.Ref{Ref(name), VersionRef(name, 1), AliasRef(name, "champion")} {
		_, err := r.Get(t.Context(), ref)
		wantCode(t, err, port.CodeNotFound)
	}
}
