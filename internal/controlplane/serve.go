package controlplane

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/mlflow"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// minTokenLength keeps out tokens that can be guessed.
const minTokenLength = 16

// shutdownTime is how long running requests may take to end.
const shutdownTime = 15 * time.Second

// requestTime limits one request, waiting for locks included.
const requestTime = 90 * time.Second

// ListenOptions says how to open the control plane to others.
type ListenOptions struct {
	// Address is HOST:PORT; port 0 takes a free one. An address that is not a
	// loopback one needs TokenFile and both TLS files.
	Address string
	// DataFile is the SQLite file.
	DataFile string
	// MLflow, where it is set, is the registry of registered models.
	MLflow *mlflow.Options
	// TokenFile holds the bearer token that every request must carry, but for
	// the health checks. White space around it does not count.
	TokenFile string
	// TLSCertFile and TLSKeyFile are in PEM form.
	TLSCertFile, TLSKeyFile string
	// Logger gets one line a request; nil discards.
	Logger *slog.Logger
	// OnListen is told the base URL once requests are answered.
	OnListen func(baseURL string)
}

// Serve answers requests until the context ends, then lets the running ones end
// and returns nil.
func Serve(ctx context.Context, o ListenOptions) (err error) {
	address, err := o.address(ctx)
	if err != nil {
		return err
	}
	var token string
	if o.TokenFile != "" {
		if token, err = readToken(o.TokenFile); err != nil {
			return err
		}
	}
	var tlsConfig *tls.Config
	if o.TLSCertFile != "" {
		certificate, err := tls.LoadX509KeyPair(o.TLSCertFile, o.TLSKeyFile)
		if err != nil {
			return fmt.Errorf("reading the TLS certificate and key: %w", err)
		}
		tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
	}
	handler, closer, err := OpenEmbedded(o.DataFile, Options{MLflow: o.MLflow, Logger: o.Logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer.Close()) }()

	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", o.Address, err)
	}
	scheme := "http"
	if tlsConfig != nil {
		listener, scheme = tls.NewListener(listener, tlsConfig), "https"
	}
	server := &http.Server{
		BaseContext:       func(net.Listener) context.Context { return withStopping(context.WithoutCancel(ctx), ctx.Done()) },
		Handler:           guard(handler, token),
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      requestTime + 30*time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(discardIfNil(o.Logger).Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	if o.OnListen != nil {
		o.OnListen(scheme + "://" + listener.Addr().String())
	}
	select {
	case err := <-served:
		return fmt.Errorf("serving on %s: %w", o.Address, err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		_ = server.Close()
		return fmt.Errorf("requests were still running %s after the end was asked for: %w", shutdownTime, err)
	}
	return nil
}

func discardIfNil(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

// address resolves the address, and refuses one that others can reach unless
// they need a token, which they cannot read on the way.
func (o ListenOptions) address(ctx context.Context) (string, error) {
	if (o.TLSCertFile == "") != (o.TLSKeyFile == "") {
		return "", errors.New("TLS needs both a certificate and a key: set the other one, too")
	}
	host, portName, err := net.SplitHostPort(o.Address)
	if err != nil {
		return "", fmt.Errorf("the address to listen on must be HOST:PORT, for instance 127.0.0.1:8787: %w", err)
	}
	portNumber, err := net.DefaultResolver.LookupPort(ctx, "tcp", portName)
	if err != nil {
		return "", fmt.Errorf("the address to listen on has no valid port: %w", err)
	}
	loopback := false
	if host != "" {
		found, err := net.DefaultResolver.LookupIPAddr(ctx, host)
		if err != nil {
			return "", fmt.Errorf("the address to listen on has an unknown host: %w", err)
		}
		// IPv4 first: that is what "localhost" means to most clients.
		at := found[0]
		for _, candidate := range found {
			if candidate.IP.To4() != nil {
				at = candidate
				break
			}
		}
		host, loopback = at.String(), at.IP.IsLoopback()
	}
	if !loopback && (o.TokenFile == "" || o.TLSCertFile == "") {
		return "", fmt.Errorf("%s can be reached from other machines: that needs a token (--token-file) and TLS (--tls-cert and --tls-key). For this machine alone, listen on 127.0.0.1", o.Address)
	}
	return net.JoinHostPort(host, fmt.Sprint(portNumber)), nil
}

func readToken(path string) (string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("reading the token: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if len(token) < minTokenLength || strings.ContainsAny(token, " \t\r\n") {
		return "", fmt.Errorf("%s must hold one token of at least %d characters: `openssl rand -hex 32` makes one", path, minTokenLength)
	}
	return token, nil
}

// guard lets in who has the token. Where there is none, and so only this machine
// can connect, it lets in who addresses this machine by a name of its own: a web
// page that had its own name point here cannot speak to the control plane.
func guard(next http.Handler, token string) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), requestTime)
		defer cancel()
		r = r.WithContext(ctx)
		requestID(w, r)
		switch {
		case token == "":
			if !isLoopbackName(r.Host) {
				writeProblem(w, &port.Error{Code: codeUnauthenticated, Detail: "This control plane has no token and serves its own machine only: address it as localhost or 127.0.0.1."})
				return
			}
		case r.URL.Path == "/healthz" || r.URL.Path == "/readyz":
		default:
			scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
			got := sha256.Sum256([]byte(strings.TrimSpace(given)))
			if subtle.ConstantTimeCompare(got[:], want[:]) != 1 || !strings.EqualFold(scheme, "Bearer") {
				writeProblem(w, &port.Error{Code: codeUnauthenticated, Detail: "The control plane wants a bearer token, and this is none of its own. Set `token` in the provider's configuration, or MLOPS_TOKEN."})
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

func isLoopbackName(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || ip != nil && ip.IsLoopback()
}
