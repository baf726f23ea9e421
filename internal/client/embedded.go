package client

import (
	"bytes"
	"io"
	"net/http"
)

// inProcess answers requests by calling a handler: no socket, no copies but one.
type inProcess struct{ handler http.Handler }

// RoundTrip implements http.RoundTripper.
func (t inProcess) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Body != nil {
		defer func() { _ = request.Body.Close() }()
	}
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	// What a server's handler may count on and a client's request lacks.
	incoming := request.Clone(request.Context())
	incoming.RequestURI = request.URL.RequestURI()
	incoming.RemoteAddr = "in-process"
	incoming.Host = request.URL.Host
	if incoming.Body == nil {
		incoming.Body = http.NoBody
	}
	writer := &responseBuffer{header: http.Header{}}
	t.handler.ServeHTTP(writer, incoming)
	if err := request.Context().Err(); err != nil {
		return nil, err
	}
	writer.WriteHeader(http.StatusOK)
	return &http.Response{
		Status: http.StatusText(writer.status), StatusCode: writer.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: writer.sent, Body: io.NopCloser(&writer.body), ContentLength: int64(writer.body.Len()), Request: request,
	}, nil
}

// responseBuffer is an http.ResponseWriter into memory.
type responseBuffer struct {
	header, sent http.Header
	status       int
	body         bytes.Buffer
}

func (b *responseBuffer) Header() http.Header { return b.header }

func (b *responseBuffer) WriteHeader(status int) {
	if b.status == 0 {
		b.status, b.sent = status, b.header.Clone()
	}
}

func (b *responseBuffer) Write(data []byte) (int, error) {
	b.WriteHeader(http.StatusOK)
	return b.body.Write(data)
}
