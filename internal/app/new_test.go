package app_test

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/testkit/leaks"
	"github.com/evalworker/evalworker/telemetry"
)

// refused returns the error of a New that has to fail.
func (w *world) refused(cfg *config.Config) error {
	w.t.Helper()
	a, err := app.New(w.t.Context(), cfg, app.Deps{Log: w.logger()})
	if err == nil {
		ended, cancel := context.WithCancel(w.t.Context())
		cancel()
		_ = a.Run(ended)
	}
	return err
}

// TestNewFailsHalfWay: whatever a New had opened when it failed is closed again:
// the port and the store are free, the tracer has stopped and no goroutine is left.
func TestNewFailsHalfWay(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*config.Config)
		want   string
	}{
		{"no folder for the store", func(c *config.Config) { c.Store.URL = "sqlite:" + filepath.Join(t.TempDir(), "missing", "cases.db") }, "create its folder first"},
		{"telemetry", func(c *config.Config) { c.Datadog.Queue = 0 }, "telemetry: "},
		{"evaluator", func(c *config.Config) { c.Evaluators[0].None = nil }, "evaluator no_wrong: "},
		{"sampling", func(c *config.Config) { c.Sampling.DefaultRate = 2 }, "default_rate"},
		{"redaction", func(c *config.Config) { c.Redaction.Kinds = []string{"e-mails"} }, "redaction: "},
		{"kafka", func(c *config.Config) { c.Kafka.Topic = "" }, "topic"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, passing).withTelemetry()
			cfg := w.load(w.configure(rulePolicy))
			cfg.Health.Listen = freePort(t)
			port := cfg.Health.Listen
			before := goleak.IgnoreCurrent()
			tt.change(cfg)
			err := w.refused(cfg)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "close ") {
				t.Errorf("error %v, want %q alone", err, tt.want)
			}
			if err := leaks.Find(before); err != nil {
				t.Errorf("left behind: %v", err)
			}
			l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", port)
			if err != nil {
				t.Fatalf("the port is not free: %v", err)
			}
			_ = l.Close()

			// A second worker in the same process is not obstructed.
			good := w.load(w.configure(rulePolicy))
			w.start(good).halt()
		})
	}
}

// TestPortTaken: the port is bound before anything else is done.
func TestPortTaken(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	w := newWorld(t, passing)
	cfg := w.load(w.configure(rulePolicy))
	cfg.Health.Listen = l.Addr().String()
	err = w.refused(cfg)
	if err == nil || !strings.Contains(err.Error(), "health server: listen on "+cfg.Health.Listen) || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("error %v, want the address and that it is in use", err)
	}
	if matches, _ := filepath.Glob(w.store() + "*"); len(matches) != 0 {
		t.Errorf("a worker that cannot start has made %v", matches)
	}
}

// TestSecondWorkerInAFolder: one line names every obstacle, the store first,
// because another port alone would not help.
func TestSecondWorkerInAFolder(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	cfg := w.load(w.configure(rulePolicy))
	k := w.start(cfg)
	other := *cfg
	other.Health.Listen = k.HealthAddr()
	err := w.refused(&other)
	if err == nil || !strings.HasPrefix(err.Error(), "store sqlite:"+w.store()+": another worker") ||
		!strings.Contains(err.Error(), "; and health server: listen on "+k.HealthAddr()) || strings.Contains(err.Error(), "\n") {
		t.Errorf("error %v, want the store that is taken, and then the port", err)
	}
	k.halt()
}

// TestSecondTelemetry: a process has one tracer, and a second worker is an error.
func TestSecondTelemetry(t *testing.T) {
	w := newWorld(t, passing).withTelemetry()
	cfg := w.load(w.configure(rulePolicy))
	k := w.start(cfg)
	other := *cfg
	other.Store.URL += ".other"
	if err := w.refused(&other); !errors.Is(err, telemetry.ErrStarted) {
		t.Errorf("error %v, want that telemetry is started", err)
	}
	k.halt()
}

// TestRunOnce: a worker runs once, and one whose context has ended closes what
// New opened without joining the group.
func TestRunOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	a, err := app.New(t.Context(), w.load(w.configure(rulePolicy)), app.Deps{Log: w.logger()})
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.Run(ended); err != nil {
		t.Errorf("run with a context that has ended: %v", err)
	}
	if _, _, ok := w.broker.CommittedOffset(group, topic, 0); ok {
		t.Error("something was committed")
	}
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", a.HealthAddr())
	if err != nil {
		t.Errorf("the port is not free: %v", err)
	} else {
		_ = l.Close()
	}
	if err := a.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "Run was called before") {
		t.Errorf("second run: %v", err)
	}
}

// TestNoLog: New reports a missing log.
func TestNoLog(t *testing.T) {
	t.Parallel()
	cfg := config.Default()
	if _, err := app.New(t.Context(), &cfg, app.Deps{}); err == nil || err.Error() != "app: no log" {
		t.Errorf("New without a log: %v", err)
	}
	if _, err := app.NewOffline(t.Context(), &cfg, app.Deps{}); err == nil || err.Error() != "app: no log" {
		t.Errorf("NewOffline without a log: %v", err)
	}
}

// freePort returns an address of the loopback interface that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
