package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/cli"
)

// logEntry is what every line of the log has.
type logEntry struct {
	Time               time.Time
	Level, Msg, Reason string
}

// entries reads a log, in which every line has to be JSON.
func entries(t *testing.T, text string) (lines []logEntry) {
	t.Helper()
	for line := range strings.Lines(text) {
		var e struct {
			Time              time.Time
			Level, Msg, Error string
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil || e.Time.IsZero() || e.Level == "" || e.Msg == "" {
			t.Errorf("no line of the log: %v, %s", err, line)
		}
		lines = append(lines, logEntry{e.Time, e.Level, e.Msg, e.Error})
	}
	return lines
}

// TestServeSaysWhyItDoesNotStart: the reason is in lines of its log, at ERROR, and nowhere
// else. After a signal during the start the exit code is 0, and no line is at ERROR.
func TestServeSaysWhyItDoesNotStart(t *testing.T) {
	t.Parallel()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, row := range map[string]struct {
		ctx    context.Context //nolint:containedctx // of the row
		args   []string
		code   int
		reason string // empty: no line at ERROR
	}{
		"unknown flag": {t.Context(), []string{"--nope"}, cli.ExitUsage, "unknown flag --nope"},
		"value":        {t.Context(), []string{"--grace", "soon"}, cli.ExitUsage, `--grace: got "soon"`},
		"argument":     {t.Context(), []string{"extra"}, cli.ExitUsage, "1 argument for emitter serve"},
		"no token":     {t.Context(), []string{"--listen", ":0"}, cli.ExitUsage, "there is no token"},
		"no folder":    {t.Context(), []string{"--spool-dir", "/dev/null/spool"}, cli.ExitFailure, "not a directory"},
		"port in use":  {t.Context(), []string{"--listen", l.Addr().String()}, cli.ExitFailure, "address already in use"},
		"a signal":     {ended, []string{"--listen", "127.0.0.1:0"}, cli.ExitOK, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"serve", "--spool-dir", filepath.Join(t.TempDir(), "spool")}, row.args...)
			var stdout, stderr bytes.Buffer
			if code := run(row.ctx, args, strings.NewReader(""), &stdout, &stderr); code != row.code || stdout.Len() > 0 {
				t.Errorf("exit code %d, want %d; %s", code, row.code, &stdout)
			}
			found := false
			for _, e := range entries(t, stderr.String()) {
				if e.Level == "ERROR" {
					found = true
					if e.Msg != "sidecar does not start" || !strings.Contains(e.Reason, row.reason) {
						t.Errorf("%+v, want %q", e, row.reason)
					}
				}
			}
			if found != (row.reason != "") {
				t.Errorf("log:\n%s", &stderr)
			}
		})
	}
}

// TestASecondSignalIsLogged: at ERROR, because requests may be cut off; the exit code is that of
// a process which a signal ended.
func TestASecondSignalIsLogged(t *testing.T) {
	t.Parallel()
	s := serve(t, "--brokers", "127.0.0.1:1", "--spool-dir", filepath.Join(t.TempDir(), "spool"), "--grace", "1m")
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	if status, err := post(t.Context(), &http.Client{Transport: tr}, s.url, oneEvent); err != nil || status != http.StatusAccepted {
		t.Fatal(status, err)
	}
	const last = "a second signal: the sidecar ends at once; what is spooled is sent after the next start"
	ended := make(chan bool, 1)
	go func() { // reads until the process ends
		found := false
		for msg := range s.said {
			found = found || msg == last
		}
		ended <- found
	}()
	tick := time.NewTicker(20 * time.Millisecond) // the second one may come before the program listens for it
	defer tick.Stop()
	for {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case found := <-ended:
			if !found {
				t.Error("no line says that it ended at once")
			}
			if code := s.stop(t); code != 128+int(syscall.SIGTERM) {
				t.Errorf("exit code %d", code)
			}
			return
		case <-tick.C:
		}
	}
}
