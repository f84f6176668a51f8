package serve_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/serve"
)

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	return rec.Code, rec.Body.String()
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	var storeDown error
	var note string
	deps := serve.HealthDeps{
		Checks: []serve.Check{
			{Name: "kafka", Ready: func() error { return nil }, Note: func() string { return note }},
			{Name: "store", Ready: func() error { return storeDown }},
		},
		Status:  func() any { return map[string]int{"consumed": 3} },
		Metrics: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) },
	}
	h := serve.HealthHandler(serve.HealthConfig{}, deps)
	if code, body := get(t, h, "/readyz"); code != http.StatusOK || body != "ok\n" {
		t.Errorf("ready: %d %q", code, body)
	}
	note = "events wait"
	if code, body := get(t, h, "/readyz"); code != http.StatusOK || body != "ok\nkafka: events wait\n" {
		t.Errorf("ready, with a note: %d %q", code, body)
	}
	if rec := getAs(t, serve.HealthHandler(serve.HealthConfig{Token: "a-token-of-16-or-more"}, deps), "/readyz", ""); rec.Body.String() != "ok\n" {
		t.Errorf("a note for whoever asks: %q", rec.Body)
	}
	storeDown = errors.New("down for 3s")
	if code, body := get(t, h, "/readyz"); code != http.StatusServiceUnavailable || body != "store: down for 3s\n" {
		t.Errorf("not ready: %d %q", code, body)
	}
	if code, _ := get(t, h, "/livez"); code != http.StatusOK {
		t.Errorf("live while not ready: %d", code)
	}
	if code, body := get(t, h, "/statusz"); code != http.StatusOK || !strings.Contains(body, `"consumed": 3`) {
		t.Errorf("status: %d %q", code, body)
	}
	if code, _ := get(t, h, "/metrics"); code != http.StatusNotFound {
		t.Errorf("metrics that are switched off: %d", code)
	}
	if code, _ := get(t, serve.HealthHandler(serve.HealthConfig{Metrics: true}, deps), "/metrics"); code != http.StatusOK {
		t.Errorf("metrics: %d", code)
	}
	if code, _ := get(t, serve.HealthHandler(serve.HealthConfig{Metrics: true}, serve.HealthDeps{}), "/metrics"); code != http.StatusNotFound {
		t.Errorf("metrics of a server that has none: %d", code)
	}
	if code, _ := get(t, h, "/debug/pprof/"); code != http.StatusNotFound {
		t.Errorf("profiles are served without being asked for: %d", code)
	}
	if code, _ := get(t, serve.HealthHandler(serve.HealthConfig{Pprof: true}, deps), "/debug/pprof/"); code != http.StatusOK {
		t.Errorf("profiles: %d", code)
	}
}

func TestServeAndClose(t *testing.T) {
	t.Parallel()
	s, err := serve.ListenHealth(t.Context(), serve.HealthConfig{Listen: "127.0.0.1:0"}, serve.HealthDeps{})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr()+"/livez", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	_ = resp.Body.Close()
	if _, err := serve.ListenHealth(t.Context(), serve.HealthConfig{Listen: s.Addr()}, serve.HealthDeps{}); err == nil {
		t.Error("a port that is taken is no error")
	}
	if err := s.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	if fs := serve.DefaultHealthConfig().Validate(); len(fs) != 0 {
		t.Errorf("defaults: %v", fs)
	}
	if fs := (serve.HealthConfig{Listen: "8787"}).Validate(); len(fs) != 1 || fs[0].Path != "listen" {
		t.Errorf("an address without a host: %v", fs)
	}
	for port, good := range map[string]bool{"0": true, "65535": true, "65536": false, "99999": false, "-1": false, "": false, "http": false} {
		fs := serve.HealthConfig{Listen: "127.0.0.1:" + port}.Validate()
		if good != (len(fs) == 0) || !good && (len(fs) != 1 || fs[0].Path != "listen") {
			t.Errorf("port %q: %v", port, fs)
		}
	}
}
