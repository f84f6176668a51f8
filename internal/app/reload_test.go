package app_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/config"
)

// TestReload: a changed file changes the policy while events flow and none is
// lost; a file with a fault is refused and the old policy stays. Both are counted.
func TestReload(t *testing.T) {
	w := newWorld(t, passing).withTelemetry()
	path := w.configure(rulePolicy)
	watcher, err := config.NewWatcher(path, nil, nil, w.logger())
	if err != nil {
		t.Fatal(err)
	}
	k := w.start(w.load(path), func(d *app.Deps) { d.Watcher = watcher })
	old := k.Status().Policy

	traffic := w.traffic()
	k.consumed(20)
	w.configure(strings.Replace(rulePolicy, "evaluators:", "evaluators:\n  - {name: short, type: length, max_chars: 100}", 1))
	eventually(t, "new policy in place", func() bool { return k.Status().Policy.Reloads.Applied == 1 })
	got := k.Status().Policy
	if d := cmp.Diff([]string{"short", "no_wrong"}, got.Evaluators); d != "" || got.Revision == old.Revision {
		t.Errorf("policy %+v after %+v", got, old)
	}
	k.consumed(int(k.Status().Events.Consumed) + 20)

	w.configure(strings.Replace(rulePolicy, "none:", "nonne:", 1))
	eventually(t, "bad policy refused", func() bool { return k.Status().Policy.Reloads.Refused == 1 })
	if p := k.Status().Policy; p.Revision != got.Revision || !strings.Contains(p.Reloads.Error, "nonne") || p.Reloads.Applied != 1 || p.Reloads.Last.IsZero() {
		t.Errorf("policy after a bad file: %+v, want %+v and what is wrong", p, got)
	}
	w.configure("evaluators: []\n")
	eventually(t, "a policy without evaluators refused", func() bool { return k.Status().Policy.Reloads.Refused == 2 })
	if p := k.Status().Policy; p.Revision != got.Revision || !strings.Contains(p.Reloads.Error, "at least one") {
		t.Errorf("policy after a file without evaluators: %+v, want %+v", p, got)
	}
	k.consumed(int(k.Status().Events.Consumed) + 20)
	events := traffic.end()
	k.consumed(len(events))
	after := numbered("after", 1, strings.Repeat("long ", 40))
	w.emit(t.Context(), after...)
	k.consumed(len(events) + 1)

	// Once it is fixed, the file takes effect again, and the fault is gone.
	w.configure(rulePolicy)
	eventually(t, "mended policy in place", func() bool { return k.Status().Policy.Reloads.Applied == 2 })
	if p := k.Status().Policy; p.Revision != old.Revision || p.Reloads.Error != "" {
		t.Errorf("policy after the file was mended: %+v, want revision %s", p, old.Revision)
	}
	// What needs a restart is not in use, and the log does not say that it is.
	w.configure(rulePolicy + "shutdown: {close: 9s}\n")
	eventually(t, "loaded again", func() bool { return k.Status().Policy.Reloads.Applied == 3 })
	if got := k.Status().Policy.Reloads.NeedsRestart; !slices.Equal(got, []string{"shutdown.close"}) {
		t.Errorf("keys that need a restart: %q", got)
	}
	k.halt()

	if d := cmp.Diff(once(events, after), w.seen.evaluated()); d != "" {
		t.Errorf("evaluations over two reloads (-want +got):\n%s", d)
	}
	if r := w.seen.report(t, "after-0"); len(r.Verdicts) != 2 || r.Verdicts[0].Outcome != eval.OutcomeFail || r.Plan.Revision != got.Revision {
		t.Errorf("verdicts under the new policy: %+v", r.Verdicts)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if !w.statsd.Drain(ctx) {
		t.Fatal("metrics did not arrive")
	}
	for outcome, want := range map[string]float64{"applied": 3, "refused": 2} {
		if n := w.statsd.Sum("evalworker.reloads", "outcome:"+outcome); n != want {
			t.Errorf("evalworker.reloads{outcome:%s} = %v, want %v", outcome, n, want)
		}
	}
	if log := w.log.text(); strings.Count(log, "new configuration in use") != 2 || strings.Count(log, "new configuration refused") != 2 ||
		strings.Count(log, "configuration loaded again") != 1 || !strings.Contains(log, "ignored until a restart") || !strings.Contains(log, "shutdown.close") {
		t.Errorf("the log lacks two reloads and two refusals")
	}
	for _, want := range []string{
		`"changes":"evaluator short added: length, rate 1 (default)"`, `"changes":"evaluator short removed: length, rate 1 (default)"`, `"needs_restart":"shutdown.close"`,
	} {
		if !strings.Contains(w.log.text(), want) {
			t.Errorf("no word of %s in the log", want)
		}
	}
}

// traffic is a trickle of events.
type traffic struct {
	stop chan struct{}
	sent chan []event.Event // what was published, at the end
}

// traffic publishes one event after the other until it is ended.
func (w *world) traffic() traffic {
	tr := traffic{make(chan struct{}), make(chan []event.Event, 1)}
	go func() {
		var sent []event.Event
		defer func() { tr.sent <- sent }()
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tr.stop:
				return
			case <-tick.C:
				events := numbered("event-"+time.Now().Format("150405.000000000"), 1, "an answer")
				w.emit(w.t.Context(), events...)
				sent = append(sent, events...)
			}
		}
	}()
	return tr
}

