package main

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/zclconf/go-cty/cty"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/token"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/lint"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

// versionVariable names the release that the provider under test is to be.
const versionVariable = "MLOPS_TEST_VERSION"

// The scripts under testdata/script run the real Terraform or OpenTofu with the
// real provider: this test binary, under the provider's name.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"terraform-provider-mlops": func() {
			version = "1.0.0" // a release: only releases remember reviews
			if other := os.Getenv(versionVariable); other != "" {
				version = other
			}
			main()
		},
	})
}

func TestTerraform(t *testing.T) {
	runScripts(t, "script", nil)
}

func TestTerraformWithMLflow(t *testing.T) {
	python := testtools.Python(t)
	server := testtools.StartMLflow(t)
	runScripts(t, "script-mlflow", func(env *testscript.Env) {
		env.Setenv("MLFLOW", server)
		env.Setenv("PYTHON", python)
	})
}

// What the documentation generator takes from examples must be there for each kind.
func TestEveryKindHasExamples(t *testing.T) {
	for _, kind := range spec.All() {
		for _, name := range []string{"resources/%s/resource.tf", "resources/%s/import.sh", "data-sources/%s/data-source.tf"} {
			if _, err := os.Stat(filepath.Join("examples", fmt.Sprintf(name, kind.TerraformType()))); err != nil {
				t.Error(err)
			}
		}
	}
}

// runScripts runs the scripts of a folder under testdata.
func runScripts(t *testing.T, folder string, setup func(*testscript.Env)) {
	terraform := testtools.Require(t, testtools.Terraform)
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", folder),
		RequireUniqueNames:  true,
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Values[mintedKey{}] = &mintedTokens{}
			provider, err := exec.LookPath("terraform-provider-mlops")
			if err != nil {
				return err
			}
			configuration := filepath.Join(env.WorkDir, ".cli.tfrc")
			// An absolute path to this checkout is in the environment only, so that no
			// script and no golden file can depend on it.
			root, err := os.Getwd()
			if err != nil {
				return err
			}
			env.Setenv("README", filepath.Join(root, "README.md"))
			env.Setenv("EXAMPLES", filepath.Join(root, "examples"))
			env.Setenv("STATES", filepath.Join(root, filepath.FromSlash(statesFolder)))
			env.Setenv("QUICKSTART", filepath.Join(root, "examples", "quickstart"))
			env.Setenv("GOLDEN", filepath.Join(root, "internal", "stats", "testdata"))
			env.Setenv("TF_CLI_CONFIG_FILE", configuration)
			env.Setenv("CHECKPOINT_DISABLE", "1")
			env.Setenv("TF_IN_AUTOMATION", "1")
			env.Setenv("TF_CLI_ARGS_plan", "-no-color -input=false")
			env.Setenv("TF_CLI_ARGS_apply", "-no-color -input=false")
			env.Setenv("TF_CLI_ARGS_destroy", "-no-color -input=false")
			env.Setenv("TF_CLI_ARGS_import", "-no-color -input=false")
			env.Setenv("TF_CLI_ARGS_validate", "-no-color")
			env.Setenv("TERRAFORM", terraform)
			if setup != nil {
				setup(env)
			}
			return os.WriteFile(configuration, fmt.Appendf(nil, "provider_installation {\n  dev_overrides {\n    \"mlops-as-code/mlops\" = %q\n  }\n  direct {}\n}\n", filepath.Dir(provider)), 0o600)
		},
		Condition: func(condition string) (bool, error) {
			if condition == "identity" {
				return hasIdentities(terraform)
			}
			return false, fmt.Errorf("no condition %q", condition)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"tf":            runTerraform,
			"race":          raceTerraform,
			"kill9":         killDuring,
			"kept":          listKept,
			"answers":       listAnswers,
			"forget":        deleteKept,
			"meddle":        rewriteKept,
			"history":       listHistory,
			"point":         pointElsewhere,
			"attributes":    printKept,
			"blackhole":     blackHole,
			"serve":         serve,
			"rollback":      rollBack,
			"register":      registerVersion,
			"requests":      countRequests,
			"forget-remote": deleteServed,
			"figure":        checkFigure,
			"output":        checkOutput,
			"unsaved":       checkUnsaved,
			"minting":       listMinting,
			"replace":       replaceText,
			"planned":       checkPlanned,
			"copyfiles":     copyFiles,
			"examples":      applyExamples,
			"readme":        checkReadme,
			"samefindings":  checkSameFindings,
		},
	})
}

