package serve_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/serve"
	"github.com/evalworker/evalworker/internal/testkit/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// getAs asks with an Authorization header.
func getAs(t *testing.T, h http.Handler, path, authorization string) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	req := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	h.ServeHTTP(rec, req)
	return rec
}

func tokenFile(t *testing.T, token string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestToken: what a request sees with the token and without it.
func TestToken(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("canary", 4)
	deps := serve.HealthDeps{
		Checks:  []serve.Check{{Name: "kafka", Ready: func() error { return errors.New("broker kafka:9092 is away") }}},
		Status:  func() any { return map[string]string{"group": "evalworker"} },
		Metrics: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "evalworker_lag 1\n") },
	}
	for name, cfg := range map[string]serve.HealthConfig{
		"in the configuration": {Listen: ":0", Token: secret.String(token), Metrics: true, Pprof: true},
		"in a file":            {Listen: ":0", TokenFile: tokenFile(t, token+"\n"), Metrics: true, Pprof: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if fs := cfg.Validate(); len(fs) != 0 {
				t.Fatal(fs)
			}
			h := serve.HealthHandler(cfg, deps)
			for _, wrong := range []string{
				"", "Bearer", "Bearer ", "Bearer " + token + "x", "Bearer " + token[1:], "Basic " + token, token, "Bearer x " + token, "bearer" + token,
			} {
				for _, path := range []string{"/statusz", "/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/debug/pprof/heap"} {
					rec := getAs(t, h, path, wrong)
					if rec.Code != http.StatusUnauthorized || !strings.HasPrefix(rec.Header().Get("WWW-Authenticate"), "Bearer") {
						t.Errorf("%s with %q: %d %q", path, wrong, rec.Code, rec.Header().Get("WWW-Authenticate"))
					}
				}
				if rec := getAs(t, h, "/readyz", wrong); rec.Code != http.StatusServiceUnavailable || rec.Body.String() != "not ready\n" {
					t.Errorf("/readyz with %q: %d %q", wrong, rec.Code, rec.Body)
				}
				if rec := getAs(t, h, "/livez", wrong); rec.Code != http.StatusOK || rec.Body.String() != "ok\n" {
					t.Errorf("/livez with %q: %d %q", wrong, rec.Code, rec.Body)
				}
			}
			for _, right := range []string{"Bearer " + token, "bearer  " + token} {
				if rec := getAs(t, h, "/statusz", right); rec.Code != http.StatusOK || !strings.Contains(rec.Body.String(), "evalworker") {
					t.Errorf("/statusz with the token: %d %q", rec.Code, rec.Body)
				}
				if rec := getAs(t, h, "/metrics", right); rec.Code != http.StatusOK || rec.Body.String() != "evalworker_lag 1\n" {
					t.Errorf("/metrics with the token: %d %q", rec.Code, rec.Body)
				}
				if rec := getAs(t, h, "/debug/pprof/", right); rec.Code != http.StatusOK {
					t.Errorf("profiles with the token: %d", rec.Code)
				}
				if rec := getAs(t, h, "/readyz", right); rec.Code != http.StatusServiceUnavailable || !strings.Contains(rec.Body.String(), "kafka:9092 is away") {
					t.Errorf("/readyz with the token: %d %q", rec.Code, rec.Body)
				}
			}
		})
	}
}

// TestTokenFileIsReadAgain: a rotated token takes effect at once, and without a token
// that can be read every request is turned away.
func TestTokenFileIsReadAgain(t *testing.T) {
	t.Parallel()
	first, second := strings.Repeat("first", 4), strings.Repeat("second", 4)
	path := tokenFile(t, first)
	h := serve.HealthHandler(serve.HealthConfig{TokenFile: path}, serve.HealthDeps{Status: func() any { return 1 }})
	check := func(token string, want int) {
		t.Helper()
		if rec := getAs(t, h, "/statusz", "Bearer "+token); rec.Code != want {
			t.Errorf("%d, want %d", rec.Code, want)
		}
	}
	check(first, http.StatusOK)
	check(second, http.StatusUnauthorized)
	if err := os.WriteFile(path, []byte(second), 0o600); err != nil {
		t.Fatal(err)
	}
	check(first, http.StatusUnauthorized)
	check(second, http.StatusOK)
	for _, bad := range []string{"", "short"} {
		if err := os.WriteFile(path, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		check(second, http.StatusServiceUnavailable)
		check(bad, map[string]int{"": http.StatusUnauthorized, "short": http.StatusServiceUnavailable}[bad])
	}
}

func TestValidateToken(t *testing.T) {
	t.Parallel()
	token := secret.String(strings.Repeat("canary", 4))
	for name, tt := range map[string]struct {
		cfg  serve.HealthConfig
		path string
	}{
		"loopback":                    {serve.HealthConfig{Listen: "127.0.0.1:8787"}, ""},
		"loopback by name":            {serve.HealthConfig{Listen: "localhost:8787"}, ""},
		"loopback, IPv6":              {serve.HealthConfig{Listen: "[::1]:8787"}, ""},
		"no server":                   {serve.HealthConfig{}, ""},
		"all interfaces":              {serve.HealthConfig{Listen: ":8787"}, "listen"},
		"all interfaces, IPv4":        {serve.HealthConfig{Listen: "0.0.0.0:8787"}, "listen"},
		"one interface":               {serve.HealthConfig{Listen: "10.0.0.7:8787"}, "listen"},
		"a name":                      {serve.HealthConfig{Listen: "worker.internal:8787"}, "listen"},
		"all interfaces with a token": {serve.HealthConfig{Listen: ":8787", Token: token}, ""},
		"a token that can be guessed": {serve.HealthConfig{Listen: ":8787", Token: "guess"}, "token"},
		"two tokens":                  {serve.HealthConfig{Listen: ":8787", Token: token, TokenFile: "x"}, "token_file"},
		"no file":                     {serve.HealthConfig{Listen: ":8787", TokenFile: "/nowhere"}, "token_file"},
		"a file to guess":             {serve.HealthConfig{Listen: ":8787", TokenFile: tokenFile(t, "guess")}, "token_file"},
	} {
		fs := tt.cfg.Validate()
		switch {
		case tt.path == "" && len(fs) == 0:
		case len(fs) != 1 || fs[0].Path != tt.path || fs[0].Expected == "":
			t.Errorf("%s: %v, want one fault at %q", name, fs, tt.path)
		case strings.Contains(fs.Error(), "guess") && !strings.Contains(fs.Error(), "guessed"):
			t.Errorf("%s shows the token: %v", name, fs)
		}
	}
	if s, err := serve.ListenHealth(t.Context(), serve.HealthConfig{Listen: ":0"}, serve.HealthDeps{}); err == nil {
		_ = s.Close(t.Context())
		t.Error("a server beyond loopback without a token")
	}
}

func TestTheTokenIsNotPrinted(t *testing.T) {
	t.Parallel()
	canary := strings.Repeat("canary", 4)
	cfg := serve.HealthConfig{Token: secret.String(canary)}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("configured", "health", cfg)
	if printed := fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg) + log.String(); strings.Contains(printed, canary) {
		t.Errorf("printed: %s", printed)
	}
}

