package main

import (
	"archive/zip"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/testtools"
)

// The example of a team, as its README tells it: the server is set up by its script and
// started by its unit's command, and the pipeline's own steps run against it.
func TestTheTeamExample(t *testing.T) {
	team := newTeam(t)

	t.Run("a pull request is planned with a token that cannot write", func(t *testing.T) {
		output, ok := team.run(t, "plan", nil)
		if !ok || !strings.Contains(output, "Plan: 6 to add, 0 to change, 0 to destroy.") {
			t.Fatalf("the plan fails, or is another one:\n%s", output)
		}
		team.hasNoSecret(t, output)
		if audit := team.get(t, "/v1/audit", "auditors"); strings.Contains(audit, "actor") {
			t.Errorf("planning is in the audit log: %s", audit)
		}
	})
	t.Run("what was approved is applied, exactly once", func(t *testing.T) {
		output, ok := team.run(t, "apply", nil)
		if !ok || !strings.Contains(output, "Apply complete! Resources: 6 added, 0 changed, 0 destroyed.") {
			t.Fatalf("it fails:\n%s", output)
		}
		team.hasNoSecret(t, output)
		if audit := team.get(t, "/v1/audit", "auditors"); strings.Count(audit, `"actor":"deployments"`) != 6 {
			t.Errorf("the audit log has not the six writes: %s", audit)
		}
		output, ok = team.run(t, "plan", nil)
		if !ok || !strings.Contains(output, "No changes.") {
			t.Errorf("the next plan is not empty:\n%s", output)
		}
	})
	owner, another := `owner                = "risk-ml"`+"\n  risk", `owner                = "fraud-team"`+"\n  risk"
	t.Run("what was planned cannot be applied with the plan's token", func(t *testing.T) {
		team.edit(t, "policies/fraud.tf", owner, another)
		if output, ok := team.run(t, "plan", nil); !ok || !strings.Contains(output, "0 to add, 1 to change, 0 to destroy") {
			t.Fatalf("the plan fails, or is another one:\n%s", output)
		}
		output, ok := team.run(t, "apply", map[string]string{"MLOPS_APPLY_TOKEN": team.tokens["pull-requests"]})
		if ok || !strings.Contains(output, "PERMISSION_DENIED") {
			t.Fatalf("it is not refused:\n%s", output)
		}
		team.hasNoSecret(t, output)
		if list := team.get(t, "/v1/registered_model", "prometheus"); strings.Contains(list, "fraud-team") {
			t.Errorf("something was written: %s", list)
		}
		if audit := team.get(t, "/v1/audit", "auditors"); !strings.Contains(audit, `"actor":"pull-requests"`) || !strings.Contains(audit, `"code":"PERMISSION_DENIED"`) {
			t.Errorf("the refusal is not in the audit log: %s", audit)
		}
		team.edit(t, "policies/fraud.tf", another, owner)
	})
	t.Run("a policy that cannot work fails its pull request", func(t *testing.T) {
		team.edit(t, "policies/fraud.tf", `= 0.01`+"\n", `= 0.0001`+"\n")
		output, ok := team.run(t, "plan", nil)
		if ok || !strings.Contains(output, "drift/noise-floor") || strings.Contains(output, "Terraform will perform") {
			t.Errorf("the linter lets it pass:\n%s", output)
		}
		team.edit(t, "policies/fraud.tf", `= 0.0001`+"\n", `= 0.01`+"\n")
	})
	t.Run("a plan that somebody overtook is not applied", func(t *testing.T) {
		team.edit(t, "policies/fraud.tf", owner, another)
		if output, ok := team.run(t, "plan", nil); !ok || !strings.Contains(output, "0 to add, 1 to change, 0 to destroy") {
			t.Fatalf("the plan fails, or is another one:\n%s", output)
		}
		overtaken := team.artifact
		if output, ok := team.run(t, "apply", nil); !ok {
			t.Fatal(output)
		}
		team.artifact = overtaken
		if output, ok := team.run(t, "apply", nil); ok || !strings.Contains(output, "Saved plan is stale") {
			t.Errorf("it is applied twice:\n%s", output)
		}
	})
	t.Run("the monitoring reads metrics, and no more", func(t *testing.T) {
		if metrics := team.get(t, "/metrics", "prometheus"); !strings.Contains(metrics, `mlops_store_objects{kind="alert_threshold"} 1`) {
			t.Errorf("the metrics do not count the alert: %s", metrics)
		}
		configuration := strings.NewReplacer("/etc/prometheus/mlops.token", filepath.Join(team.etc, "tokens"),
			"/etc/prometheus/mlops-ca.crt", filepath.Join(team.etc, "ca.crt")).Replace(readText(t, "examples/team/server/prometheus.yml"))
		file := filepath.Join(t.TempDir(), "prometheus.yml")
		if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
			t.Fatal(err)
		}
		if output, err := exec.Command(testtools.Require(t, testtools.Promtool), "check", "config", file).CombinedOutput(); err != nil {
			t.Errorf("promtool: %v\n%s", err, output)
		}
	})
	t.Run("the store is copied while the server runs", func(t *testing.T) {
		backups := t.TempDir()
		output, err := team.command(t, ".", nil, "server/backup.sh", filepath.Join(team.data, "mlops.db"), backups).CombinedOutput()
		copies, _ := filepath.Glob(filepath.Join(backups, "mlops-*.db"))
		if err != nil || len(copies) != 1 || !strings.Contains(string(output), "6 objects") {
			t.Errorf("%v, %q:\n%s", err, copies, output)
		}
	})
}

