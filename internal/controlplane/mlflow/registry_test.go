package mlflow_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/mlflow"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/registrytest"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

func TestARealServer(t *testing.T) {
	server := testtools.StartMLflow(t)
	registry, err := mlflow.New(mlflow.Options{TrackingURI: server + "/"})
	if err != nil {
		t.Fatal(err)
	}
	python := ownClient(t, server)

	t.Run("contract", func(t *testing.T) { registrytest.Run(t, registry) })

	t.Run("MLflow's own client sees the description and the tags", func(t *testing.T) {
		o := registrytest.Create(t, registry, "seen", registrytest.Attributes(t, "seen", "Scores payments", map[string]string{"team": "risk", "tier": "1"}))
		const show = "m = c.get_registered_model('seen')\nprint(json.dumps([m.description, {k: v for k, v in sorted(m.tags.items()) if not k.startswith('mlops.')}]))"
		if diff := cmp.Diff(`["Scores payments", {"team": "risk", "tier": "1"}]`, python(t, show)); diff != "" {
			t.Error(diff)
		}
		if _, err := registry.Put(t.Context(), port.Write{Ref: registrytest.Ref("seen"), Attributes: registrytest.Attributes(t, "seen", "", map[string]string{"team": "payments"}), If: port.IfMatch(o.ETag)}); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(`["", {"team": "payments"}]`, python(t, show)); diff != "" {
			t.Error(diff)
		}
	})

	t.Run("what others change shows, and what others add stays", func(t *testing.T) {
		o := registrytest.Create(t, registry, "shared", registrytest.Attributes(t, "shared", "ours", map[string]string{"team": "risk", "tier": "1", "gone": "x"}))
		python(t, `
c.update_registered_model('shared', 'theirs')
c.set_registered_model_tag('shared', 'tier', '2')
c.delete_registered_model_tag('shared', 'gone')
c.set_registered_model_tag('shared', 'foreign', 'stays')`)
		got, err := registry.Get(t.Context(), registrytest.Ref("shared"))
		if err != nil {
			t.Fatal(err)
		}
		var shown struct {
			Description, Owner string
			Tags               map[string]string
		}
		if err := json.Unmarshal(got.Attributes, &shown); err != nil {
			t.Fatal(err)
		}
		if shown.Description != "theirs" || shown.Owner != "risk-ml" || cmp.Diff(map[string]string{"team": "risk", "tier": "2"}, shown.Tags) != "" {
			t.Errorf("read back: %s", got.Attributes)
		}
		if got.ETag == o.ETag {
			t.Error("the revision is still the one from before the change")
		}
		_, err = registry.Put(t.Context(), port.Write{Ref: registrytest.Ref("shared"), Attributes: o.Attributes, If: port.IfMatch(o.ETag)})
		if port.CodeOf(err) != port.CodeETagMismatch {
			t.Errorf("a write over a change that was not seen: %v", err)
		}
		// Declaring the same again mends it, but for what was never ours.
		mended, err := registry.Put(t.Context(), port.Write{Ref: registrytest.Ref("shared"), Attributes: o.Attributes, If: port.IfMatch(got.ETag)})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(o.Attributes), string(mended.Attributes)); diff != "" {
			t.Error(diff)
		}
		tags := python(t, "print(json.dumps({k: v for k, v in sorted(c.get_registered_model('shared').tags.items()) if not k.startswith('mlops.')}))")
		if diff := cmp.Diff(`{"foreign": "stays", "gone": "x", "team": "risk", "tier": "1"}`, tags); diff != "" {
			t.Error(diff)
		}
		// Removing all of ours removes only ours.
		if _, err := registry.Put(t.Context(), port.Write{Ref: registrytest.Ref("shared"), Attributes: registrytest.Attributes(t, "shared", "", nil), If: port.IfPresent()}); err != nil {
			t.Fatal(err)
		}
		if tags := python(t, "print(sorted(k for k in c.get_registered_model('shared').tags if not k.startswith('mlops.')))"); tags != "['foreign']" {
			t.Errorf("left: %s", tags)
		}
	})

	t.Run("registering a version is no change of the model", func(t *testing.T) {
		o := registrytest.Create(t, registry, "versioned", registrytest.Attributes(t, "versioned", "", nil))
		python(t, "import time\ntime.sleep(0.01)\nc.create_model_version('versioned', 's3://bucket/a')\nc.set_registered_model_alias('versioned', 'champion', '1')")
		got, err := registry.Get(t.Context(), registrytest.Ref("versioned"))
		if err != nil || got.ETag != o.ETag {
			t.Errorf("revision %s became %s, %v", o.ETag, got.ETag, err)
		}
	})

	t.Run("a model with versions is deleted only when that is asked for", func(t *testing.T) {
		for _, name := range []string{"full", "it's full", `"it's" full`} {
			o := registrytest.Create(t, registry, name, registrytest.Attributes(t, name, "", nil))
			quoted, _ := json.Marshal(name)
			python(t, "n = json.loads("+string(mustJSON(string(quoted)))+")\nfor i in range(3): c.create_model_version(n, 's3://bucket/a')")
			_, err := registry.Delete(t.Context(), port.Delete{Ref: registrytest.Ref(name), If: port.IfMatch(o.ETag)})
			want := "3 versions"
			if strings.Contains(name, `"`) {
				want = "at least 1 version" // MLflow's filter cannot name it
			}
			if port.CodeOf(err) != port.CodeFailedPrecondition || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := registry.Delete(t.Context(), port.Delete{Ref: registrytest.Ref(name), If: port.IfMatch(o.ETag), Cascade: true}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := registry.Get(t.Context(), registrytest.Ref(name)); port.CodeOf(err) != port.CodeNotFound {
				t.Errorf("%s is still there: %v", name, err)
			}
		}
	})

	t.Run("a model that others made can be read, and taken over", func(t *testing.T) {
		python(t, "c.create_registered_model('theirs', {'team': 'x', 'k': 'v'}, 'made in a notebook')")
		got, err := registry.Get(t.Context(), registrytest.Ref("theirs"))
		if err != nil {
			t.Fatal(err)
		}
		want := `{"deletion_policy":"prevent","description":"made in a notebook","false_alarms_per_30d":null,"name":"theirs","owner":null,"risk":null,"tags":null,"waivers":null}`
		if string(got.Attributes) != want || got.Generation != 0 {
			t.Errorf("read as %d %s", got.Generation, got.Attributes)
		}
		_, err = registry.Put(t.Context(), port.Write{Ref: registrytest.Ref("theirs"), Attributes: got.Attributes, If: port.IfAbsent()})
		if port.CodeOf(err) != port.CodeAlreadyExists {
			t.Errorf("creating what is there: %v", err)
		}
		taken, err := registry.Put(t.Context(), port.Write{Ref: registrytest.Ref("theirs"), Attributes: registrytest.Attributes(t, "theirs", "made in a notebook", map[string]string{"team": "x"}), If: port.IfMatch(got.ETag)})
		if err != nil || taken.Generation != 1 || taken.UID != got.UID {
			t.Errorf("taken over: %+v, %v", taken, err)
		}
		if tags := python(t, "t = c.get_registered_model('theirs').tags\nprint(t['team'], t['k'])"); tags != "x v" {
			t.Errorf("tags are now %s", tags)
		}
	})

	t.Run("a model renamed in MLflow has its new name", func(t *testing.T) {
		registrytest.Create(t, registry, "old", registrytest.Attributes(t, "old", "", nil))
		python(t, "c.rename_registered_model('old', 'new')")
		if _, err := registry.Get(t.Context(), registrytest.Ref("old")); port.CodeOf(err) != port.CodeNotFound {
			t.Errorf("old: %v", err)
		}
		got, err := registry.Get(t.Context(), registrytest.Ref("new"))
		if err != nil || !strings.Contains(string(got.Attributes), `"name":"new"`) {
			t.Errorf("new: %s, %v", got.Attributes, err)
		}
	})

	t.Run("a document somebody spoilt is read as a model that others made", func(t *testing.T) {
		registrytest.Create(t, registry, "spoilt", registrytest.Attributes(t, "spoilt", strings.Repeat("long ", 900), nil))
		python(t, "for k in c.get_registered_model('spoilt').tags:\n  if k.endswith('.0'): c.set_registered_model_tag('spoilt', k, 'oops')")
		got, err := registry.Get(t.Context(), registrytest.Ref("spoilt"))
		if err != nil || got.Generation != 0 || !json.Valid(got.Attributes) {
			t.Errorf("%+v, %v", got, err)
		}
	})

	t.Run("a prompt is no model", func(t *testing.T) {
		python(t, "import mlflow\nmlflow.set_tracking_uri('"+server+"')\nmlflow.genai.register_prompt('greeting', 'Hello')")
		if _, err := registry.Get(t.Context(), registrytest.Ref("greeting")); port.CodeOf(err) != port.CodeFailedPrecondition {
			t.Errorf("read: %v", err)
		}
		_, err := registry.Put(t.Context(), port.Write{Ref: registrytest.Ref("greeting"), Attributes: registrytest.Attributes(t, "greeting", "", nil), If: port.IfAbsent()})
		if port.CodeOf(err) != port.CodeFailedPrecondition || !strings.Contains(err.Error(), "prompt") {
			t.Errorf("create: %v", err)
		}
	})

	t.Run("no long tag values and no pieces of old documents are left", func(t *testing.T) {
		o := registrytest.Create(t, registry, "pieces", registrytest.Attributes(t, "pieces", strings.Repeat("a", 4990), nil))
		for _, description := range []string{strings.Repeat("b", 4990), "short"} {
			var err error
			if o, err = registry.Put(t.Context(), port.Write{Ref: registrytest.Ref("pieces"), Attributes: registrytest.Attributes(t, "pieces", description, nil), If: port.IfMatch(o.ETag)}); err != nil {
				t.Fatal(err)
			}
			longest := python(t, "t = c.get_registered_model('pieces').tags\nprint(max(len(v) for v in t.values()) <= 5000, len(t))")
			want := "True 3" // two pieces and what names them
			if description == "short" {
				want = "True 1"
			}
			if longest != want {
				t.Errorf("at most 5000 characters, and how many tags: %s, want %s", longest, want)
			}
		}
	})

	t.Run("a wrong path of the address never means that a model is gone", func(t *testing.T) {
		wrong, err := mlflow.New(mlflow.Options{TrackingURI: server + "/prefix"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := wrong.Get(t.Context(), registrytest.Ref("seen")); port.CodeOf(err) != port.CodeRegistryError {
			t.Errorf("read: %v", err)
		}
	})

	t.Run("a path prefix is kept, and credentials are sent", func(t *testing.T) {
		var authorization, path string
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			authorization, path = r.Header.Get("Authorization"), r.URL.Path
			http.Redirect(w, r, server, http.StatusFound)
		}))
		defer proxy.Close()
		for want, o := range map[string]mlflow.Options{
			"Basic dTpw":   {Username: "u", Password: "p", Token: "t"},
			"Bearer t":     {Username: "u", Token: "t"},
			"Basic dTpwdw": {TrackingURI: strings.Replace(proxy.URL, "http://", "http://u:pw@", 1)},
		} {
			if o.TrackingURI == "" {
				o.TrackingURI = proxy.URL
			}
			o.TrackingURI += "/team/mlflow/"
			r, err := mlflow.New(o)
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.Get(t.Context(), registrytest.Ref("m"))
			if port.CodeOf(err) != port.CodeRegistryError || !strings.Contains(err.Error(), "redirects") || strings.Contains(err.Error(), "pw") {
				t.Errorf("%s: %v", want, err)
			}
			if strings.TrimRight(authorization, "=") != want || path != "/team/mlflow/api/2.0/mlflow/registered-models/get" {
				t.Errorf("sent %s to %s, want %s", authorization, path, want)
			}
		}
	})
}