// TestHeaderBound: the first line and the header may have 16 KiB together.
func TestHeaderBound(t *testing.T) {
	t.Parallel()
	s := health(t, serve.HealthConfig{})
	const bound = 16 << 10
	for size, want := range map[int]string{bound: "200", bound + 1: "431", 64 << 10: "431"} {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		before, after := "GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Large: ", "\r\n\r\n"
		// The server answers and closes before all of a large one is written.
		_, _ = io.WriteString(conn, before+strings.Repeat("x", size-len(before)-len(after))+after)
		answer := make([]byte, 12)
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 "+want {
			t.Errorf("%d bytes: %q, %v", size, answer, err)
		}
	}
}

// TestConnectionBound: with all connections taken, one that waits is closed for one
// more, and no other.
func TestConnectionBound(t *testing.T) {
	t.Parallel()
	s := health(t, serve.HealthConfig{})
	open := make([]net.Conn, serve.MaxConns+1)
	for i := range open {
		var err error
		if open[i], err = new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr()); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = open[i].Close() }()
	}
	last := open[len(open)-1]
	ask(t, last)
	if !answered(last, time.Minute) {
		t.Error("one connection more than allowed is not answered")
	}
	closed := 0
	for _, conn := range open[:serve.MaxConns] {
		_, err := io.WriteString(conn, probe)
		if err != nil || !answered(conn, time.Minute) {
			closed++
		}
	}
	if closed != 1 {
		t.Errorf("%d connections are closed for one more", closed)
	}
}

const probe = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"

func ask(t *testing.T, conn net.Conn) {
	t.Helper()
	if _, err := io.WriteString(conn, probe); err != nil {
		t.Fatal(err)
	}
}

// answered reports whether an answer begins within d.
func answered(conn net.Conn, d time.Duration) bool {
	_ = conn.SetReadDeadline(time.Now().Add(d))
	n, err := conn.Read(make([]byte, 1))
	return n == 1 && err == nil
}

// TestHostAllowed: without a token, only hosts that no web page can have.
func TestHostAllowed(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"127.0.0.1:8788": true, "10.0.0.7": true, "10.244.1.17:8787": true, "[::1]:8788": true, "[::1]": true, "[fe80::1%lo]:8787": true,
		"localhost:8788": true, "LocalHost": true, "LOCALHOST:8787": true, "localhost.": true, "localhost.:8787": true, "": true,
		"evil.example:8788": false, "localhost.evil.example": false, "127.0.0.1.evil.example:8788": false, "evil.localhost": false,
		"localhost..": false, ".": false, ":8787": false, "localhost:": false, "localhost:http": false, "localhost:65536": false, "localhost:1:2": false,
		"127.0.0.1.": false, "127.1": false, "0x7f.0.0.1": false, "2130706433": false, "[127.0.0.1]": false,
		"::1": false, "[::1": false, "::1]": false, "[::1].evil.example": false, "[localhost]": false,
	} {
		if got := (serve.Guard{}).HostAllowed(host); got != want {
			t.Errorf("%q: %t, want %t", host, got, want)
		}
		if !(serve.Guard{TokenFile: "x"}).HostAllowed(host) {
			t.Errorf("%q is turned away although there is a token", host)
		}
	}
}

// TestCloseCutsOff: a request that does not end holds Close no longer than its
// context, and no connection is left.
func TestCloseCutsOff(t *testing.T) {
	t.Parallel()
	arrived, ended := make(chan struct{}), make(chan struct{})
	s, err := serve.New(t.Context(), "test", "127.0.0.1:0", 1, &http.Server{
		ReadTimeout: time.Minute,
		Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			close(arrived)
			<-r.Context().Done()
			close(ended)
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ask(t, conn)
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Close(ctx); !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "test: ") {
		t.Errorf("Close = %v", err)
	}
	<-ended
	if err := <-done; err != nil {
		t.Error(err)
	}
}
