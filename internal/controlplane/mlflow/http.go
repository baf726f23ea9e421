package mlflow

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hashicorp/go-cleanhttp"
	"github.com/hashicorp/go-retryablehttp"
	"github.com/hashicorp/go-rootcerts"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

const (
	defaultTimeout = 120 * time.Second
	retries        = 3
	// Between attempts: a random time from minWait to maxWait, times the number of
	// the attempt, unless the server says how long (429, 503).
	minWait        = 200 * time.Millisecond
	maxWait        = time.Second
	maxAnswerBytes = 64 << 20
)

// transport sends requests to one MLflow server.
type transport struct {
	base          string // {tracking URI}/api/2.0/mlflow, without credentials
	shown         string // the tracking URI, for messages
	authorization func(*http.Request)
	http          *retryablehttp.Client
}

func newTransport(o Options) (*transport, error) {
	base, err := url.Parse(o.TrackingURI)
	if err != nil || base.Scheme != "http" && base.Scheme != "https" || base.Host == "" {
		return nil, errors.New("the MLflow tracking URI must be the http or https address of a tracking server: a path, a database or databricks is no such thing")
	}
	if base.User != nil && o.Username == "" && o.Password == "" {
		o.Username = base.User.Username()
		o.Password, _ = base.User.Password()
	}
	base.User, base.RawQuery, base.Fragment = nil, "", ""

	roundTripper := cleanhttp.DefaultPooledTransport()
	roundTripper.MaxIdleConnsPerHost = 16
	roundTripper.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: o.InsecureTLS}
	if o.CACertFile != "" {
		if roundTripper.TLSClientConfig.RootCAs, err = rootcerts.LoadCAFile(o.CACertFile); err != nil {
			return nil, fmt.Errorf("%s has no certificate authority for MLflow in PEM form: %w", o.CACertFile, err)
		}
	}
	timeout := o.Timeout
	if timeout <= 0 {
		timeout = defaultTimeout
	}
	t := &transport{shown: strings.TrimRight(base.String(), "/")}
	t.base = t.shown + "/api/2.0/mlflow"
	switch {
	case o.Username != "" && o.Password != "":
		t.authorization = func(r *http.Request) { r.SetBasicAuth(o.Username, o.Password) }
	case o.Token != "":
		t.authorization = func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+o.Token) }
	}
	t.http = &retryablehttp.Client{
		HTTPClient: &http.Client{
			Transport: roundTripper, Timeout: timeout,
			// A followed redirect turns a write into a read.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		RetryMax: retries, RetryWaitMin: minWait, RetryWaitMax: maxWait,
		// Every request here may be repeated but those marked by single: those that
		// set or remove something end the same way, and a create that was carried out
		// already answers RESOURCE_ALREADY_EXISTS.
		CheckRetry:   checkRetry,
		Backoff:      retryablehttp.RateLimitLinearJitterBackoff,
		ErrorHandler: retryablehttp.PassthroughErrorHandler,
	}
	return t, nil
}

type singleKey struct{}

// single marks a request that is sent once: repeated, it would do its work again.
func single(ctx context.Context) context.Context { return context.WithValue(ctx, singleKey{}, true) }

func checkRetry(ctx context.Context, response *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if once, _ := ctx.Value(singleKey{}).(bool); once {
		return false, nil
	}
	if err != nil {
		return retryablehttp.DefaultRetryPolicy(ctx, nil, err)
	}
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true, nil
	}
	return false, nil
}

