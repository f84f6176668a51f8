package telemetry

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

func get(t *testing.T, rt http.RoundTripper, raw string) (*http.Response, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, raw, strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	return rt.RoundTrip(req)
}

func toAgent(t *testing.T, raw string) target {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return target{agent: u}
}

// TestLibraryReports stay here unless the environment asks for them.
func TestLibraryReports(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(srv.Close)
	to := toAgent(t, srv.URL)
	for _, tt := range []struct {
		library bool
		path    string
		want    int64 // requests that arrive
		status  int
	}{
		{false, "/telemetry/proxy/api/v2/apmtelemetry", 0, http.StatusAccepted},
		{false, "/v0.4/traces", 1, http.StatusOK},
		{true, "/telemetry/proxy/api/v2/apmtelemetry", 1, http.StatusOK},
	} {
		to.libraryTelemetry = tt.library
		a := newAgentTransport(to)
		before := asked.Load()
		resp, err := get(t, a, srv.URL+tt.path)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if got := asked.Load() - before; got != tt.want || resp.StatusCode != tt.status {
			t.Errorf("library %t, %s: %d requests and status %d, want %d and %d", tt.library, tt.path, got, resp.StatusCode, tt.want, tt.status)
		}
		a.CloseIdleConnections()
	}
	direct, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://instrumentation-telemetry-intake.datadoghq.com/api/v2/x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !libraryReport(direct) {
		t.Error("a report past the agent is not seen")
	}
}

// TestCutOff cancels a request in flight and the next.
func TestCutOff(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server watch for the client to go away
		close(arrived)
		<-r.Context().Done()
	}))
	t.Cleanup(srv.Close)
	a := newAgentTransport(toAgent(t, srv.URL))
	t.Cleanup(a.CloseIdleConnections)
	ended := make(chan error, 1)
	go func() {
		resp, err := get(t, a, srv.URL+"/v0.4/traces")
		if err == nil {
			_ = resp.Body.Close()
		}
		ended <- err
	}()
	<-arrived
	a.cancelAll()
	if err := <-ended; !errors.Is(err, errCutOff) && !errors.Is(err, context.Canceled) {
		t.Errorf("request in flight ended with %v", err)
	}
	if resp, err := get(t, a, srv.URL+"/v0.4/traces"); err == nil {
		_ = resp.Body.Close()
		t.Error("a later request is let through")
	}
}

// TestSocket: the path of a unix URL is dialled, whatever host the tracer names.
func TestSocket(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "apm")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	path := filepath.Join(dir, "s")
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "unix", path)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("here")) }))
	_ = srv.Listener.Close()
	srv.Listener = ln
	srv.Start()
	t.Cleanup(srv.Close)
	a := newAgentTransport(toAgent(t, "unix://"+path))
	t.Cleanup(a.CloseIdleConnections)
	resp, err := get(t, a, "http://UDS_made_up/info")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil || string(b) != "here" {
		t.Errorf("got %q, %v", b, err)
	}
}
