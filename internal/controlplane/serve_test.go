package controlplane_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/client"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/token"
)

// serve runs a server until the test is over, and returns its base URL. Its data file
// may be a store of [onEachStore].
func serve(t *testing.T, o controlplane.ListenOptions) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	listening, done := make(chan string, 1), make(chan error, 1)
	o.OnListen = func(baseURL string) { listening <- baseURL }
	switch {
	case o.DataFile == "":
		o.DataFile = filepath.Join(t.TempDir(), "mlops.db")
	case inDatabase(o.DataFile):
		o.DataFile, o.Database = "", o.DataFile
	}
	go func() { done <- controlplane.Serve(ctx, o) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the server did not end well: %v", err)
		}
	})
	select {
	case url := <-listening:
		return url
	case err := <-done:
		done <- err
		t.Fatal(err)
	case <-time.After(30 * time.Second):
		t.Fatal("the server does not listen")
	}
	return ""
}

// certificate makes a certificate for 127.0.0.1 and its key.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for path, data := range map[string][]byte{certFile: certPEM, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})} {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, pool
}

// tokenFile keeps secrets by name and role: "ci apply".
func tokenFile(t *testing.T, secrets map[string]string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	for who, secret := range secrets {
		addToken(t, path, who, secret, time.Time{})
	}
	return path
}

func addToken(t *testing.T, path, who, secret string, expires time.Time) {
	t.Helper()
	name, roleName, _ := strings.Cut(who, " ")
	role, err := token.ParseRole(roleName)
	if err != nil {
		t.Fatal(err)
	}
	entry, err := token.NewEntry(name, role, secret, time.Now(), expires)
	if err != nil {
		t.Fatal(err)
	}
	if err := token.Append(path, entry); err != nil {
		t.Fatal(err)
	}
}

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const secret = "correct-horse-battery-staple-and-more"

func TestAServerThatOthersReachNeedsATokenAndTLS(t *testing.T) {
	cert, key, _ := certificate(t)
	good, plain, none := tokenFile(t, map[string]string{"ci apply": secret}), file(t, secret), file(t, "mlops-tokens 1\n")
	for name, tt := range map[string]struct {
		o    controlplane.ListenOptions
		says string
	}{
		"all addresses":                {controlplane.ListenOptions{Address: ":0"}, "--token-file"},
		"all addresses, in words":      {controlplane.ListenOptions{Address: "0.0.0.0:0"}, "--token-file"},
		"all addresses of IPv6":        {controlplane.ListenOptions{Address: "[::]:0"}, "127.0.0.1"},
		"a token that can be read":     {controlplane.ListenOptions{Address: "0.0.0.0:0", TokenFile: good}, "TLS"},
		"TLS that lets everybody in":   {controlplane.ListenOptions{Address: "0.0.0.0:0", TLSCertFile: cert, TLSKeyFile: key}, "--token-file"},
		"half of TLS":                  {controlplane.ListenOptions{Address: "127.0.0.1:0", TLSCertFile: cert}, "both"},
		"no port":                      {controlplane.ListenOptions{Address: "127.0.0.1"}, "HOST:PORT"},
		"no such port":                 {controlplane.ListenOptions{Address: "127.0.0.1:99999"}, "port"},
		"a token in plain text":        {controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: plain}, "mlopsctl token create --name ci --role apply --value-from"},
		"no token in the file":         {controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: none}, "mlopsctl token create"},
		"a token that is not there":    {controlplane.ListenOptions{Address: "127.0.0.1:0", TokenFile: good + "x"}, "reading the token"},
		"a key that is no key":         {controlplane.ListenOptions{Address: "127.0.0.1:0", TLSCertFile: cert, TLSKeyFile: good}, "TLS"},
		"no data file":                 {controlplane.ListenOptions{Address: "127.0.0.1:0", DataFile: "-"}, "no path"},
		"a registry that is no server": {controlplane.ListenOptions{Address: "127.0.0.1:0", MLflow: mlflowOptions("sqlite:///mlflow.db")}, "tracking"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			switch tt.o.DataFile {
			case "":
				tt.o.DataFile = filepath.Join(t.TempDir(), "mlops.db")
			case "-":
				tt.o.DataFile = ""
			}
			tt.o.OnListen = func(url string) { t.Errorf("listens on %s", url); cancel() }
			err := controlplane.Serve(ctx, tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("does not say %q: %v", tt.says, err)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("shows the token: %v", err)
			}
		})
	}
}

