package token_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/token"
)

var today = time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)

func entry(t *testing.T, name string, role token.Role, secret string) token.Entry {
	t.Helper()
	e, err := token.NewEntry(name, role, secret, today, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func load(t *testing.T, path string) token.Set {
	t.Helper()
	set, err := token.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func TestATokenIsFoundByItselfAndByNothingElse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	ci, ops := token.Generate(), token.Generate()
	for name, secret := range map[string]string{"ci": ci, "ops": ops} {
		role := token.Plan
		if name == "ops" {
			role = token.Admin
		}
		if err := token.Append(path, entry(t, name, role, secret)); err != nil {
			t.Fatal(err)
		}
	}
	set := load(t, path)
	for secret, want := range map[string]string{
		ci: "ci plan", ops: "ops admin", "": "", ci[1:]: "", ci + " ": "", strings.ToUpper(ci): "", strings.Repeat("x", 1<<20): "",
	} {
		got := ""
		if found, ok := set.Find(secret); ok {
			got = fmt.Sprint(found.Name, " ", found.Role)
		}
		if got != want {
			t.Errorf("%.80q is %q, want %q", secret, got, want)
		}
	}
	// What the file shows cannot be used.
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{ci, ops} {
		if bytes.Contains(data, []byte(secret)) || bytes.Contains(data, []byte(strings.TrimPrefix(secret, "mlops_"))) {
			t.Errorf("the file holds a token:\n%s", data)
		}
	}
	for _, word := range strings.FieldsFunc(string(data), func(c rune) bool { return strings.ContainsRune(" \n:", c) }) {
		if _, ok := set.Find(word); ok {
			t.Errorf("%q of the file opens the door", word)
		}
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the file is open to others: %v, %v", info.Mode(), err)
	}
}

func TestOneTokenHasAnotherHashInEachEntry(t *testing.T) {
	secret := token.Generate()
	path := filepath.Join(t.TempDir(), "tokens")
	for _, name := range []string{"a", "b"} {
		if err := token.Append(path, entry(t, name, token.Read, secret)); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	hashes := map[string]bool{}
	for _, line := range strings.Split(string(data), "\n") {
		if at := strings.LastIndex(line, ":"); at > 0 {
			hashes[line[at:]] = true
		}
	}
	if len(hashes) != 2 {
		t.Errorf("without salt:\n%s", data)
	}
}

func TestGeneratedTokensHave256Bits(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		secret := token.Generate()
		data, err := hex.DecodeString(strings.TrimPrefix(secret, "mlops_"))
		if err != nil || len(data) != 32 || seen[secret] {
			t.Fatalf("%d bytes, %v, seen before: %v", len(data), err, seen[secret])
		}
		seen[secret] = true
	}
}

func TestATokenWorksUntilTheEndOfItsLastDay(t *testing.T) {
	last, err := token.ParseDay("2027-01-31")
	if err != nil {
		t.Fatal(err)
	}
	e, err := token.NewEntry("ci", token.Read, token.Generate(), today, last)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]bool{
		"2026-11-05T12:00:00Z": false, "2027-01-31T23:59:59Z": false, "2027-02-01T00:00:00Z": true, "2027-01-31T23:30:00-01:00": true, "2030-01-01T00:00:00Z": true,
	} {
		now, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := e.Expired(now); got != want {
			t.Errorf("at %s: expired %v", at, got)
		}
	}
	if entry(t, "x", token.Read, token.Generate()).Expired(today.AddDate(1000, 0, 0)) {
		t.Error("what never expires has expired")
	}
}

func TestEachRoleAllowsWhatTheOnesBeforeItDo(t *testing.T) {
	roles := []token.Role{token.Read, token.Plan, token.Apply, token.Admin}
	for i, role := range roles {
		for j, needed := range roles {
			if role.Allows(needed) != (i >= j) {
				t.Errorf("%s allows %s: %v", role, needed, role.Allows(needed))
			}
		}
		if back, err := token.ParseRole(role.String()); err != nil || back != role {
			t.Errorf("%s reads as %s, %v", role, back, err)
		}
		if role.Allows(0) && token.Role(0).Allows(role) {
			t.Errorf("no role allows %s", role)
		}
	}
}

func TestWhatCannotBeATokenIsRefusedWithoutShowingIt(t *testing.T) {
	good := token.Generate()
	for name, tt := range map[string]struct {
		name, secret string
		role         token.Role
		says         string
	}{
		"no name":                {"", good, token.Read, "name of a token"},
		"a name of two words":    {"a b", good, token.Read, "name of a token"},
		"a name that is a note":  {"#a", good, token.Read, "name of a token"},
		"a name that is long":    {strings.Repeat("a", 64), good, token.Read, "63"},
		"no role":                {"ci", good, 0, "the roles are read, plan, apply, admin"},
		"a guessable token":      {"ci", "correct-horse", token.Read, "from 32"},
		"a token with a space":   {"ci", strings.Repeat("secret ", 8), token.Read, "white space"},
		"a token with an accent": {"ci", strings.Repeat("sécret", 8), token.Read, "ASCII"},
		"a token without end":    {"ci", strings.Repeat("secret", 100), token.Read, "512"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := token.NewEntry(tt.name, tt.role, tt.secret, today, time.Time{})
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Fatalf("does not say %q: %v", tt.says, err)
			}
			if strings.Contains(err.Error(), tt.secret) {
				t.Errorf("shows the token: %v", err)
			}
		})
	}
}

