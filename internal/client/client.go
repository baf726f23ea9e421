// Package client is the one client of the control plane's HTTP API, for the
// provider and for mlopsctl. It speaks to a server ([New]) or to a handler in
// the same process ([NewEmbedded]) in the same way.
//
// Every method returns an [*Error] for what the control plane answered, and
// another error where there was no answer. Requests that can be repeated without
// harm, which all of them can, are repeated when the server asks to come back
// (429, 503, 504), when something in between failed (502) and when the
// connection did. Nothing is repeated after a conflict (409, 412).
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-cleanhttp"
	"github.com/hashicorp/go-retryablehttp"
)

// Options configures a client.
type Options struct {
	// Endpoint is the control plane's base URL; it may have a path prefix.
	Endpoint string
	// Token is sent as a bearer token, where it is set.
	Token string
	// RootCAs are the authorities to trust instead of the machine's; nil are those.
	RootCAs *x509.CertPool
	// Transport replaces the default pooled one.
	Transport http.RoundTripper
	// UserAgent names the caller.
	UserAgent string
	// Logger hears about requests and retries; nil discards. An hclog.Logger
	// and a slog.Logger are both of this type.
	Logger retryablehttp.LeveledLogger
	// Timeout limits one attempt; 0 means 60 seconds.
	Timeout time.Duration
	// Retries is how often a request is repeated; 0 means 8, which takes about twenty
	// seconds where a server restarts, and negative never.
	Retries int
}

const (
	defaultTimeout = 60 * time.Second
	defaultRetries = 8
	// Between attempts: a random time from minWait to maxWait, times the number of
	// the attempt, unless the server says how long (429, 503).
	minWait = 200 * time.Millisecond
	maxWait = time.Second
	// maxAnswerBytes bounds what is read of an answer: far above any page.
	maxAnswerBytes = 256 << 20
)

// Client speaks to one control plane. It is safe for concurrent use.
type Client struct {
	base      string
	token     string
	userAgent string
	actor     string
	http      *retryablehttp.Client
	ahead     readAhead
}

// New makes a client of the control plane at an endpoint. It does not connect.
func New(options Options) (*Client, error) {
	endpoint, err := url.Parse(options.Endpoint)
	if err != nil || endpoint.Scheme != "http" && endpoint.Scheme != "https" || endpoint.Host == "" {
		return nil, errors.New("the endpoint is not a URL of the form https://host:port: set the control plane's base URL")
	}
	if endpoint.User != nil || endpoint.RawQuery != "" || endpoint.Fragment != "" {
		return nil, errors.New("the endpoint must have no user, query or fragment: set a token instead")
	}
	if strings.ContainsAny(options.Token, "\r\n\x00") {
		return nil, errors.New("the token has a line break in it: it may have been read from a file with its last newline")
	}
	transport := options.Transport
	if transport == nil {
		pooled := cleanhttp.DefaultPooledTransport()
		pooled.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: options.RootCAs}
		// Terraform reads ten objects at a time.
		pooled.MaxIdleConnsPerHost = 16
		transport = pooled
	}
	retries := options.Retries
	if retries == 0 {
		retries = defaultRetries
	}
	timeout := options.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	retrying := &retryablehttp.Client{
		HTTPClient:   &http.Client{Transport: transport, Timeout: timeout, CheckRedirect: noRedirect},
		RetryMax:     max(retries, 0),
		RetryWaitMin: minWait,
		RetryWaitMax: maxWait,
		CheckRetry:   checkRetry,
		Backoff:      retryablehttp.RateLimitLinearJitterBackoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,

		RequestLogHook: countAttempts,
	}
	if options.Logger != nil {
		retrying.Logger = options.Logger
	}
	return &Client{
		base: strings.TrimRight(endpoint.String(), "/"), token: options.Token, userAgent: options.UserAgent, http: retrying,
	}, nil
}

// NewEmbedded makes a client of a handler in the same process: no socket, no
// token, and no retries, because nothing lies in between.
func NewEmbedded(handler http.Handler) *Client {
	c, err := New(Options{Endpoint: "http://embedded.invalid", Transport: inProcess{handler}, Retries: -1, Timeout: 10 * time.Minute})
	if err != nil {
		panic(err) // the options are constant
	}
	return c
}

