package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
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
