//go:build unix

package sqlite_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/registrytest"
)

// asNobody runs a mode of the test binary as a user without privileges, whom
// permissions bind even where the tests run as root.
func asNobody(t *testing.T, mode, path string) string {
	t.Helper()
	out, err := nobody(t, mode, path).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return string(out)
}

func nobody(t *testing.T, mode, path string) *exec.Cmd {
	t.Helper()
	cmd := child(t, mode, path, "")
	if os.Geteuid() == 0 {
		// The directory of the test binary is closed to others.
		binary := filepath.Join(openDir(t), "sqlite.test")
		in, err := os.Open(os.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = in.Close() }()
		out, err := os.OpenFile(binary, os.O_CREATE|os.O_WRONLY, 0o755)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.Copy(out, in); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		cmd.Path = binary
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	return cmd
}

// openDir is a temporary directory that everybody may enter.
func openDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sqlite-permission-") //nolint:usetesting // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.Chmod(dir, 0o700)
		_ = os.RemoveAll(dir)
	})
	chmod(t, dir, 0o755)
	return dir
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// kept is a closed file with one model in it.
func kept(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "mlops.db")
	store := openStore(t, path)
	if _, err := store.Registry().Put(t.Context(), port.Write{Ref: registrytest.Ref("there"), Attributes: []byte(`{"name":"there"}`), If: port.IfAbsent()}); err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPermissions(t *testing.T) {
	for name, tt := range map[string]struct {
		file, dir os.FileMode
		mode      string
		want      []string
	}{
		"reading what may only be read":             {0o444, 0o555, "read", []string{`read: {"name":"there"}`, "code: \n"}},
		"writing what may only be read":             {0o444, 0o555, "put", []string{"code: STORE_UNUSABLE", "permission", "mlops.db"}},
		"writing a file that may only be read":      {0o444, 0o777, "put", []string{"code: STORE_UNUSABLE", "read-only", "mlops.db"}},
		"writing where no file may be made":         {0, 0o555, "put", []string{"code: STORE_UNUSABLE", "permission denied", "mlops.db"}},
		"reading what may not be read":              {0o200, 0o555, "read", []string{"code: STORE_UNUSABLE", "permission denied", "mlops.db"}},
		"writing a file in a directory that is not": {0o666, 0o555, "put", []string{"code: STORE_UNUSABLE", "directory", "mlops.db"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := openDir(t)
			path := filepath.Join(dir, "mlops.db")
			if tt.file != 0 {
				kept(t, dir)
				chmod(t, path, tt.file)
			}
			chmod(t, dir, tt.dir)
			out := asNobody(t, tt.mode, path)
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("does not say %q:\n%s", want, out)
				}
			}
		})
	}
}

func TestADirectoryThatBecomesWritable(t *testing.T) {
	dir := openDir(t)
	path := kept(t, dir)
	chmod(t, path, 0o666)
	chmod(t, dir, 0o555)
	cmd := nobody(t, "read, wait, put, read", path)
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
	for _, want := range []string{"read: <nil>", "put: <nil>", "read again: <nil>"} {
		if !lines.Scan() || lines.Text() != want {
			t.Errorf("%s, want %s", lines.Text(), want)
		}
		if want == "read: <nil>" {
			chmod(t, dir, 0o777)
			_, _ = io.WriteString(stdin, "\n")
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