// As is the client with the name of who asks, for the history of aliases. It is what
// people are told, and no credential.
func (c *Client) As(actor string) *Client {
	named := &Client{base: c.base, token: c.token, userAgent: c.userAgent, http: c.http}
	named.actor = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, actor)
	return named
}

// noRedirect stops at a redirect: following one would turn a write into a read,
// and could carry the token elsewhere.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func checkRetry(ctx context.Context, response *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		return retryablehttp.DefaultRetryPolicy(ctx, nil, err)
	}
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true, nil
	case http.StatusBadGateway:
		// The control plane's own 502 is the registry's final word; anybody
		// else's is a proxy that did not reach the control plane.
		return !isProblem(response), nil
	}
	return false, nil
}

// answer is what came back for one request.
type answer struct {
	status int
	header http.Header
	body   []byte
	// repeated says that an earlier attempt may have been carried out.
	repeated bool
}

// do sends one request, and turns every answer above 299 into an [*Error].
func (c *Client) do(ctx context.Context, method, path string, header http.Header, body any) (*answer, error) {
	var payload []byte
	if body != nil {
		var buffer bytes.Buffer
		encoder := json.NewEncoder(&buffer)
		encoder.SetEscapeHTML(false) // documents go as they are
		if err := encoder.Encode(body); err != nil {
			return nil, fmt.Errorf("writing the request: %w", err)
		}
		payload = buffer.Bytes()
	}
	var attempts atomic.Int32
	ctx = context.WithValue(ctx, attemptsKey{}, &attempts)
	request, err := retryablehttp.NewRequestWithContext(ctx, method, c.base+path, payload)
	if err != nil {
		return nil, fmt.Errorf("writing the request: %w", err)
	}
	if payload == nil {
		request.Body, request.ContentLength = nil, 0
	} else {
		request.Header.Set("Content-Type", "application/json")
	}
	for name, values := range header {
		request.Header[name] = values
	}
	request.Header.Set("Accept", "application/json, application/problem+json")
	if c.userAgent != "" {
		request.Header.Set("User-Agent", c.userAgent)
	}
	if c.actor != "" {
		request.Header.Set("Mlops-Actor", c.actor)
	}
	if c.token != "" {
		request.Header.Set("Authorization", "Bearer "+c.token)
	}
	var data []byte
	read := false
	// Inside the loop of attempts, so that an answer that breaks off is asked
	// for again.
	request.SetResponseHandler(func(response *http.Response) (err error) {
		data, err = readAnswer(response)
		read = err == nil
		return err
	})
	response, err := c.http.Do(request)
	if response != nil {
		defer func() { _ = response.Body.Close() }()
	}
	if err == nil && !read {
		data, err = readAnswer(response)
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() != nil {
		return nil, fmt.Errorf("the control plane did not answer in time, in %d attempts: %w", attempts.Load()+1, err)
	}
	if err != nil {
		return nil, fmt.Errorf("the control plane did not answer: %w", err)
	}
	out := &answer{status: response.StatusCode, header: response.Header, body: data, repeated: attempts.Load() > 0}
	if response.StatusCode > 299 {
		return out, errorOf(response, data)
	}
	return out, nil
}

// readAnswer reads a body, which must not be larger than any answer is.
func readAnswer(response *http.Response) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes+1))
	if err == nil && len(data) > maxAnswerBytes {
		err = fmt.Errorf("the answer is larger than %d bytes", maxAnswerBytes)
	}
	return data, err
}

// countAttempts notes in the request's context which attempt is being made.
func countAttempts(_ retryablehttp.Logger, request *http.Request, attempt int) {
	if attempts, ok := request.Context().Value(attemptsKey{}).(*atomic.Int32); ok {
		attempts.Store(int32(attempt))
	}
}

type attemptsKey struct{}

// decode reads an answer's JSON.
func decode(a *answer, into any) error {
	if err := json.Unmarshal(a.body, into); err != nil {
		return &Error{Status: a.status, Detail: "The answer is not the control plane's: it is not the expected JSON. Is the endpoint right, and no proxy's page?"}
	}
	return nil
}
