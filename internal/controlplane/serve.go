package controlplane

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/mlflow"
	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/token"
)

// The limits of a server where the options set none.
const (
	defaultRequestTimeout  = 90 * time.Second
	defaultShutdownTimeout = 30 * time.Second
	defaultHeaderTimeout   = 10 * time.Second
	defaultBodyTimeout     = 60 * time.Second
	maxHeaderBytes         = 64 << 10
)

// ListenOptions says how to open the control plane to others.
type ListenOptions struct {
	// Address is HOST:PORT; port 0 takes a free one. An address that is not a
	// loopback one needs TokenFile and both TLS files.
	Address string
	// DataFile is the SQLite file, where Database is not set.
	DataFile string
	// Database is the address of a PostgreSQL database, for several servers at once:
	// see [postgres.Open]. It may hold a password, and is never logged.
	Database string
	// MLflow, where it is set, is the registry of registered models.
	MLflow *mlflow.Options
	// TokenFile holds hashes of the bearer tokens (package token). Every request
	// must carry one of them, but for the health checks. It is read again when it
	// changes.
	TokenFile string
	// TLSCertFile and TLSKeyFile are in PEM form. They are read again when they
	// change.
	TLSCertFile, TLSKeyFile string
	// Rate is how many requests a second one token may send, or one address where
	// there are no tokens, and twice as many at once; 0 is no limit.
	Rate float64
	// RequestTimeout limits one request, waiting for locks included; 0 is 90 s.
	RequestTimeout time.Duration
	// ShutdownTimeout is how long running requests may take to end; 0 is 30 s.
	ShutdownTimeout time.Duration
	// HeaderTimeout and BodyTimeout limit how long a caller may take to send the
	// header and the whole of a request; 0 is 10 s and 60 s.
	HeaderTimeout, BodyTimeout time.Duration
	// Version is the program's, for the metrics.
	Version string
	// Logger gets one line a request; nil discards.
	Logger *slog.Logger
	// Reload has the token file and the certificate read again; may be nil.
	Reload <-chan os.Signal
	// OnListen is told the base URL once requests are answered.
	OnListen func(baseURL string)
}

// Serve answers requests until the context ends, then lets the running ones end
// and returns nil.
func Serve(ctx context.Context, o ListenOptions) (err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	address, err := o.address(ctx)
	if err != nil {
		return err
	}
	watching := map[string]reloader{}
	var tokens *watched[token.Set]
	if o.TokenFile != "" {
		if tokens, err = watchTokens(o.TokenFile, o.Logger); err != nil {
			return err
		}
		watching["tokens"] = tokens
	}
	var tlsConfig *tls.Config
	if o.TLSCertFile != "" {
		certificate, err := watch("certificate", []string{o.TLSCertFile, o.TLSKeyFile}, func() (*tls.Certificate, error) {
			pair, err := tls.LoadX509KeyPair(o.TLSCertFile, o.TLSKeyFile)
			return &pair, err
		}, o.Logger)
		if err != nil {
			return fmt.Errorf("reading the TLS certificate and key: %w", err)
		}
		watching["certificate"] = certificate
		tlsConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate.get(), nil }}
	}
	service, store, err := o.openService()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()

	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("listening on %s: %w", o.Address, err)
	}
	scheme := "http"
	if tlsConfig != nil {
		listener, scheme = tls.NewListener(listener, tlsConfig), "https"
	}
	requestTimeout := or(o.RequestTimeout, defaultRequestTimeout)
	bodyTimeout := or(o.BodyTimeout, defaultBodyTimeout)
	server := &http.Server{
		BaseContext:       func(net.Listener) context.Context { return withStopping(context.WithoutCancel(ctx), ctx.Done()) },
		Handler:           o.handler(service, tokens, watching, requestTimeout),
		ReadHeaderTimeout: or(o.HeaderTimeout, defaultHeaderTimeout),
		ReadTimeout:       bodyTimeout,
		WriteTimeout:      bodyTimeout + requestTimeout,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(o.Logger.Handler(), slog.LevelWarn),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	base := scheme + "://" + listener.Addr().String()
	o.Logger.InfoContext(ctx, "listening", "address", base, "version", o.Version)
	if o.OnListen != nil {
		o.OnListen(base)
	}
	for ctx.Err() == nil {
		select {
		case err := <-served:
			return fmt.Errorf("serving on %s: %w", o.Address, err)
		case <-o.Reload:
			for _, file := range watching {
				file.reload()
			}
		case <-ctx.Done():
		}
	}
	shutdownTimeout := or(o.ShutdownTimeout, defaultShutdownTimeout)
	o.Logger.InfoContext(ctx, "ending: running requests may end", "seconds", shutdownTimeout.Seconds())
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(stop); err != nil {
		_ = server.Close()
		return fmt.Errorf("requests were still running %s after the end was asked for: %w", shutdownTimeout, err)
	}
	return nil
}

func or(set, otherwise time.Duration) time.Duration {
	if set > 0 {
		return set
	}
	return otherwise
}

// reloader is a watched file of any content.
type reloader interface {
	reload()
	valid() bool
}

// handler puts everything that a server needs around the API. From the outside
// in: who is it, may they ask so often, may they ask for that at all.
func (o ListenOptions) handler(service *Service, tokens *watched[token.Set], watching map[string]reloader, timeout time.Duration) http.Handler {
	valid := map[string]func() bool{}
	for name, file := range watching {
		valid[name] = file.valid
	}
	m := newMetrics(o.Version, service.policies.Usage, valid, o.Logger)
	scrape, api := m.handler(o.Logger), newHandler(service, o.Logger)
	var next http.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/metrics" && r.Method == http.MethodGet {
			scrape.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	})
	if tokens != nil {
		next = authorized(next)
	}
	next = limited(audited(next, service.policies, o.Logger), newLimiter(o.Rate))
	if tokens != nil {
		next = authenticated(next, door{tokens, service.policies, o.Logger, time.Now})
	} else {
		next = loopbackOnly(next)
	}
	return observe(within(next, timeout), o.Logger, m)
}

// within limits the time of a request.
func within(next http.Handler, timeout time.Duration) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), timeout)
		defer cancel()
		next.ServeHTTP(w, r.WithContext(ctx))
	})
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