// hasIdentities reports whether a CLI imports by identity: from 1.12 on.
func hasIdentities(cli string) (bool, error) {
	out, err := exec.Command(cli, "version", "-json").Output()
	if err != nil {
		return false, err
	}
	var version struct {
		Version string `json:"terraform_version"`
	}
	if err := json.Unmarshal(out, &version); err != nil {
		return false, err
	}
	var major, minor int
	if _, err := fmt.Sscanf(version.Version, "%d.%d", &major, &minor); err != nil {
		return false, err
	}
	return major > 1 || minor >= 12, nil
}

// runTerraform runs the CLI: tf plan. Line breaks inside its messages are folded,
// so that a script can look for a whole sentence.
func runTerraform(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(ts.Getenv("TERRAFORM"), args...)
	output := foldMessages(ts.ReadFile("stdout") + ts.ReadFile("stderr"))
	ts.Check(os.WriteFile(ts.MkAbs("output"), []byte(output), 0o600))
	switch {
	case err != nil && !neg:
		ts.Fatalf("terraform %s: %v\n%s", strings.Join(args, " "), err, output)
	case err == nil && neg:
		ts.Fatalf("terraform %s succeeded:\n%s", strings.Join(args, " "), output)
	}
}

// foldMessages undoes the line breaks that the CLI puts into its prose.
func foldMessages(text string) string {
	var out strings.Builder
	prose := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		starts := line != "" && line[0] != ' ' && line[0] != '\t'
		if prose && starts {
			out.WriteString(" " + line)
			continue
		}
		if out.Len() > 0 {
			out.WriteByte('\n')
		}
		out.WriteString(line)
		prose = starts
	}
	return out.String() + "\n"
}

// TestBugsOfOtherProviders holds the provider against the kinds of bugs that users of
// providers in this field have reported, one script each.
func TestBugsOfOtherProviders(t *testing.T) {
	runScripts(t, "script-bugs", nil)
}

// TestExamplesApply runs every example that the documentation shows.
func TestExamplesApply(t *testing.T) {
	runScripts(t, "script-examples", nil)
}

// raceTerraform runs the CLI in several directories at once: race apply a b. Every
// run must succeed, or (race -or TEXT apply a b) fail with a message that has TEXT.
func raceTerraform(ts *testscript.TestScript, _ bool, args []string) {
	excuse := ""
	if args[0] == "-or" {
		excuse, args = args[1], args[2:]
	}
	var group sync.WaitGroup
	outputs, errs := make([]string, len(args)-1), make([]error, len(args)-1)
	for i, directory := range args[1:] {
		group.Go(func() {
			cmd := command(ts, directory, args[0], "-auto-approve")
			output, err := cmd.CombinedOutput()
			outputs[i], errs[i] = foldMessages(string(output)), err
		})
	}
	group.Wait()
	for i, err := range errs {
		if err != nil && (excuse == "" || !strings.Contains(outputs[i], excuse)) {
			ts.Fatalf("terraform %s in %s: %v\n%s", args[0], args[1+i], err, outputs[i])
		}
	}
}

func command(ts *testscript.TestScript, directory string, args ...string) *exec.Cmd {
	cmd := exec.Command(ts.Getenv("TERRAFORM"), args...)
	cmd.Dir = ts.MkAbs(directory)
	for _, name := range []string{"PATH", "HOME", "TF_CLI_CONFIG_FILE", "CHECKPOINT_DISABLE", "TF_IN_AUTOMATION", "TF_CLI_ARGS_apply", "TF_CLI_ARGS_plan", "MLFLOW", "MLOPS_ENDPOINT", "MLOPS_TOKEN", "MLOPS_ACTOR", "TMPDIR", "WORK", "TF_VAR_ticket_token"} {
		if value := ts.Getenv(name); value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}

// killDuring starts an apply and kills the provider with -9 once so many objects
// are kept: kill9 FILE COUNT.
func killDuring(ts *testscript.TestScript, _ bool, args []string) {
	file := ts.MkAbs(args[0])
	count, err := strconv.Atoi(args[1])
	ts.Check(err)
	cmd := command(ts, ".", "apply", "-auto-approve", "-parallelism=1")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	ts.Check(cmd.Start())
	done := make(chan struct{})
	go func() { _ = cmd.Wait(); close(done) }() // it fails: its provider is killed
	deadline := time.After(time.Minute)
	for killed := false; ; {
		select {
		case <-done:
			if !killed {
				ts.Fatalf("the apply ended before the provider was killed:\n%s", output.String())
			}
			return
		case <-deadline:
			_ = cmd.Process.Kill()
			ts.Fatalf("the apply hangs:\n%s", output.String())
		case <-time.After(2 * time.Millisecond):
		}
		if !killed && len(kept(ts, file)) >= count {
			// The provider is a child of the CLI; its command line is the test binary's.
			ts.Check(exec.Command("pkill", "-9", "-P", strconv.Itoa(cmd.Process.Pid)).Run())
			killed = true
		}
	}
}

func open(ts *testscript.TestScript, file string) (*client.Client, func()) {
	handler, closer, err := controlplane.OpenEmbedded(file, controlplane.Options{})
	ts.Check(err)
	return client.NewEmbedded(handler), func() { _ = closer.Close() }
}

func kept(ts *testscript.TestScript, file string) []string {
	plane, done := open(ts, file)
	defer done()
	var out []string
	for _, kind := range spec.All() {
		for object, err := range plane.List(context.Background(), kind.Name) {
			ts.Check(err)
			out = append(out, kind.Name+" "+object.ID)
		}
	}
	return out
}

// listKept writes what the control plane's file keeps to stdout, a line an object:
// kept mlops.db.
func listKept(ts *testscript.TestScript, _ bool, args []string) {
	out := strings.Join(kept(ts, ts.MkAbs(args[0])), "\n")
	ts.Check(os.WriteFile(ts.MkAbs("output"), []byte(out+"\n"), 0o600))
}

// listAnswers writes what the API answers about the objects of a kind: answers mlops.db kind
func listAnswers(ts *testscript.TestScript, _ bool, args []string) {
	plane, done := open(ts, ts.MkAbs(args[0]))
	defer done()
	var out bytes.Buffer
	for object, err := range plane.List(context.Background(), args[1]) {
		ts.Check(err)
		encoded, err := json.Marshal(object)
		ts.Check(err)
		out.Write(append(encoded, '\n'))
	}
	ts.Check(os.WriteFile(ts.MkAbs("output"), out.Bytes(), 0o600))
}

// deleteKept deletes an object behind Terraform's back: forget mlops.db KIND ID.
func deleteKept(ts *testscript.TestScript, _ bool, args []string) {
	plane, done := open(ts, ts.MkAbs(args[0]))
	defer done()
	object, err := plane.Get(context.Background(), args[1], args[2])
	ts.Check(err)
	ts.Check(plane.Delete(context.Background(), args[1], args[2], object.ETag))
}

// listHistory writes the moves of an alias to output, newest first: history mlops.db
// MODEL/ALIAS.
func listHistory(ts *testscript.TestScript, _ bool, args []string) {
	plane, done := open(ts, ts.MkAbs(args[0]))
	defer done()
	var out strings.Builder
	for move, err := range plane.History(context.Background(), "model_alias", args[1]) {
		ts.Check(err)
		fmt.Fprintf(&out, "%s: %d -> %d %s\n", move.Who, move.From, move.To, move.Reason)
	}
	ts.Check(os.WriteFile(ts.MkAbs("output"), []byte(out.String()), 0o600))
}

// pointElsewhere moves an alias behind Terraform's back: point mlops.db MODEL ALIAS
// VERSION.
func pointElsewhere(ts *testscript.TestScript, _ bool, args []string) {
	plane, done := open(ts, ts.MkAbs(args[0]))
	defer done()
	id := args[1] + "/" + args[2]
	object, err := plane.Get(context.Background(), "model_alias", id)
	ts.Check(err)
	_, err = plane.As("mallory").Update(context.Background(), "model_alias", id, object.ETag,
		json.RawMessage(fmt.Sprintf(`{"model":%q,"alias":%q,"version":%s,"reason":"by hand","waivers":null}`, args[1], args[2], args[3])))
	ts.Check(err)
}

// rewriteKept writes an object anew behind Terraform's back, which makes it another
// revision, and may change an attribute: meddle mlops.db KIND ID [ATTRIBUTE JSON].
func rewriteKept(ts *testscript.TestScript, _ bool, args []string) {
	plane, done := open(ts, ts.MkAbs(args[0]))
	defer done()
	object, err := plane.Get(context.Background(), args[1], args[2])
	ts.Check(err)
	if len(args) > 3 {
		object.Attributes, err = withAttribute(object.Attributes, args[3], args[4])
		ts.Check(err)
	}
	_, err = plane.Update(context.Background(), args[1], args[2], object.ETag, object.Attributes)
	ts.Check(err)
}

// withAttribute is a document with one attribute set to a JSON value.
func withAttribute(document json.RawMessage, name, value string) (json.RawMessage, error) {
	var attributes map[string]json.RawMessage
	if err := json.Unmarshal(document, &attributes); err != nil {
		return nil, err
	}
	attributes[name] = json.RawMessage(value)
	return json.Marshal(attributes)
}

// registerVersion registers a version of a model as a CI pipeline does, without
// Terraform: register mlops.db MODEL SOURCE.
func registerVersion(ts *testscript.TestScript, _ bool, args []string) {
	plane, done := open(ts, ts.MkAbs(args[0]))
	defer done()
	object, err := plane.As("ci").Add(context.Background(), "model_version", args[1], rand.Text(),
		json.RawMessage(fmt.Sprintf(`{"model":%q,"source":%q,"deletion_policy":"prevent"}`, args[1], args[2])))
	ts.Check(err)
	ts.Check(plane.Acknowledge(context.Background(), "model_version", object.ID))
	ts.Check(os.WriteFile(ts.MkAbs("output"), []byte(object.ID+"\n"), 0o600))
}

// printKept writes the JSON that the control plane's file has of an object:
// attributes mlops.db KIND ID.
func printKept(ts *testscript.TestScript, _ bool, args []string) {
	plane, done := open(ts, ts.MkAbs(args[0]))
	defer done()
	object, err := plane.Get(context.Background(), args[1], args[2])
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs("output"), append(object.Attributes, '\n'), 0o600))
}

// blackHole makes the endpoint a port that takes connections and never answers.
func blackHole(ts *testscript.TestScript, _ bool, _ []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = listener.Close() })
	ts.Setenv("MLOPS_ENDPOINT", "http://"+listener.Addr().String())
}

// serve runs a control plane for a team, on loopback, until the script ends, which may
// limit the requests of a second: serve [RATE]. With tokens, the environment has one of
// each role (TOKEN_READ and so on), and what is minted is noted: serve -tokens.
func serve(ts *testscript.TestScript, _ bool, args []string) {
	options := controlplane.ListenOptions{Address: "127.0.0.1:0", DataFile: ts.MkAbs("served.db")}
	withTokens := len(args) > 0 && args[0] == "-tokens"
	switch {
	case withTokens:
		options.TokenFile = filepath.Join(ts.Getenv("TMPDIR"), "tokens")
		for _, role := range []token.Role{token.Read, token.Plan, token.Apply, token.Admin} {
			secret := token.Generate()
			entry, err := token.NewEntry("the-"+role.String(), role, secret, time.Now(), time.Time{})
			ts.Check(err)
			ts.Check(token.Append(options.TokenFile, entry))
			ts.Setenv("TOKEN_"+strings.ToUpper(role.String()), secret)
		}
	case len(args) > 0:
		var err error
		options.Rate, err = strconv.ParseFloat(args[0], 64)
		ts.Check(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	listening, ended := make(chan string, 1), make(chan error, 1)
	options.OnListen = func(url string) { listening <- url }
	go func() { ended <- controlplane.Serve(ctx, options) }()
	ts.Defer(func() {
		cancel()
		if err := <-ended; err != nil {
			ts.Logf("the control plane ended: %v", err)
		}
	})
	select {
	case address := <-listening:
		if withTokens {
			address = watchMinting(ts, address)
		}
		ts.Setenv("MLOPS_ENDPOINT", address)
	case err := <-ended:
		ended <- err
		ts.Fatalf("the control plane does not start: %v", err)
	}
}

// rollBack puts a proxy before the served control plane that accepts writes of a kind
// and rolls one attribute back: its answer is a success, and has what is kept then, as
// the answer of an endpoint does that has gone back to its last configuration. rollback
// KIND ATTRIBUTE JSON
func rollBack(ts *testscript.TestScript, _ bool, args []string) {
	endpoint := ts.Getenv("MLOPS_ENDPOINT")
	plane, err := client.New(client.Options{Endpoint: endpoint})
	ts.Check(err)
	upstream, err := url.Parse(endpoint)
	ts.Check(err)
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	proxy.ModifyResponse = func(answer *http.Response) error {
		method := answer.Request.Method
		if method != http.MethodPut && method != http.MethodPost || answer.StatusCode > 299 || !strings.HasPrefix(answer.Request.URL.Path, "/v1/"+args[0]+"/") {
			return nil
		}
		var object *client.Object
		if err := json.NewDecoder(answer.Body).Decode(&object); err != nil {
			return err
		}
		attributes, err := withAttribute(object.Attributes, args[1], args[2])
		if err != nil {
			return err
		}
		if object, err = plane.Update(context.Background(), object.Kind, object.ID, object.ETag, attributes); err != nil {
			return err
		}
		body, err := json.Marshal(object)
		answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		answer.Header.Set("Content-Length", strconv.Itoa(len(body)))
		answer.Header.Set("ETag", object.ETag)
		return err
	}
	server := httptest.NewServer(proxy)
	ts.Defer(server.Close)
	ts.Setenv("HONEST_ENDPOINT", endpoint)
	ts.Setenv("MLOPS_ENDPOINT", server.URL)
}

// countRequests writes to output how many requests the served control plane has
// answered, by status code, and fails where there are more of all: requests MOST.
func countRequests(ts *testscript.TestScript, _ bool, args []string) {
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	answer, err := http.Get(ts.Getenv("MLOPS_ENDPOINT") + "/metrics")
	ts.Check(err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	ts.Check(err)
	total, byCode := 0, map[string]int{}
	for _, match := range regexp.MustCompile(`(?m)^mlops_http_requests_total\{code="(\d+)",.*\} (\d+)$`).FindAllStringSubmatch(string(text), -1) {
		count, err := strconv.Atoi(match[2])
		ts.Check(err)
		byCode[match[1]] += count
		total += count
	}
	var out strings.Builder
	for _, code := range slices.Sorted(maps.Keys(byCode)) {
		fmt.Fprintf(&out, "%s: %d\n", code, byCode[code])
	}
	ts.Check(os.WriteFile(ts.MkAbs("output"), []byte(out.String()), 0o600))
	if total == 0 || total > most {
		ts.Fatalf("the control plane has answered %d requests, of at most %d:\n%s", total, most, text)
	}
	ts.Logf("%d requests", total)
}

// deleteServed deletes an object of the served control plane behind Terraform's
// back: forget-remote KIND ID.
func deleteServed(ts *testscript.TestScript, _ bool, args []string) {
	plane, err := client.New(client.Options{Endpoint: ts.Getenv("MLOPS_ENDPOINT")})
	ts.Check(err)
	object, err := plane.Get(context.Background(), args[0], args[1])
	ts.Check(err)
	ts.Check(plane.Delete(context.Background(), args[0], args[1], object.ETag))
}

// checkFigure compares an output's number: figure NAME VALUE TOLERANCE, the
// tolerance being relative.
func checkFigure(ts *testscript.TestScript, _ bool, args []string) {
	out, err := command(ts, ".", "output", "-json").Output()
	ts.Check(err)
	var outputs map[string]struct{ Value json.RawMessage }
	ts.Check(json.Unmarshal(out, &outputs))
	got, err := strconv.ParseFloat(string(outputs[args[0]].Value), 64)
	ts.Check(err)
	want, err := strconv.ParseFloat(args[1], 64)
	ts.Check(err)
	tolerance, err := strconv.ParseFloat(args[2], 64)
	ts.Check(err)
	if difference := got - want; difference > tolerance*want || -difference > tolerance*want {
		ts.Fatalf("%s is %v, and should be %v within %v", args[0], got, want, tolerance)
	}
}

// checkOutput compares an output's text: output NAME TEXT.
func checkOutput(ts *testscript.TestScript, _ bool, args []string) {
	out, err := command(ts, ".", "output", "-raw", args[0]).Output()
	ts.Check(err)
	if string(out) != args[1] {
		ts.Fatalf("%s is\n%s\nand should be\n%s", args[0], out, args[1])
	}
}

// checkUnsaved holds every file below the script's folder, archives unpacked, against
// the tokens that the control plane's audit log says were minted: none may be there.
// The answers with the tokens are what the proxy of mintedTokens saw: unsaved COUNT.
func checkUnsaved(ts *testscript.TestScript, _ bool, args []string) {
	seen, _ := ts.Value(mintedKey{}).(*mintedTokens)
	if seen == nil {
		ts.Fatalf("unsaved: nothing was watched; begin with: serve -tokens")
	}
	tokens := seen.all()
	if got := strconv.Itoa(len(tokens)); got != args[0] {
		ts.Fatalf("%s tokens were minted, and not %s", got, args[0])
	}
	looked := 0
	look := func(name string, data []byte) {
		looked++
		for _, token := range tokens {
			if bytes.Contains(data, []byte(token)) {
				ts.Fatalf("%s has a token", name)
			}
		}
	}
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		look(path, data)
		if archive, err := zip.NewReader(bytes.NewReader(data), int64(len(data))); err == nil { // a saved plan
			for _, member := range archive.File {
				content, err := member.Open()
				if err != nil {
					return err
				}
				inner, err := io.ReadAll(content)
				if err != nil {
					return err
				}
				look(path+" "+member.Name, inner)
			}
		}
		return nil
	}))
	ts.Logf("%d files and members", looked)
}

// checkPlanned compares the actions of a saved plan: planned plan.tfplan
// mlops_baseline.x=update. Objects without a change are left out.
func checkPlanned(ts *testscript.TestScript, _ bool, args []string) {
	cmd := command(ts, ".", "show", "-json", args[0])
	out, err := cmd.Output()
	ts.Check(err)
	var plan struct {
		ResourceChanges []struct {
			Address string
			Change  struct {
				Actions       []string
				Before, After map[string]json.RawMessage
			}
		} `json:"resource_changes"`
	}
	ts.Check(json.Unmarshal(out, &plan))
	want, got := strings.Join(args[1:], "\n"), []string{}
	for _, change := range plan.ResourceChanges {
		actions := strings.Join(change.Change.Actions, "+")
		if actions == "no-op" {
			continue
		}
		line := change.Address + "=" + actions
		if actions == "update" {
			var changed []string
			for _, name := range slices.Sorted(maps.Keys(change.Change.After)) {
				if !bytes.Equal(change.Change.Before[name], change.Change.After[name]) {
					changed = append(changed, name)
				}
			}
			line += "(" + strings.Join(changed, ",") + ")"
		}
		got = append(got, line)
	}
	if have := strings.Join(got, "\n"); have != want {
		ts.Fatalf("the plan does\n%s\nand should do\n%s", have, want)
	}
}

