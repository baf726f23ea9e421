package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"strings"
	"testing"
)

const module = "github.com/mlops-as-code/terraform-provider-mlops"

// floors says on which floor of the house each room stands; the longest prefix
// counts. Imports only point down, and sideways only inside a room.
var floors = map[string]int{
	".":                     5,
	"tools/mlopsctl":        5,
	"internal/bench":        5,
	"provider":              4,
	"internal/lint":         4,
	"internal/compile":      4,
	"internal/source":       3,
	"internal/review":       3,
	"internal/controlplane": 3,
	"internal/client":       3,
	"internal/evaluate":     2,
	"spec":                  1,
	"internal/profile":      1,
	"internal/stats":        0,
	// Documentation that is compiled in, and helpers of tests: below everything.
	"docs/rules":         -1,
	"internal/testtools": -1,
}

func room(pkg string) (string, bool) {
	for name := strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/"); ; name = path.Dir(name) {
		if name == "" {
			name = "."
		}
		if _, ok := floors[name]; ok && (name != "." || pkg == module) {
			return name, true
		}
		if name == "." || name == "/" {
			return "", false
		}
	}
}

func TestImportsPointDown(t *testing.T) {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := 0
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var pkg struct {
			ImportPath string
			Imports    []string
		}
		if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages++
		here, ok := room(pkg.ImportPath)
		if !ok {
			t.Errorf("%s stands on no floor: give it a room in this test and in CONTRIBUTING.md", pkg.ImportPath)
			continue
		}
		for _, imported := range pkg.Imports {
			if !strings.HasPrefix(imported, module) {
				continue
			}
			there, ok := room(imported)
			if ok && here != there && floors[there] >= floors[here] {
				t.Errorf("%s (floor %d) imports %s (floor %d): imports only point down", pkg.ImportPath, floors[here], imported, floors[there])
			}
		}
	}
	if packages < 10 {
		t.Errorf("go list names %d packages only: is this the module's root?", packages)
	}
}
