package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/internal/cli"
)

// TestServePortTaken: one message says which address is taken, and which flag chooses
// another.
func TestServePortTaken(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"serve", "--listen", l.Addr().String(), "--spool-dir", filepath.Join(t.TempDir(), "spool")}, strings.NewReader(""), &out, &errs)
	want := fmt.Sprintf(`"level":"ERROR","msg":"sidecar does not start","error":"sidecar: listen on %s: bind: address already in use; set --listen to another address"}`+"\n", l.Addr())
	if code != cli.ExitFailure || !strings.HasSuffix(errs.String(), want) || strings.Count(errs.String(), "\n") != 1 {
		t.Errorf("exit code %d, stderr %q, want %q", code, &errs, want)
	}
}

// TestServeWithoutABroker: /statusz names the broker that cannot be reached, as a
// worker's does, without the library's names.
func TestServeWithoutABroker(t *testing.T) {
	t.Parallel()
	s := serve(t, "--brokers", "127.0.0.1:1", "--spool-dir", filepath.Join(t.TempDir(), "spool"), "--grace", "1ms")
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	client := &http.Client{Transport: tr}
	if status, err := post(t.Context(), client, s.url, oneEvent); err != nil || status != http.StatusAccepted {
		t.Fatal(status, err)
	}
	const want = "look up topic " + topic + ": broker 127.0.0.1:1 cannot be reached: connect: connection refused"
	if got, err := lastError(client, s.url); err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if code := s.stop(t); code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
}
