package main

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// mintedKey finds a script's mintedTokens.
type mintedKey struct{}

// mintedTokens notes the tokens in the answers of a control plane, and the requests
// about them.
type mintedTokens struct {
	mu       sync.Mutex
	tokens   []string
	requests []string
}

func (m *mintedTokens) all() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.tokens)
}

// watchMinting puts a proxy before a control plane that notes what is minted, and
// returns its address.
func watchMinting(ts *testscript.TestScript, address string) string {
	seen, _ := ts.Value(mintedKey{}).(*mintedTokens)
	upstream, err := url.Parse(address)
	ts.Check(err)
	proxy := httputil.NewSingleHostReverseProxy(upstream)
	proxy.ModifyResponse = func(answer *http.Response) error {
		path := answer.Request.URL.Path
		if !strings.HasPrefix(path, "/v1/tokens") {
			return nil
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			return err
		}
		answer.Body = io.NopCloser(bytes.NewReader(body))
		var minted struct{ ID, Token string }
		if len(body) > 0 {
			if err := json.Unmarshal(body, &minted); err != nil {
				return err
			}
		}
		seen.mu.Lock()
		defer seen.mu.Unlock()
		if minted.Token != "" {
			seen.tokens = append(seen.tokens, minted.Token)
		}
		if id := strings.Split(strings.TrimPrefix(path, "/v1/tokens/"), "/")[0]; len(id) == 36 {
			path = strings.Replace(path, id, "ID", 1)
		}
		seen.requests = append(seen.requests, fmt.Sprintf("%s %s %d", answer.Request.Method, path, answer.StatusCode))
		return nil
	}
	server := httptest.NewServer(proxy)
	ts.Defer(server.Close)
	return server.URL
}

// listMinting writes the requests about tokens since the last time to output, a line
// each: minting.
func listMinting(ts *testscript.TestScript, _ bool, _ []string) {
	seen, _ := ts.Value(mintedKey{}).(*mintedTokens)
	seen.mu.Lock()
	defer seen.mu.Unlock()
	ts.Check(os.WriteFile(ts.MkAbs("output"), []byte(strings.Join(seen.requests, "\n")+"\n"), 0o600))
	seen.requests = nil
}

// checkUnsaved holds every file below the script's folder, saved plans unpacked, against
// the tokens that were minted, at least so many: none may be there. unsaved COUNT
func checkUnsaved(ts *testscript.TestScript, _ bool, args []string) {
	seen, _ := ts.Value(mintedKey{}).(*mintedTokens)
	if seen == nil {
		ts.Fatalf("unsaved: nothing was watched; begin with: serve -tokens")
	}
	tokens := seen.all()
	least, err := strconv.Atoi(args[0])
	ts.Check(err)
	if len(tokens) < least {
		ts.Fatalf("%d tokens were minted, and not %d", len(tokens), least)
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