// team is a running server, and a checkout that the pipeline works on.
type team struct {
	checkout, etc, data string
	path                string // PATH with mlopsctl and the CLI as terraform
	cliConfiguration    string
	endpoint            string
	tokens              map[string]string
	state               string
	artifact            []byte
	http                *http.Client
}

const ticketToken = "the-ticket-systems-token"

func newTeam(t *testing.T) *team {
	t.Helper()
	built := buildPrograms(t)
	home := &team{checkout: filepath.Join(t.TempDir(), "checkout"), etc: t.TempDir(), data: t.TempDir(), tokens: map[string]string{}}
	home.state = filepath.Join(t.TempDir(), "terraform.tfstate")
	if err := os.CopyFS(home.checkout, os.DirFS("examples/team")); err != nil {
		t.Fatal(err)
	}

	// The CLI under test is terraform to the pipeline, and finds the provider as a
	// release in a mirror: there is no override that would let it do without init.
	programs := t.TempDir()
	if err := os.Symlink(testtools.Require(t, testtools.Terraform), filepath.Join(programs, "terraform")); err != nil {
		t.Fatal(err)
	}
	home.path = programs + string(filepath.ListSeparator) + built.directory + string(filepath.ListSeparator) + os.Getenv("PATH")
	mirror := t.TempDir()
	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		folder := filepath.Join(mirror, host, "mlops-as-code", "mlops", "1.0.0", runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Link(filepath.Join(built.directory, "terraform-provider-mlops"), filepath.Join(folder, "terraform-provider-mlops_v1.0.0")); err != nil {
			t.Fatal(err)
		}
	}
	home.cliConfiguration = filepath.Join(t.TempDir(), "cli.tfrc")
	if err := os.WriteFile(home.cliConfiguration, []byte("provider_installation {\n  filesystem_mirror {\n    path = \""+filepath.ToSlash(mirror)+"\"\n  }\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	setUp := home.command(t, ".", nil, "server/set-up.sh", home.etc, "localhost")
	var complaints bytes.Buffer
	setUp.Stderr = &complaints
	output, err := setUp.Output()
	if err != nil {
		t.Fatalf("set-up.sh: %v\n%s", err, complaints.String())
	}
	for line := range strings.Lines(string(output)) {
		name, token, _ := strings.Cut(strings.TrimSpace(line), "=")
		home.tokens[name] = token
	}

	address := testtools.FreeAddress(t)
	_, port, _ := strings.Cut(address, ":")
	home.endpoint = "https://localhost:" + port
	unit := regexp.MustCompile(`(?m)^ExecStart=(.*)$`).FindStringSubmatch(readText(t, "examples/team/server/mlops.service"))
	if unit == nil {
		t.Fatal("the unit has no command")
	}
	words := strings.Fields(strings.NewReplacer("/usr/local/bin/mlopsctl", built.mlopsctl, "0.0.0.0:8787", "0.0.0.0:"+port,
		"/var/lib/mlops", home.data, "/etc/mlops", home.etc).Replace(unit[1]))
	server := exec.Command(words[0], words[1:]...)
	var log bytes.Buffer
	server.Stderr = &log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		for name, token := range home.tokens {
			if strings.Contains(log.String(), token) {
				t.Errorf("the server's log has the token %s", name)
			}
		}
		if t.Failed() {
			t.Logf("the server said:\n%s", log.String())
		}
	})

	authorities := x509.NewCertPool()
	if !authorities.AppendCertsFromPEM([]byte(readText(t, filepath.Join(home.etc, "ca.crt")))) {
		t.Fatal("ca.crt has no certificate")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authorities, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	home.http = &http.Client{Transport: transport, Timeout: 10 * time.Second}
	for range 500 {
		if answer, err := home.http.Get(home.endpoint + "/readyz"); err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return home
			}
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("the server does not start")
	return nil
}

// command is a program of the checkout or of PATH, in a folder of the checkout, with
// nothing of the caller's environment that the pipeline does not set.
func (h *team) command(t *testing.T, folder string, environment map[string]string, name string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/usr/bin/env", append([]string{"--", name}, args...)...)
	cmd.Dir = filepath.Join(h.checkout, folder)
	cmd.Env = []string{"PATH=" + h.path, "HOME=" + h.checkout, "CHECKPOINT_DISABLE=1", "TF_CLI_CONFIG_FILE=" + h.cliConfiguration, "TF_CLI_ARGS=-no-color"}
	for key, value := range environment {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	return cmd
}

// workflow is what this test knows of GitHub's workflows.
type workflow struct {
	Env  map[string]string `json:"env"`
	Jobs map[string]struct {
		Env   map[string]string `json:"env"`
		Steps []struct {
			Uses string            `json:"uses"`
			Run  string            `json:"run"`
			Env  map[string]string `json:"env"`
			With map[string]any    `json:"with"`
		} `json:"steps"`
	} `json:"jobs"`
}

// run runs a job of the pipeline, step by step as the file says. It returns what the
// steps printed, and whether all succeeded.
func (h *team) run(t *testing.T, job string, stolen map[string]string) (string, bool) {
	t.Helper()
	var flow workflow
	if err := yaml.Unmarshal([]byte(readText(t, filepath.Join(h.checkout, ".github/workflows/policies.yml"))), &flow); err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{
		"vars.MLOPS_ENDPOINT": h.endpoint, "vars.MLOPS_CA_CERT": readText(t, filepath.Join(h.etc, "ca.crt")), "vars.STATE_CONFIG": "path=" + h.state,
		"secrets.MLOPS_PLAN_TOKEN": h.tokens["pull-requests"], "secrets.MLOPS_APPLY_TOKEN": h.tokens["deployments"], "secrets.TICKET_TOKEN": ticketToken,
		"github.workspace": h.checkout,
	}
	for name, value := range stolen {
		settings["secrets."+name] = value
	}
	expression := regexp.MustCompile(`\$\{\{ *([\w.]+) *\}\}`)
	expand := func(text string) string {
		return expression.ReplaceAllStringFunc(text, func(found string) string {
			name := expression.FindStringSubmatch(found)[1]
			value, ok := settings[name]
			if !ok {
				t.Errorf("the workflow has %s, which the README does not name", name)
			}
			return value
		})
	}
	for _, left := range []string{"ca.crt", "policies/saved.tfplan", "policies/plan.json", "policies/.terraform"} {
		if err := os.RemoveAll(filepath.Join(h.checkout, left)); err != nil { // a runner begins with the checkout alone
			t.Fatal(err)
		}
	}
	var output bytes.Buffer
	for _, step := range flow.Jobs[job].Steps {
		action, _, _ := strings.Cut(step.Uses, "@")
		switch action {
		case "":
			environment := map[string]string{}
			for _, from := range []map[string]string{flow.Env, flow.Jobs[job].Env, step.Env} {
				for name, value := range from {
					environment[name] = expand(value)
				}
			}
			cmd := h.command(t, ".", maps.Clone(environment), "bash", "-e", "-o", "pipefail", "-c", expand(step.Run))
			cmd.Stdout, cmd.Stderr = &output, &output
			if cmd.Run() != nil {
				return foldMessages(output.String()), false
			}
		case "actions/upload-artifact":
			saved, err := os.ReadFile(filepath.Join(h.checkout, step.With["path"].(string)))
			if err != nil {
				t.Fatal(err)
			}
			h.artifact = saved
		case "actions/download-artifact":
			if err := os.WriteFile(filepath.Join(h.checkout, step.With["path"].(string), "saved.tfplan"), h.artifact, 0o600); err != nil {
				t.Fatal(err)
			}
		case "actions/checkout", "hashicorp/setup-terraform":
		default:
			t.Errorf("this test does not know %s", action)
		}
	}
	return foldMessages(output.String()), true
}

// hasNoSecret looks for tokens in what a job printed, and in the plan it saved.
func (h *team) hasNoSecret(t *testing.T, output string) {
	t.Helper()
	everything := output
	archive, err := zip.NewReader(bytes.NewReader(h.artifact), int64(len(h.artifact)))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range archive.File {
		in, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		everything += string(text)
	}
	secrets := maps.Clone(h.tokens)
	secrets["of the ticket system"] = ticketToken
	for name, secret := range secrets {
		if len(secret) < 16 || strings.Contains(everything, secret) {
			t.Errorf("the token %s is in the output or in the saved plan", name)
		}
	}
}

// get asks the server with the token of the name.
func (h *team) get(t *testing.T, path, token string) string {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.endpoint+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+h.tokens[token])
	answer, err := h.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v: %s", path, answer.Status, err, body)
	}
	return string(body)
}

func (h *team) edit(t *testing.T, file, old, replacement string) {
	t.Helper()
	file = filepath.Join(h.checkout, file)
	text := readText(t, file)
	if !strings.Contains(text, old) {
		t.Fatalf("%s has no %q", file, old)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(text, old, replacement, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
}

func readText(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
