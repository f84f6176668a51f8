package main

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/internal/cli"
)

// silent accepts connections and never answers, as a hung broker does.
func silent(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		accepting sync.WaitGroup
		conns     []net.Conn // of the goroutine, until it has ended
	)
	accepting.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, conn)
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		accepting.Wait()
		for _, conn := range conns {
			_ = conn.Close()
		}
	})
	return l.Addr().String()
}

// TestTheTimeoutHolds for the whole command, whatever the cluster fails to do.
func TestTheTimeoutHolds(t *testing.T) {
	t.Parallel()
	addr := silent(t)
	for name, c := range map[string]struct {
		args   []string
		events int
		stderr []string
	}{
		"a handshake":           {[]string{"send", "-", "--tls"}, 1, []string{"1 event not sent: "}},
		"a login":               {[]string{"send", "-"}, 1, []string{"1 event not sent: "}},
		"simulated events":      {[]string{"simulate", "--events", "3", "--rate", "0", "--tls"}, 0, []string{"3 events not sent: ", "3 events could not be sent"}},
		"more than the buffer":  {[]string{"send", "-", "--tls"}, 10_100, []string{"given up at line 10001, with 0 events sent: "}},
		"more simulated events": {[]string{"simulate", "--events", "10100", "--rate", "0"}, 0, []string{"10000 events not sent", "given up with 0 events sent: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			began := time.Now()
			code := run(t.Context(), append(c.args, "--brokers", addr, "--timeout", "400ms"), strings.NewReader(strings.Repeat(oneEvent, c.events)), &out, &errs)
			// One attempt to connect took 5 seconds. Making thousands of events takes a
			// while too: there the message shows what ended the command.
			if took := time.Since(began); code != cli.ExitFailure || took > 4*time.Second && !strings.HasPrefix(name, "more ") {
				t.Errorf("exit code %d after %v", code, took)
			}
			for _, want := range c.stderr {
				if !strings.Contains(errs.String(), want) {
					t.Errorf("%.2000q does not say %q", errs.String(), want)
				}
			}
		})
	}
}

// TestTheTimeoutIsUsed: a cluster that is away may come back until the timeout.
func TestTheTimeoutIsUsed(t *testing.T) {
	t.Parallel()
	for _, command := range [][]string{{"send", "-"}, {"simulate", "--events", "1", "--rate", "0"}} {
		synctest.Test(t, func(t *testing.T) {
			var out, errs bytes.Buffer
			began := time.Now()
			code := run(t.Context(), append(command, "--brokers", "127.0.0.1:1", "--timeout", "5m"), strings.NewReader(oneEvent), &out, &errs)
			if took := time.Since(began); code != cli.ExitFailure || took != 5*time.Minute {
				t.Errorf("%v: exit code %d after %v", command, code, took)
			}
			if want := "1 event not sent: look up topic " + topic + ": broker 127.0.0.1:1 cannot be reached"; !strings.Contains(errs.String(), want) {
				t.Errorf("%v: %q does not say %q", command, &errs, want)
			}
		})
	}
}

// TestAMissingTopicIsNamed, also by a command that ends while it still reads: more events
// than the buffer holds wait for a topic that nobody creates.
func TestAMissingTopicIsNamed(t *testing.T) {
	t.Parallel()
	addr := embedded(t)
	for name, tt := range map[string]struct {
		args   []string
		events int
		want   string
	}{
		"a few":            {[]string{"send", "-"}, 3, "3 of 3 lines were not sent"},
		"a big file":       {[]string{"send", "-"}, 10_100, "given up at line 10001, with 0 events sent: look up topic not.there: "},
		"simulated events": {[]string{"simulate", "--events", "10100", "--rate", "0"}, 0, "given up with 0 events sent: look up topic not.there: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			args := append(tt.args, "--brokers", addr, "--topic", "not.there", "--timeout", "3s")
			code := run(t.Context(), args, strings.NewReader(strings.Repeat(oneEvent, tt.events)), &out, &errs)
			if code != cli.ExitFailure {
				t.Errorf("exit code %d", code)
			}
			reason := "look up topic not.there: broker " + addr + ": the topic, or this partition of it, does not exist: Unknown Topic Or Partition (Kafka error 3); create it, or name another topic"
			for _, want := range []string{tt.want, reason} {
				if !strings.Contains(errs.String(), want) {
					t.Errorf("%.3000q\ndoes not say %q", errs.String(), want)
				}
			}
			if strings.Contains(errs.String(), "accepted nothing") {
				t.Errorf("%.2000q blames the cluster", errs.String())
			}
		})
	}
}
