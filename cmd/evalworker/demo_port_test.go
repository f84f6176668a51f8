package main

import (
	"fmt"
	"net"
	"path/filepath"
	"testing"

	"github.com/evalworker/evalworker/internal/cli"
)

// TestDemoPortTaken: the error names once the port that is taken, and the flag that
// chooses another.
func TestDemoPortTaken(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	const mend = "listen tcp %s: bind: address already in use; set %s to another port, or leave it out for a free one\n"
	for flag, begin := range map[string]string{"--kafka-port": "evalworker: start embedded broker: ", "--health-port": "evalworker: start health server: "} {
		want := begin + fmt.Sprintf(mend, l.Addr(), flag)
		if code, stdout, stderr := call(t, "demo", flag, port, "--dir", filepath.Join(t.TempDir(), "world")); code != cli.ExitFailure || stdout != "" || stderr != want {
			t.Errorf("exit code %d, stdout %q, stderr %q, want %q", code, stdout, stderr, want)
		}
	}
}
