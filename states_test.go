package main

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"testing"

	goversion "github.com/hashicorp/go-version"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mlops-as-code/terraform-provider-mlops/spec"
)

var newState = flag.String("new-state", "", "a release, such as 0.2.0, whose state and database are to be written to testdata/states")

// statesFolder has a policy with its state and its database for each release.
const statesFolder = "testdata/states"

// What a release wrote, every later one reads: its state needs no edit and its
// database no repair, and a new version of the provider plans nothing by itself.
func TestStatesOfReleases(t *testing.T) {
	if *newState != "" {
		t.Run("write", func(t *testing.T) { writeState(t, *newState) })
	}
	for _, release := range releasesWithStates(t) {
		t.Run(release, func(t *testing.T) { runScripts(t, "script-states", stateOf(t, release)) })
	}
}

func TestTheLastStateHasEveryKind(t *testing.T) {
	releases := releasesWithStates(t)
	text, err := os.ReadFile(filepath.Join(statesFolder, releases[len(releases)-1], "terraform.tfstate"))
	if err != nil {
		t.Fatal(err)
	}
	var state struct{ Resources []struct{ Type string } }
	if err := json.Unmarshal(text, &state); err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, resource := range state.Resources {
		types = append(types, resource.Type)
	}
	for _, kind := range spec.All() {
		if !slices.Contains(types, kind.TerraformType()) {
			t.Errorf("the state of %s has no %s: add one to its main.tf and write it anew, as CONTRIBUTING.md says", releases[len(releases)-1], kind.TerraformType())
		}
	}
}

// releasesWithStates lists them, oldest first.
func releasesWithStates(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(statesFolder)
	if err != nil {
		t.Fatal(err)
	}
	var versions goversion.Collection
	for _, entry := range entries {
		of, err := goversion.NewVersion(entry.Name())
		if err != nil {
			t.Fatal(err)
		}
		versions = append(versions, of)
	}
	sort.Sort(versions)
	var out []string
	for _, of := range versions {
		out = append(out, of.Original())
	}
	if len(out) == 0 {
		t.Fatal("there is no state of any release")
	}
	return out
}

func stateOf(t *testing.T, release string) func(*testscript.Env) {
	t.Helper()
	directory, err := filepath.Abs(filepath.Join(statesFolder, release))
	if err != nil {
		t.Fatal(err)
	}
	return func(env *testscript.Env) { env.Setenv("STATE", directory) }
}

// writeState applies the policy of a release, or of the one before where it has none
// yet, with a provider of its version, and keeps what that leaves.
func writeState(t *testing.T, release string) {
	t.Helper()
	directory := filepath.Join(statesFolder, release)
	if _, err := os.Stat(directory); os.IsNotExist(err) {
		releases := releasesWithStates(t)
		if err := os.CopyFS(directory, os.DirFS(filepath.Join(statesFolder, releases[len(releases)-1]))); err != nil {
			t.Fatal(err)
		}
	}
	setup := stateOf(t, release)
	runScripts(t, "script-states-new", func(env *testscript.Env) {
		setup(env)
		env.Setenv(versionVariable, release)
	})
}