// replaceText edits a file: replace FILE OLD NEW. OLD must be there once.
func replaceText(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	if strings.Count(text, args[1]) != 1 {
		ts.Fatalf("%q stands %d times in %s", args[1], strings.Count(text, args[1]), args[0])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(text, args[1], args[2], 1)), 0o600))
}

// copyFiles copies a directory of this checkout into the script's: copyfiles FROM TO.
func copyFiles(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.CopyFS(ts.MkAbs(args[1]), os.DirFS(args[0])))
}

// applyExamples applies each example of a kind of example in a folder of its own:
// examples resources. That of a data source reads what the example of the resource
// has made.
func applyExamples(ts *testscript.TestScript, _ bool, args []string) {
	folder := filepath.Join(ts.Getenv("EXAMPLES"), args[0])
	entries, err := os.ReadDir(folder)
	ts.Check(err)
	run := func(directory string, commands ...[]string) {
		for _, arguments := range commands {
			output, err := command(ts, directory, arguments...).CombinedOutput()
			if err != nil {
				ts.Fatalf("%s: terraform %s: %v\n%s", directory, strings.Join(arguments, " "), err, output)
			}
			ts.Logf("%s", output)
		}
	}
	place := func(from, directory string) {
		ts.Check(os.CopyFS(ts.MkAbs(directory), os.DirFS(from)))
		ts.Check(os.WriteFile(filepath.Join(ts.MkAbs(directory), "provider.tf"), []byte("terraform {\n  required_providers {\n    mlops = {\n      source = \"mlops-as-code/mlops\"\n    }\n  }\n}\n"), 0o600))
	}
	apply := []string{"apply", "-auto-approve"}
	for _, entry := range entries {
		name := entry.Name()
		place(filepath.Join(folder, name), name)
		if _, err := os.Stat(filepath.Join(ts.Getenv("EXAMPLES"), "resources", name)); args[0] == "data-sources" && err == nil {
			place(filepath.Join(ts.Getenv("EXAMPLES"), "resources", name), name+"-made")
			run(name+"-made", apply)
			ts.Check(os.Rename(filepath.Join(ts.MkAbs(name+"-made"), "mlops.db"), filepath.Join(ts.MkAbs(name), "mlops.db")))
		}
		run(name, apply, []string{"plan", "-detailed-exitcode"}, []string{"output", "-json"})
	}
}