// end ends the trickle and returns all of it.
func (tr traffic) end() []event.Event {
	close(tr.stop)
	return <-tr.sent
}

// script is a watcher that runs a function.
type script func(ctx context.Context, changed func(*config.Config, error)) error

// Run runs the function.
func (s script) Run(ctx context.Context, changed func(*config.Config, error)) error {
	return s(ctx, changed)
}

// TestWatcherFails: a worker whose file is no longer watched goes on, and the log
// says so.
func TestWatcherFails(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	k := w.start(w.load(w.configure(rulePolicy)), func(d *app.Deps) {
		d.Watcher = script(func(context.Context, func(*config.Config, error)) error { return errors.New("no more watches") })
	})
	events := numbered("event", 3, "an answer")
	w.emit(t.Context(), events...)
	k.consumed(len(events))
	eventually(t, "a line about it", func() bool { return strings.Contains(w.log.text(), "no more watches") })
	k.halt()
}

// TestReloadThatCannotBeBuilt: a configuration that loads but cannot be built is
// rejected like one that does not load.
func TestReloadThatCannotBeBuilt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	path := w.configure(rulePolicy)
	bad := w.load(path)
	bad.Evaluators[0].None = nil
	told := make(chan struct{})
	k := w.start(w.load(path), func(d *app.Deps) {
		d.Watcher = script(func(ctx context.Context, changed func(*config.Config, error)) error {
			changed(bad, nil)
			close(told)
			<-ctx.Done()
			return ctx.Err()
		})
	})
	<-told
	p := k.Status().Policy
	if p.Reloads.Refused != 1 || p.Reloads.Applied != 0 || !strings.Contains(p.Reloads.Error, "evaluator no_wrong") {
		t.Errorf("reloads %+v, want one refused for its evaluator", p.Reloads)
	}
	k.halt()
	if strings.Contains(w.log.text(), "not watched any more") {
		t.Error("a watcher that was stopped is taken for one that failed")
	}
}

// TestStopDuringReload: a stopping worker waits for a running reload, and closes
// what it built with the rest.
func TestStopDuringReload(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	path := w.configure(judgePolicy)
	next := w.load(path)
	m := next.Models["default"]
	m.Model = "judge-next"
	next.Models["default"] = m
	stopped, reloaded := make(chan struct{}), false
	k := w.start(w.load(path), func(d *app.Deps) {
		d.Watcher = script(func(ctx context.Context, changed func(*config.Config, error)) error {
			<-ctx.Done() // the stop comes while the file is being loaded
			close(stopped)
			changed(next, nil)
			reloaded = true // read after Run has returned
			return nil
		})
	})
	k.halt()
	<-stopped
	if !reloaded || k.Status().Policy.Reloads.Applied != 1 {
		t.Error("the worker ended before its reload")
	}
	log := w.log.text()
	if built, closed := strings.Index(log, "new configuration in use"), strings.Index(log, `"msg":"closed","component":"models"`); built < 0 || closed < built {
		t.Error("models were closed while a reload was at work")
	}
}

// discard drops its log.
func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }
