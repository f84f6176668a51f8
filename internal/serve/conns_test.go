package serve_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/serve"
	"github.com/evalworker/evalworker/internal/testkit/crowd"
)

// health serves the health endpoints until the end of the test.
func health(t *testing.T, cfg serve.HealthConfig) *serve.Server {
	t.Helper()
	cfg.Listen = "127.0.0.1:0"
	s, err := serve.ListenHealth(t.Context(), cfg, serve.HealthDeps{Status: func() any { return 1 }})
	if err != nil {
		t.Fatal(err)
	}
	serveUntilEnd(t, s)
	return s
}

func serveUntilEnd(t *testing.T, s *serve.Server) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	t.Cleanup(func() {
		if err := s.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// patience bounds a probe. It only ends tests that fail: a machine that runs other tests
// may be slow.
const patience = time.Minute

// TestProbesAreAnswered: whatever clients without a token do with their connections.
func TestProbesAreAnswered(t *testing.T) {
	t.Parallel()
	for _, token := range []secret.String{"", secret.String(strings.Repeat("canary", 4))} {
		for _, size := range []int{64, 512} {
			for name, says := range crowd.Manners("/statusz") {
				t.Run(fmt.Sprintf("%s/%d/%t", name, size, token != ""), func(t *testing.T) {
					s := health(t, serve.HealthConfig{Token: token})
					defer crowd.Gather(t.Context(), s.Addr(), size, says)()
					for range 10 {
						for _, path := range []string{"/livez", "/readyz"} {
							if err := crowd.Probe(t.Context(), s.Addr(), path, patience); err != nil {
								t.Error(err)
							}
						}
					}
				})
			}
		}
	}
}

// request sends one request on a connection, and returns the answer's status and whether
// the connection stays open.
func requestOn(t *testing.T, conn net.Conn, path, header string) (status string, kept bool) {
	t.Helper()
	if _, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, header); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 4096)
	n, err := conn.Read(answer)
	if err != nil {
		t.Fatal(err)
	}
	status, _, _ = strings.Cut(strings.TrimPrefix(string(answer[:n]), "HTTP/1.1 "), " ")
	return status, !strings.Contains(string(answer[:n]), "Connection: close")
}

// TestKeptConnections: a connection stays open after an answer that wanted the token,
// and after all that follow on it, and after no other.
func TestKeptConnections(t *testing.T) {
	t.Parallel()
	token := strings.Repeat("canary", 4)
	s := health(t, serve.HealthConfig{Token: secret.String(token)})
	dial := func() net.Conn {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		return conn
	}
	for path, want := range map[string]string{"/livez": "200", "/readyz": "200", "/statusz": "401", "/none": "404"} {
		conn := dial()
		if status, kept := requestOn(t, conn, path, ""); status != want || kept {
			t.Errorf("%s: %s, kept %t", path, status, kept)
		}
		if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
			t.Errorf("%s: after the answer: %q, %v", path, rest, err)
		}
	}
	conn := dial()
	for _, path := range []string{"/statusz", "/statusz", "/livez", "/statusz"} {
		if status, kept := requestOn(t, conn, path, "Authorization: Bearer "+token+"\r\n"); status != "200" || !kept {
			t.Errorf("%s with the token: %s, kept %t", path, status, kept)
		}
	}
	// Strangers that fill all places are closed before it.
	defer crowd.Gather(t.Context(), s.Addr(), 2*serve.MaxConns, "")()
	if status, kept := requestOn(t, conn, "/statusz", "Authorization: Bearer "+token+"\r\n"); status != "200" || !kept {
		t.Errorf("among strangers: %s, kept %t", status, kept)
	}
}

// TestHeldConnections: what a client that may see everything asks for is finished,
// however many others come meanwhile.
func TestHeldConnections(t *testing.T) {
	t.Parallel()
	const limit = 4
	arrived, finish := make(chan struct{}), make(chan struct{})
	s, err := serve.New(t.Context(), "test", "127.0.0.1:0", limit, &http.Server{
		Handler: serve.Guard{}.Protect(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			arrived <- struct{}{}
			<-finish
			w.WriteHeader(http.StatusTeapot)
		}), nil),
	})
	if err != nil {
		t.Fatal(err)
	}
	serveUntilEnd(t, s)
	var conns [limit / 2]net.Conn
	for i := range conns {
		if conns[i], err = new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr()); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conns[i].Close() }()
		ask(t, conns[i])
		<-arrived
	}
	defer crowd.Gather(t.Context(), s.Addr(), 5*limit, "")()
	close(finish)
	for _, conn := range conns {
		answer := make([]byte, 12)
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 418" {
			t.Errorf("%q, %v", answer, err)
		}
	}
}
