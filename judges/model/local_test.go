package model

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

// transportFunc is a function as a transport.
type transportFunc func(*http.Request) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestMachineFaults: calls that this machine could not make are made again, whatever the
// budget for retries, and say nothing about the model.
func TestMachineFaults(t *testing.T) {
	t.Parallel()
	socket := func(errno syscall.Errno) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", errno)}
	}
	for name, fault := range map[string]error{
		"no descriptor":                 socket(syscall.EMFILE),
		"no descriptor in the system":   socket(syscall.ENFILE),
		"no buffer space":               socket(syscall.ENOBUFS),
		"no port left":                  &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.EADDRNOTAVAIL)},
		"no descriptor for the look-up": &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "dial udp 127.0.0.53:53: socket: too many open files", Name: "llm.internal"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				var reasons []eval.Reason
				calls := 0
				cfg := config()
				cfg.BaseURL, cfg.APIKey, cfg.MaxAttempts, cfg.RetryBudget = "http://llm.internal/v1", "none", 1, 0
				m, err := New(cfg, Deps{
					Log:     slog.New(slog.NewTextHandler(&log, nil)),
					Observe: func(c Call) { reasons = append(reasons, c.Reason) },
					Transport: transportFunc(func(*http.Request) (*http.Response, error) {
						if calls++; calls <= 2*localRetries {
							return nil, fault
						}
						return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(said(onePass)))}, nil
					}),
				})
				if err != nil {
					t.Fatal(err)
				}
				_, err = m.Complete(t.Context(), ask())
				if eval.ReasonOf(err) != eval.ReasonLocal || calls != 1+localRetries || !strings.Contains(err.Error(), "this machine could not make the call: ") {
					t.Errorf("after %d calls: %v; want a fault of this machine after %d", calls, err, 1+localRetries)
				}
				if a, err := m.Complete(t.Context(), ask()); err != nil || a.Usage.Calls != localRetries {
					t.Errorf("when it can be made: %+v, %v", a, err)
				}
				if c := m.Condition(); c.Breaker != stateClosed || c.Reason != "" {
					t.Errorf("condition of the model: %+v", c)
				}
				if reasons[0] != eval.ReasonLocal {
					t.Errorf("counted as %q", reasons[0])
				}
				if n := strings.Count(log.String(), "a fault of this machine ended calls of a model"); n == 0 || n > 2 || !strings.Contains(log.String(), "ulimit -n") || strings.Contains(log.String(), "model is down") {
					t.Errorf("%d lines say so:\n%s", n, log.String())
				}
			})
		})
	}
}

// starved makes [TestNoDescriptors] the process without descriptors.
const starved = "EVALWORKER_TEST_STARVED"

// TestNoDescriptors: a process that is out of descriptors says so, whether the server has a
// name or an address.
func TestNoDescriptors(t *testing.T) {
	if os.Getenv(starved) == "" {
		t.Parallel()
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNoDescriptors$")
		child.Env = append(os.Environ(), starved+"=1")
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	var models []*Endpoint
	for _, server := range []string{"http://127.0.0.1:9", "http://llm.internal"} {
		models = append(models, endpoint(t, http.NotFoundHandler(), func(c *Config, _ *Deps) { c.BaseURL = server }))
	}
	var files []*os.File
	defer func() {
		for _, f := range files {
			_ = f.Close()
		}
	}()
	limit := syscall.Rlimit{Cur: 64, Max: 64}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		files = append(files, f)
	}
	for _, m := range models {
		if _, err := m.breaker.Complete(t.Context(), ask()); eval.ReasonOf(err) != eval.ReasonLocal || !strings.Contains(err.Error(), "too many open files") {
			t.Errorf("%s: %v", m.Server(), err)
		}
	}
}

