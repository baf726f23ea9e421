package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/registrytest"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/sqlite"
)

// fillUp writes until the store refuses, says how, reads everything again, and
// writes once more when it is told that there is space.
func fillUp(path string) {
	// Where a file size limit stands for the full disk.
	var limit syscall.Rlimit
	if text := os.Getenv(childName); text != "" {
		_, _ = fmt.Sscan(text, &limit.Cur)
		var old syscall.Rlimit
		_ = syscall.Getrlimit(syscall.RLIMIT_FSIZE, &old)
		limit.Max = old.Max
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
			fmt.Println("error:", err)
			return
		}
	}
	store, err := sqlite.Open(path)
	if err != nil {
		fmt.Println("error:", err)
		return
	}
	defer func() { _ = store.Close() }()
	writeOne := func(i int) error {
		_, err := store.Registry().Put(context.Background(), port.Write{
			Ref: registrytest.Ref(fmt.Sprintf("m%05d", i)), Attributes: []byte(`{"x":"` + strings.Repeat("x", 2000) + `"}`), If: port.IfAbsent(),
		})
		return err
	}
	kept := 0
	for err == nil && kept < 100_000 {
		if err = writeOne(kept); err == nil {
			kept++
		}
	}
	fmt.Println("code:", port.CodeOf(err))
	fmt.Println("says:", err)
	fmt.Println("again:", port.CodeOf(writeOne(kept)))
	read := 0
	for i := range kept {
		if o, err := store.Registry().Get(context.Background(), port.Ref{Kind: port.RegisteredModel, ID: fmt.Sprintf("m%05d", i)}); err != nil || len(o.Attributes) != 2008 {
			fmt.Println("error: reading", i, err)
			break
		}
		read++
	}
	fmt.Println("ready:", store.Policies().Ready(context.Background()))
	fmt.Println("lost:", kept-read, "of more than ten:", kept > 10)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	if limit.Cur > 0 {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
	}
	fmt.Println("with space:", writeOne(kept))
}

func TestAStoreThatCannotGrow(t *testing.T) {
	for name, limit := range map[string]string{"a limit on file sizes": "400000", "a full disk": ""} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			makeSpace := func() {}
			if limit == "" {
				var mounted bool
				if makeSpace, mounted = smallDisk(t, dir); !mounted {
					return // only root can; the limit is the same test for everybody
				}
			}
			path := filepath.Join(dir, "mlops.db")
			cmd := child(t, "fill up", path, limit)
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
			lines := bufio.NewScanner(stdout)
			for _, want := range []string{"code: STORE_FULL", "says: ", "again: STORE_FULL", "ready: <nil>", "lost: 0 of more than ten: true", "with space: <nil>"} {
				if !lines.Scan() || !strings.HasPrefix(lines.Text(), want) {
					t.Errorf("%q, want %q", lines.Text(), want)
				}
				if want == "says: " && (!strings.Contains(lines.Text(), path) || !strings.Contains(lines.Text(), "Nothing was changed")) {
					t.Error(lines.Text())
				}
				if strings.HasPrefix(want, "lost: ") {
					makeSpace()
					_, _ = io.WriteString(stdin, "\n")
				}
			}
			if err := cmd.Wait(); err != nil {
				t.Error(err)
			}
			integrity(t, path)
		})
	}
}

// smallDisk mounts a disk of a megabyte, with a file on it that can be deleted.
func smallDisk(t *testing.T, dir string) (makeSpace func(), mounted bool) {
	t.Helper()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Logf("no disk can be mounted here: %v", err)
		return nil, false
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	write(t, ballast, strings.Repeat("x", 300_000))
	return func() {
		if err := os.Remove(ballast); err != nil {
			t.Error(err)
		}
	}, true
}
