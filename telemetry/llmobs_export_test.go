package telemetry

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// TestAgentless: without an agent, evaluations go to the API of Datadog's site, with the
// key of the environment.
func TestAgentless(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("7a", 16)
	var got *http.Request
	var body []byte
	redirect := false
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r
		body, _ = io.ReadAll(r.Body)
		if redirect && r.Host == "api.us5.datadoghq.com" {
			http.Redirect(w, r, "https://other.example.com/", http.StatusTemporaryRedirect)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}))
	t.Cleanup(srv.Close)
	env := map[string]string{"DD_API_KEY": key, "DD_SITE": "us5.datadoghq.com"}
	cfg := enabled()
	cfg.Agentless = true
	e, err := newExporter(cfg, target{agent: &url.URL{Scheme: "unix", Path: "/nowhere"}}, machine{getenv: func(name string) string { return env[name] }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.close)
	e.transport.next.TLSClientConfig = srv.Client().Transport.(*http.Transport).TLSClientConfig.Clone()
	e.transport.next.TLSClientConfig.ServerName = "example.com" // of the certificate
	e.transport.next.Proxy = nil
	e.transport.next.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, srv.Listener.Addr().String())
	}
	lost := e.send(t.Context(), []evaluation{
		{join: join{trace: llmTrace, span: llmSpan}, label: "a", value: true, mlApp: "desk", at: time.UnixMilli(7)},
		{join: join{trace: llmTrace}, label: "half an id", value: true},
	})
	if got == nil || got.Host != "api.us5.datadoghq.com" || got.URL.Path != "/api/intake/llm-obs/v2/eval-metric" || got.Header.Get("DD-API-KEY") != key {
		t.Fatalf("request %+v", got)
	}
	if !json.Valid(body) || strings.Contains(string(body), key) || lost[lostInvalid] != 1 || len(lost) != 1 {
		t.Errorf("body %s, lost %v", body, lost)
	}
	redirect = true
	lost = e.send(t.Context(), []evaluation{{join: join{trace: llmTrace, span: llmSpan}, label: "a", value: true, mlApp: "desk", at: time.UnixMilli(7)}})
	if got.Host != "api.us5.datadoghq.com" || lost[lostRefused] != 1 {
		t.Errorf("a redirect: the key went to %s, lost %v", got.Host, lost)
	}
}

// TestAgentlessKeepsTheKey: a slip in the name of the site sends the key nowhere.
func TestAgentlessKeepsTheKey(t *testing.T) {
	t.Parallel()
	cfg := enabled()
	cfg.Agentless = true
	env := map[string]string{"DD_API_KEY": strings.Repeat("7a", 16), "DD_SITE": "datadoghq.con"}
	_, err := newExporter(cfg, target{agent: &url.URL{Scheme: "http", Host: "agent:8126"}}, machine{getenv: func(name string) string { return env[name] }})
	if err == nil || !strings.Contains(err.Error(), "DD_SITE") || strings.Contains(err.Error(), env["DD_API_KEY"]) {
		t.Errorf("error %v", err)
	}
}

// TestAgentlessNeedsAKey: the error names the variable and never its value.
func TestAgentlessNeedsAKey(t *testing.T) {
	t.Parallel()
	cfg := enabled()
	cfg.Agentless = true
	for _, key := range []string{"", "short-canary", strings.Repeat("A", 32)} {
		_, err := newExporter(cfg, target{agent: &url.URL{Scheme: "http", Host: "agent:8126"}}, machine{getenv: func(name string) string {
			if name == "DD_API_KEY" {
				return key
			}
			return ""
		}})
		if err == nil || !strings.Contains(err.Error(), "DD_API_KEY") || key != "" && strings.Contains(err.Error(), key) {
			t.Errorf("key %q: %v", key, err)
		}
	}
}
