package telemetry

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// agentTransport carries the tracer's requests to the agent. It does two things
// that the tracer has no option for: it can cut off an agent that hangs, so that
// stopping ends in time, and it swallows the library's reports about its own
// use, which go out unless an environment variable said otherwise before main
// began.
type agentTransport struct {
	next    *http.Transport
	library bool            // let the library's reports pass
	ctx     context.Context //nolint:containedctx // ends all requests at once, whoever made them
	cancel  context.CancelCauseFunc
}

var errCutOff = errors.New("telemetry is closing")

func newAgentTransport(to target) *agentTransport {
	dialer := &net.Dialer{Timeout: agentTimeout, KeepAlive: 30 * time.Second}
	next := &http.Transport{
		DialContext: dialer.DialContext, MaxIdleConns: 100, MaxIdleConnsPerHost: 100, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: agentTimeout,
	}
	if to.agent.Scheme == "unix" {
		// The tracer makes up a host name for a socket; the path is what counts.
		next.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", to.agent.Path)
		}
	} else {
		next.Proxy = http.ProxyFromEnvironment
	}
	a := &agentTransport{next: next, library: to.libraryTelemetry}
	a.ctx, a.cancel = context.WithCancelCause(context.Background())
	return a
}

// cutOff ends all requests, and refuses further ones.
func (a *agentTransport) cutOff() { a.cancel(errCutOff) }

// CloseIdleConnections is called by [http.Client.CloseIdleConnections].
func (a *agentTransport) CloseIdleConnections() { a.next.CloseIdleConnections() }

// RoundTrip implements [http.RoundTripper].
func (a *agentTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !a.library && libraryReport(req) {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return &http.Response{
			Status: "202 Accepted", StatusCode: http.StatusAccepted, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{}, Body: http.NoBody, Request: req,
		}, nil
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	stop := context.AfterFunc(a.ctx, func() { cancel(errCutOff) })
	release := func() {
		stop()
		cancel(nil)
	}
	resp, err := a.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		release()
		return nil, err
	}
	resp.Body = &responseBody{resp.Body, release}
	return resp, nil
}

// libraryReport reports whether a request is the tracing library telling about
// itself, by way of the agent or directly.
func libraryReport(req *http.Request) bool {
	return strings.HasPrefix(req.URL.Path, "/telemetry/proxy/") ||
		strings.HasPrefix(req.URL.Hostname(), "instrumentation-telemetry-intake.")
}

// releasing frees a request's context once its answer has been read.
type responseBody struct {
	io.ReadCloser
	release func()
}

func (r *responseBody) Close() error {
	defer r.release()
	return r.ReadCloser.Close()
}