const valid = "mlops-tokens 1\nci  plan  2026-11-05  2027-01-31  hmac-sha256:000102030405060708090a0b0c0d0e0f:a0c1d4ad1c1ab1fb80b1d4b0a4de5bb1e35d6f4a6e6d56b80aef1d87a27e6f52\n"

func TestAFileThatIsDamagedIsRefusedWithItsLine(t *testing.T) {
	if _, err := token.Parse([]byte(valid)); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ from, to, says string }{
		"no content":            {valid, "\n \n# nothing\n", "it is empty"},
		"a plain token":         {valid, "0123456789abcdef0123456789abcdef\n", "--value-from OLD"},
		"a newer format":        {"mlops-tokens 1", "mlops-tokens 2", "newer release"},
		"a line cut short":      {"  hmac", "\nhmac", "line 2: a token has 5 fields"},
		"an unknown role":       {"plan", "root", `line 2: "root" is no role`},
		"a day that is none":    {"2026-11-05", "2026-02-30", "created"},
		"an expiry in words":    {"2027-01-31", "tomorrow", "expires"},
		"another algorithm":     {"hmac-sha256", "md5", "line 2: the hash is not of the form"},
		"half of a hash":        {"a0c1d4ad", "", "damaged"},
		"no hexadecimal":        {"a0c1d4ad", "x0c1d4ad", "damaged"},
		"a salt that is short":  {"000102", "", "damaged"},
		"a name that cannot be": {"ci ", "!i ", "name"},
		"the same name twice":   {valid, valid + strings.SplitAfter(valid, "\n")[1], "line 3: there are two tokens with the name ci"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := token.Parse([]byte(strings.Replace(valid, tt.from, tt.to, 1)))
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("does not say %q: %v", tt.says, err)
			}
			if err != nil && (strings.Contains(err.Error(), "0123456789abcdef") || strings.Contains(err.Error(), "a27e6f52")) {
				t.Errorf("shows a token or a hash: %v", err)
			}
		})
	}
}

func TestARevokedTokenIsGoneAndTheRestStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	ci, ops := token.Generate(), token.Generate()
	before := "# ours\n" + strings.TrimSuffix(valid, "\n") // an editor took the last newline
	if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, secret := range map[string]string{"new": ci, "ops": ops} {
		if err := token.Append(path, entry(t, name, token.Apply, secret)); err != nil {
			t.Fatal(err)
		}
	}
	if err := token.Append(path, entry(t, "ops", token.Apply, token.Generate())); err == nil || !strings.Contains(err.Error(), "there is a token with the name ops") {
		t.Errorf("a second token of one name: %v", err)
	}
	if err := token.Revoke(path, "new"); err != nil {
		t.Fatal(err)
	}
	set := load(t, path)
	if _, ok := set.Find(ci); ok {
		t.Error("the revoked token works")
	}
	if _, ok := set.Find(ops); !ok {
		t.Error("the other one does not")
	}
	var names []string
	for _, e := range set.Entries() {
		names = append(names, e.Name)
	}
	if diff := cmp.Diff([]string{"ci", "ops"}, names); diff != "" {
		t.Error(diff)
	}
	data, err := os.ReadFile(path)
	if err != nil || !strings.HasPrefix(string(data), before+"\n") {
		t.Errorf("%v, what was there has changed:\n%s", err, data)
	}
	if err := token.Revoke(path, "new"); err == nil || !strings.Contains(err.Error(), "no token") {
		t.Errorf("revoked twice: %v", err)
	}
}

func TestAFileThatIsNoTokenFileIsNotChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "main.tf")
	const content = "resource \"x\" \"y\" {}\n"
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := token.Append(path, entry(t, "ci", token.Read, token.Generate())); err == nil {
		t.Error("a token was appended to a Terraform file")
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != content {
		t.Errorf("%v:\n%s", err, data)
	}
}

func TestTokensThatAreMadeAtOnceAreAllKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	const n = 20
	var group sync.WaitGroup
	for i := range n {
		e := entry(t, fmt.Sprint("t", i), token.Read, token.Generate())
		group.Go(func() {
			if err := token.Append(path, e); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if got := len(load(t, path).Entries()); got != n {
		t.Errorf("%d tokens of %d", got, n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(valid))
	f.Add([]byte("secret"))
	f.Add([]byte("mlops-tokens 1\n# x\n\na b c d e"))
	f.Fuzz(func(t *testing.T, data []byte) {
		set, err := token.Parse(data)
		if err != nil {
			return
		}
		// What is read can be written, and reads the same.
		path := filepath.Join(t.TempDir(), "tokens")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		e := entry(t, "added-by-the-test", token.Read, token.Generate())
		if err := token.Append(path, e); err != nil {
			t.Fatal(err)
		}
		if got := load(t, path).Entries(); len(got) != len(set.Entries())+1 {
			t.Errorf("%d entries became %d", len(set.Entries()), len(got))
		}
		if err := token.Revoke(path, e.Name); err != nil {
			t.Fatal(err)
		}
		if got := load(t, path).Entries(); len(got) != len(set.Entries()) {
			t.Errorf("%d entries became %d", len(set.Entries()), len(got))
		}
	})
}