// ownClient runs scripts with MLflow's own Python client, c, in one interpreter:
// importing it takes seconds.
func ownClient(t *testing.T, server string) func(t *testing.T, script string) string {
	t.Helper()
	cmd := exec.Command(testtools.Python(t), "-c", `
import contextlib, io, json, sys, traceback
from mlflow import MlflowClient
c = MlflowClient(sys.argv[1], sys.argv[1])
for line in sys.stdin:
    out, error = io.StringIO(), ""
    try:
        with contextlib.redirect_stdout(out):
            exec(json.loads(line), {"c": c, "json": json})
    except Exception:
        error = traceback.format_exc()
    print(json.dumps({"out": out.getvalue().strip(), "error": error}), flush=True)
`, server)
	cmd.Env = append(os.Environ(), "MLFLOW_DISABLE_TELEMETRY=true", "DO_NOT_TRACK=true")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	answers := json.NewDecoder(stdout)
	return func(t *testing.T, script string) string {
		t.Helper()
		if _, err := stdin.Write(append(mustJSON(script), '\n')); err != nil {
			t.Fatal(err)
		}
		var answer struct{ Out, Error string }
		if err := answers.Decode(&answer); err != nil || answer.Error != "" {
			t.Fatalf("MLflow's own client: %v\n%s", err, answer.Error)
		}
		return answer.Out
	}
}

func mustJSON(s string) []byte {
	out, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return out
}
