package controlplane

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/mlops-as-code/terraform-provider-mlops/internal/controlplane/port"
)

// statusRecorder remembers what was answered, and who asked, for the log, the
// metrics and the audit log.
type statusRecorder struct {
	http.ResponseWriter
	head   bool // the answer is to HEAD, and has no body
	status int
	code   port.Code
	actor  string
}

func (r *statusRecorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *statusRecorder) Write(data []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	if r.head {
		return len(data), nil
	}
	return r.ResponseWriter.Write(data)
}

// Unwrap lets http.ResponseController and http.MaxBytesReader find the server's own writer.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

const requestIDHeader = "X-Request-Id"

var validRequestID = regexp.MustCompile(`^[!-~]{1,128}$`)

// observe is around everything else: it gives each request an id, turns a panic
// into an answer, and writes one line to the log. That has neither headers nor
// query nor body, and so no secret.
func observe(next http.Handler, log *slog.Logger, m *metrics) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		// A caller's own id joins its log to this one.
		id := r.Header.Get(requestIDHeader)
		if !validRequestID.MatchString(id) {
			id = uuid.NewString()
		}
		w.Header().Set(requestIDHeader, id)
		caller := port.Caller{Address: hostOf(r.RemoteAddr), RequestID: id}
		r = r.WithContext(port.WithCaller(r.Context(), caller))
		route := routeOf(r)
		recorder := &statusRecorder{ResponseWriter: w, head: r.Method == http.MethodHead}
		finished := m.begin()
		defer func() {
			if cause := recover(); cause != nil {
				if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(cause)
				}
				log.ErrorContext(r.Context(), "panic", "request_id", id, "method", r.Method, "path", r.URL.Path, "panic", fmt.Sprint(cause), "stack", string(debug.Stack()))
				if recorder.status == 0 {
					writeProblem(recorder, fmt.Errorf("panic: %v", cause))
				}
			}
			elapsed := time.Since(start)
			finished(r.Method, route, recorder.status, elapsed)
			attributes := []any{
				"request_id", id, "method", r.Method, "path", r.URL.Path, "route", route, "status", recorder.status,
				"seconds", elapsed.Seconds(), "address", caller.Address,
			}
			if recorder.actor != "" {
				attributes = append(attributes, "actor", recorder.actor)
			}
			if recorder.code != "" {
				attributes = append(attributes, "code", string(recorder.code))
			}
			log.InfoContext(r.Context(), "request", attributes...)
		}()
		next.ServeHTTP(recorder, r)
	})
}

// hostOf is the address without its port, which says nothing.
func hostOf(remote string) string {
	if host, _, err := net.SplitHostPort(remote); err == nil {
		return host
	}
	return remote
}

// apiRoutes are the paths of the API, split at their slashes.
var apiRoutes = sync.OnceValue(func() [][]string {
	var out [][]string
	for _, route := range (&handler{}).routes() {
		out = append(out, strings.Split(route.path, "/"))
	}
	return append(out, strings.Split("/metrics", "/"))
})

// routeOf is the request's path with placeholders for names, so that there are
// as few of them as there are routes.
func routeOf(r *http.Request) string {
	segments := strings.Split(r.URL.EscapedPath(), "/")
	for _, path := range apiRoutes() {
		if _, ok := match(path, segments); ok {
			return strings.Join(path, "/")
		}
	}
	return "other"
}