// checkReadme holds the plan that the README shows against the output of the last
// command: readme.
func checkReadme(ts *testscript.TestScript, _ bool, _ []string) {
	readme, err := os.ReadFile(ts.Getenv("README"))
	ts.Check(err)
	_, block, found := strings.Cut(string(readme), "$ terraform plan\n")
	block, _, closed := strings.Cut(block, "```")
	if !found || !closed {
		ts.Fatalf("the README shows no plan")
	}
	output := ts.ReadFile("stderr")
	for line := range strings.Lines(block) {
		if !strings.Contains(output, line) {
			ts.Fatalf("the README's plan has a line that the CLI does not print:\n%s", line)
		}
	}
}

// checkSameFindings lints a Terraform file, the JSON of a real plan of it, and the
// same bodies as a spec file, and compares findings and figures:
// samefindings FILE.tfplan FILE.tf RULE... The rules must be among them.
func checkSameFindings(ts *testscript.TestScript, _ bool, args []string) {
	plan, err := command(ts, ".", "show", "-json", args[0]).Output()
	ts.Check(err)
	planFile, specFile := ts.MkAbs("plan.json"), ts.MkAbs("policy.mlops.hcl")
	ts.Check(os.WriteFile(planFile, plan, 0o600))
	ts.Check(os.WriteFile(specFile, []byte(asSpecFile(ts.ReadFile(args[1]))), 0o600))

	lintAs := func(path string) string {
		report := lint.Run(context.Background(), lint.Options{Paths: []string{path}})
		for _, problem := range report.Problems {
			ts.Fatalf("%s: %v", filepath.Base(path), problem)
		}
		var out strings.Builder
		for _, finding := range report.Findings {
			fmt.Fprintf(&out, "%s %s %s %s\n  %s\n  %s\n", finding.Rule, finding.Severity,
				strings.TrimPrefix(finding.Address, spec.TerraformPrefix), spec.PathString(finding.Path),
				strings.ReplaceAll(finding.Detail, spec.TerraformPrefix, ""), strings.ReplaceAll(finding.Fix, spec.TerraformPrefix, ""))
		}
		for _, result := range report.Results {
			if result.Figures != cty.NilVal {
				fmt.Fprintf(&out, "%s %#v\n", strings.TrimPrefix(result.Object.Address, spec.TerraformPrefix), result.Figures)
			}
		}
		return out.String()
	}
	fromTerraform, fromPlan, fromSpec := lintAs(ts.MkAbs(args[1])), lintAs(planFile), lintAs(specFile)
	if diff := cmp.Diff(sortedBlocks(fromTerraform), sortedBlocks(fromPlan)); diff != "" {
		ts.Fatalf("the file and its plan disagree (-file +plan):\n%s", diff)
	}
	if diff := cmp.Diff(sortedBlocks(fromTerraform), sortedBlocks(fromSpec)); diff != "" {
		ts.Fatalf("the Terraform file and the spec file disagree (-terraform +spec):\n%s", diff)
	}
	for _, rule := range args[2:] {
		if !strings.Contains(fromTerraform, rule+" ") {
			ts.Fatalf("no finding of %s among\n%s", rule, fromTerraform)
		}
	}
}

// sortedBlocks puts findings in an order that does not depend on where they stand
// in a file.
func sortedBlocks(text string) []string {
	var blocks []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, " ") && len(blocks) > 0 {
			blocks[len(blocks)-1] += line
			continue
		}
		blocks = append(blocks, line)
	}
	slices.Sort(blocks)
	return blocks
}

// asSpecFile changes the wrappers of Terraform's blocks into those of the spec
// language, whose bodies are the same.
func asSpecFile(terraform string) string {
	text := regexp.MustCompile(`resource "mlops_(\w+)"`).ReplaceAllString(terraform, "$1")
	text = regexp.MustCompile(`\bmlops_(\w+)\.`).ReplaceAllString(text, "$1.")
	text = strings.ReplaceAll(text, "${path.module}/", "")
	for _, block := range []string{`(?s)\nterraform \{.*?\n\}\n`, `(?s)\nprovider "mlops" \{.*?\}\n`} {
		text = regexp.MustCompile(block).ReplaceAllString("\n"+text, "\n")
	}
	return text
}
