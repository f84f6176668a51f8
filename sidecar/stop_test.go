package sidecar

import (
	"errors"
	"io"
	"net"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/sidecar/spool"
)

// stopping begins a stop and waits until it has begun.
func (w *world) stopping() <-chan error {
	stopped := make(chan error, 1)
	go func() { stopped <- w.stop() }()
	for w.Status().State != "stopping" { // only the status shows it
		runtime.Gosched()
	}
	return stopped
}

// TestAStopCanBeWatched: until what is spooled is sent, probes and status are
// answered, and events are sent elsewhere.
func TestAStopCanBeWatched(t *testing.T) {
	t.Parallel()
	w := start(t, Config{Grace: time.Minute}, spool.Config{}, func(c *cluster) { c.err = errors.New("away") })
	if code, body := w.send(t, "application/json", newEvent("a")); code != http.StatusAccepted {
		t.Fatal(code, body)
	}
	stopped := w.stopping()
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	for _, c := range []struct {
		method, path string
		status       int
		body         string
	}{
		{http.MethodGet, "/livez", 200, "ok"},
		{http.MethodGet, "/readyz", 503, "sidecar: stopping"},
		{http.MethodGet, "/statusz", 200, `"state": "stopping"`},
		{http.MethodPost, "/v1/events", 503, "the sidecar is stopping"},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, "http://"+w.Addr()+c.path, strings.NewReader(newEvent("late")))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := tr.RoundTrip(req)
		if err != nil {
			t.Fatalf("%s %s: %v", c.method, c.path, err)
		}
		b, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != c.status || !strings.Contains(string(b), c.body) {
			t.Errorf("%s %s: %d %s, %v", c.method, c.path, resp.StatusCode, b, err)
		}
		if events := c.method == http.MethodPost; events != (resp.Header.Get("Retry-After") == "5") || resp.Close != (c.path != "/statusz") {
			t.Errorf("%s %s: closes the connection: %t, Retry-After %q", c.method, c.path, resp.Close, resp.Header.Get("Retry-After"))
		}
	}
	w.cluster.down(nil)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
	if got := w.cluster.ids(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("sent %v", got)
	}
	if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", w.Addr()); err == nil {
		_ = conn.Close()
		t.Error("the port is still open after the stop")
	}
	w.balance(t)
}

// TestAStopIsBoundedByItsGrace: a request that does not end holds a stop no longer than
// its grace.
func TestAStopIsBoundedByItsGrace(t *testing.T) {
	t.Parallel()
	w := start(t, Config{Grace: 50 * time.Millisecond, RequestTimeout: time.Hour}, spool.Config{}, nil)
	half(t, w, newEvent("a"))
	if err := w.stop(); err != nil { // an hour later otherwise
		t.Error(err)
	}
	if !strings.Contains(w.logs.String(), "requests are cut off") || !strings.Contains(w.logs.String(), "the grace of 50ms is over; requests in flight: 1") {
		t.Errorf("the log does not say what was cut off:\n%s", w.logs)
	}
}

// TestReasonsNeedTheToken: every client may know that it is not ready, but not why.
func TestReasonsNeedTheToken(t *testing.T) {
	t.Parallel()
	const token secret.String = "0123456789abcdef"
	w := build(t, Config{Token: token}, spool.Config{})
	w.intake.close()
	for header, want := range map[string]string{"": "not ready\n", "Bearer wrong": "not ready\n", "Bearer " + token.Reveal(): "sidecar: stopping\n"} {
		resp := request{method: http.MethodGet, path: "/readyz", header: map[string]string{"Authorization": header}}.do(t, w.handler())
		if resp.Code != http.StatusServiceUnavailable || resp.Body.String() != want {
			t.Errorf("Authorization %q: %d %q, want %q", header, resp.Code, resp.Body, want)
		}
	}
}

func TestIntake(t *testing.T) {
	t.Parallel()
	in := newIntake(2)
	if a, b, c := in.enter(), in.enter(), in.enter(); a != nil || b != nil || c == nil || c.Status != http.StatusTooManyRequests {
		t.Errorf("three of two: %v, %v, %v", a, b, c)
	}
	in.leave()
	in.close()
	in.close()
	if a := in.enter(); a == nil || a.Status != http.StatusServiceUnavailable {
		t.Errorf("after close: %v", a)
	}
	left := make(chan error, 1)
	go func() { left <- in.wait(t.Context()) }()
	select {
	case err := <-left:
		t.Fatalf("wait = %v while one is in flight", err)
	default:
	}
	if a := in.enter(); a == nil || a.Status != http.StatusServiceUnavailable {
		t.Errorf("while it waits: %v", a)
	}
	in.leave()
	if err := <-left; err != nil {
		t.Error(err)
	}
	if n := in.inFlight.Load(); n != 0 {
		t.Errorf("%d in flight", n)
	}
	idle := newIntake(1)
	idle.close()
	if err := idle.wait(t.Context()); err != nil {
		t.Error(err)
	}
	if a := idle.enter(); a == nil || a.Status != http.StatusServiceUnavailable {
		t.Errorf("after wait: %v", a)
	}
}