// TestSuspension: a call during which the process did not run says nothing about the
// model, whether its own deadline passed or its connection is gone. Others count as ever.
func TestSuspension(t *testing.T) {
	t.Parallel()
	hangs := func(ctx context.Context) error {
		<-ctx.Done()
		return classify(ctx, ctx.Err(), &exchange{began: time.Now()})
	}
	cut := func(context.Context) error { return down() }
	for name, tt := range map[string]struct {
		stopped time.Duration // before the call ends
		ends    func(context.Context) error
		want    eval.Reason
	}{
		"hangs":                     {0, hangs, eval.ReasonTimeout},
		"cut":                       {0, cut, eval.ReasonUnavailable},
		"a busy machine":            {suspensionMin - time.Millisecond, hangs, eval.ReasonTimeout},
		"stopped, deadline passed":  {30 * time.Second, hangs, eval.ReasonLocal},
		"stopped, connection gone":  {30 * time.Second, cut, eval.ReasonLocal},
		"stopped, answered":         {30 * time.Second, func(context.Context) error { return nil }, ""},
		"stopped, refused all same": {30 * time.Second, func(context.Context) error { return fail(eval.ReasonAuth, failure{}) }, eval.ReasonAuth},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				local := newLocalFaults(config(), quiet())
				var stopped time.Duration // for which the clock went on without the process
				local.watch.now = func() time.Time { return time.Now().Add(stopped) }
				o := &callObserver{timeout: 30 * time.Second, latency: new(latencyEstimate), local: local}
				var observed eval.Reason
				o.observe = func(c Call) { observed = c.Reason }
				o.next = judges.ModelFunc(func(ctx context.Context, _ judges.Request) (judges.Answer, error) {
					_ = sleep(ctx, 3*time.Second+time.Millisecond)
					local.watch.mu.Lock()
					stopped += tt.stopped
					local.watch.mu.Unlock()
					return judges.Answer{}, tt.ends(ctx)
				})
				_, err := o.Complete(t.Context(), judges.Request{})
				if got := eval.ReasonOf(err); got != tt.want || observed != tt.want {
					t.Errorf("reason %q, observed %q; want %q (%v)", got, observed, tt.want, err)
				}
				// The next call began when the process ran again.
				tt.stopped, o.next = 0, judges.ModelFunc(func(context.Context, judges.Request) (judges.Answer, error) { return judges.Answer{}, down() })
				if _, err := o.Complete(t.Context(), judges.Request{}); eval.ReasonOf(err) != eval.ReasonUnavailable {
					t.Errorf("the next call: %v", err)
				}
			})
		})
	}
}

// suspended names the server that the process of [TestStoppedProcess] calls.
const suspended = "EVALWORKER_TEST_SUSPENDED"

// TestStoppedProcess: a process that is stopped (SIGSTOP) while its only call is in flight,
// for longer than the call may take, makes the call again.
func TestStoppedProcess(t *testing.T) {
	if server := os.Getenv(suspended); server != "" { // this is that process
		m := endpoint(t, http.NotFoundHandler(), func(c *Config, d *Deps) {
			c.BaseURL, c.Timeout = server, time.Second
			d.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
		})
		if _, err := m.Complete(t.Context(), ask()); err != nil || m.Condition().FailingSince != (time.Time{}) {
			t.Fatalf("%v; %+v", err, m.Condition())
		}
		return
	}
	t.Parallel()
	var calls atomic.Int64
	asked := make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if calls.Add(1) == 1 {
			close(asked)
			<-r.Context().Done()
			return
		}
		_, _ = io.WriteString(w, said(onePass))
	}))
	defer srv.Close()
	var out bytes.Buffer
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestStoppedProcess$")
	child.Env = append(os.Environ(), suspended+"="+srv.URL)
	child.Stdout, child.Stderr = &out, &out
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	<-asked
	if err := child.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	<-time.After(3 * time.Second) // the fault itself
	if err := child.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil || calls.Load() != 2 || !strings.Contains(out.String(), "local: the process did not run for") {
		t.Errorf("%v after %d calls:\n%s", err, calls.Load(), out.String())
	}
}
