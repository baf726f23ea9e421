package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/token"
)

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