func TestOnlyTheTokenOpensTheDoor(t *testing.T) {
	cert, key, pool := certificate(t)
	var log syncBuffer
	base := serve(t, controlplane.ListenOptions{
		Address: "0.0.0.0:0", TokenFile: tokenFile(t, map[string]string{"ci apply": secret}), TLSCertFile: cert, TLSKeyFile: key,
		Logger: slog.New(slog.NewJSONHandler(&log, nil)),
	})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(base, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	base = "https://127.0.0.1:" + port
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	defer transport.CloseIdleConnections()
	for header, want := range map[string]int{
		"Bearer " + secret:        http.StatusOK,
		"bearer " + secret:        http.StatusOK,
		"":                        http.StatusUnauthorized,
		"Bearer":                  http.StatusUnauthorized,
		"Bearer " + secret + "x":  http.StatusUnauthorized,
		"Bearer " + secret[1:]:    http.StatusUnauthorized,
		"Basic " + secret:         http.StatusUnauthorized,
		"Bearer " + secret + " x": http.StatusUnauthorized,
	} {
		for path, want := range map[string]int{"/v1/store": want, "/healthz": http.StatusOK, "/readyz": http.StatusOK} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
			if err != nil {
				t.Fatal(err)
			}
			if header != "" {
				request.Header.Set("Authorization", header)
			}
			response, err := transport.RoundTrip(request)
			if err != nil {
				t.Fatal(err)
			}
			body, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if response.StatusCode != want || want == http.StatusUnauthorized && response.Header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s with %q: %d %s", path, header, response.StatusCode, body)
			}
		}
	}

	// The client of the provider, with a body that must not reach the log.
	c, err := client.New(client.Options{Endpoint: base, Token: secret, Transport: transport})
	if err != nil {
		t.Fatal(err)
	}
	mustCreate(t, c, "registered_model", "fraud", fraud)
	logged := log.String()
	if !strings.Contains(logged, `"path":"/v1/registered_model/fraud"`) || !strings.Contains(logged, `"status":201`) {
		t.Errorf("the request is not in the log: %s", logged)
	}
	if strings.Contains(logged, secret) || strings.Contains(logged, "refunds") {
		t.Errorf("the log has the token or a body: %s", logged)
	}
}

func TestAWebPageCannotSpeakToTheControlPlane(t *testing.T) {
	base := serve(t, controlplane.ListenOptions{Address: "localhost:0"})
	_, port, err := net.SplitHostPort(strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{
		"127.0.0.1:" + port: http.StatusOK, "localhost:" + port: http.StatusOK, "LOCALHOST": http.StatusOK, "[::1]:" + port: http.StatusOK,
		"evil.example.com": http.StatusUnauthorized, "evil.example.com:" + port: http.StatusUnauthorized, "localhost.evil.example.com": http.StatusUnauthorized, "10.0.0.1": http.StatusUnauthorized,
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/v1/store", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Host = host
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		if response.StatusCode != want {
			t.Errorf("Host %s: %d", host, response.StatusCode)
		}
	}
}

func TestARequestThatRunsMayEnd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mlops.db")
	ctx, cancel := context.WithCancel(context.Background())
	listening, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- controlplane.Serve(ctx, controlplane.ListenOptions{Address: "127.0.0.1:0", DataFile: path, OnListen: func(url string) { listening <- url }})
	}()
	base := <-listening
	// Half of a request is on its way when the server is told to end.
	connection, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	body := `{"attributes":` + fraud + `}`
	_, _ = io.WriteString(connection, "PUT /v1/registered_model/fraud HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: *\r\nConnection: close\r\nContent-Length: "+itoa(len(body))+"\r\n\r\n"+body[:20])
	time.Sleep(100 * time.Millisecond)
	cancel()
	time.Sleep(100 * time.Millisecond)
	_, _ = io.WriteString(connection, body[20:])
	answer, err := io.ReadAll(connection)
	if err != nil || !bytes.HasPrefix(answer, []byte("HTTP/1.1 201")) {
		t.Errorf("%v: %s", err, answer)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := open(t, path).Get(t.Context(), "registered_model", "fraud"); err != nil {
		t.Errorf("the answered write: %v", err)
	}
}

func itoa(n int) string {
	text, _ := json.Marshal(n)
	return string(text)
}

type syncBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