// call sends a request: GET with a query, everything else with a JSON body.
// Errors are of the port; an [*apiError] in one is what the caller can tell apart by
// MLflow's own code.
func (t *transport) call(ctx context.Context, method, path string, query url.Values, body, into any) error {
	address := t.base + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	var payload any
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("writing a request to MLflow: %w", err)
		}
		payload = data
	}
	request, err := retryablehttp.NewRequestWithContext(ctx, method, address, payload)
	if err != nil {
		return fmt.Errorf("writing a request to MLflow: %w", err)
	}
	if payload != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("Accept", "application/json")
	if t.authorization != nil {
		t.authorization(request.Request)
	}
	response, err := t.http.Do(request)
	if response != nil {
		defer func() { _ = response.Body.Close() }()
	}
	var data []byte
	if err == nil {
		data, err = io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	}
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return &port.Error{
			Code: port.CodeUnavailable, Err: err, RetryAfter: time.Second,
			Detail: fmt.Sprintf("MLflow at %s did not answer: %v. Is the server up, and the tracking URI right?", t.shown, rootCause(err)),
		}
	}
	if response.StatusCode != http.StatusOK {
		return t.errorOf(response, data)
	}
	if into == nil {
		into = &struct{}{}
	}
	if err := json.Unmarshal(data, into); err != nil {
		return t.refused(err, "something at %s answered, and not as MLflow does. Is the tracking URI right, and no login page in front of it?", t.shown)
	}
	return nil
}

// rootCause leaves out the address, which the message has already.
func rootCause(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}

// apiError is an error in MLflow's own words.
type apiError struct {
	Status  int    `json:"-"`
	Code    string `json:"error_code"`
	Message string `json:"message"`
}

func (e *apiError) Error() string {
	return fmt.Sprintf("MLflow answered %d %s: %s", e.Status, e.Code, e.Message)
}

// The codes of MLflow that are told apart. Its HTTP statuses say less:
// RESOURCE_ALREADY_EXISTS is 400, and a 404 may come from any proxy.
const (
	doesNotExist  = "RESOURCE_DOES_NOT_EXIST"
	alreadyExists = "RESOURCE_ALREADY_EXISTS"
)

func isCode(err error, code string) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && e.Code == code
}

func (t *transport) refused(err error, format string, args ...any) error {
	return &port.Error{Code: port.CodeRegistryError, Detail: "MLflow: " + fmt.Sprintf(format, args...), Err: err}
}

// errorOf classifies by MLflow's error code first, and by the status only where
// there is none.
func (t *transport) errorOf(response *http.Response, body []byte) error {
	e := &apiError{Status: response.StatusCode}
	if json.Unmarshal(body, e) != nil {
		e.Code, e.Message = "", ""
	}
	e.Message = shorten(e.Message)
	switch e.Code {
	case doesNotExist, alreadyExists: // callers who expect it tell it apart by isCode
		return t.refused(e, "%s answered %s where that makes no sense: %s", t.shown, e.Code, e.Message)
	case "INVALID_PARAMETER_VALUE", "BAD_REQUEST":
		return &port.Error{Code: port.CodeInvalidArgument, Err: e, Detail: "MLflow does not accept this: " + e.Message}
	}
	status := response.StatusCode
	switch {
	case status == http.StatusUnauthorized, status == http.StatusForbidden, e.Code == "PERMISSION_DENIED":
		return t.refused(e, "%s refused the request (HTTP %d). Check the user name and password or the token, the user's permissions, and the server's list of allowed hosts.", t.shown, status)
	case status == http.StatusTooManyRequests, status == http.StatusBadGateway, status == http.StatusServiceUnavailable, status == http.StatusGatewayTimeout:
		return &port.Error{Code: port.CodeUnavailable, Err: e, RetryAfter: 2 * time.Second, Detail: fmt.Sprintf("MLflow at %s is not available (HTTP %d). %s", t.shown, status, e.Message)}
	case status == http.StatusNotFound:
		return t.refused(e, "there is no model registry at %s (HTTP 404 for its API). Check the path of the tracking URI.", t.shown)
	case status >= 300 && status < 400:
		return t.refused(e, "%s redirects elsewhere (HTTP %d). Set the address that it redirects to as the tracking URI.", t.shown, status)
	case e.Code != "":
		return t.refused(e, "%s failed: %s: %s", t.shown, e.Code, e.Message)
	}
	return t.refused(e, "%s failed (HTTP %d), and not in MLflow's words. The server's log may tell why.", t.shown, status)
}

func shorten(message string) string {
	const most = 600
	if runes := []rune(message); len(runes) > most {
		return string(runes[:most]) + "..."
	}
	return message
}
