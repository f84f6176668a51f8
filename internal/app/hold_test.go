package app_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/config"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/policy"
)

// holdPolicy makes events wait for the judge's model.
const holdPolicy = judgePolicy + "judges: {when_down: wait, max_wait: 1h}\n"

// outage makes a world whose model is down until it is told to be up.
func outage(t *testing.T) (w *world, up func()) {
	t.Helper()
	var answers atomic.Bool
	w = newWorld(t, func(r modelserver.Request) modelserver.Reply {
		if !answers.Load() {
			return modelserver.Reply{Status: http.StatusServiceUnavailable}
		}
		return passing(r)
	})
	return w, func() { answers.Store(true) }
}

// waits waits until so many evaluations are held.
func (k *worker) waits(n int) {
	k.t.Helper()
	eventually(k.t, fmt.Sprintf("%d evaluations held", n), func() bool { return k.Status().Models[0].Held == n })
}

// outcomes returns how many verdicts have each outcome.
func (l *ledger) outcomes() map[eval.Outcome]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[eval.Outcome]int{}
	for _, r := range l.reports {
		for _, v := range r.Verdicts {
			out[v.Outcome]++
		}
	}
	return out
}

// TestModelDownHolds: events wait for a model that is down. The worker stays ready and in
// its group, says what it waits for, since when and what to mend, in the same words for each
// probe, commits nothing of what waits, and has every verdict when the model is back.
func TestModelDownHolds(t *testing.T) {
	w, up := outage(t)
	w = w.withTelemetry()
	k := w.start(w.load(w.configure(holdPolicy)))
	events := numbered("event", 2, "an answer") // too few to open the breaker while gauges are reported
	w.emit(t.Context(), events[0])
	k.waits(1)
	_, first := k.get("/readyz")
	w.emit(t.Context(), events[1:]...)
	k.waits(len(events))
	s := k.Status()
	want := fmt.Sprintf("ok\nmodels: default is down since %s, and events wait for it, which holds intake once kafka.max_in_flight of them do: status 503, type server_error; mend %s\n",
		s.Models[0].FailingSince.Format(time.RFC3339), s.Models[0].Mend)
	if status, body := k.get("/readyz"); status != http.StatusOK || body != want || first != want {
		t.Errorf("/readyz = %d %q, with one event %q, want %q", status, body, first, want)
	}
	if _, body := k.get("/statusz"); !strings.Contains(body, `"held": 2`) || !strings.Contains(body, `"held_until": "20`) || !strings.Contains(body, `"failing_since": "20`) {
		t.Errorf("/statusz = %s", body)
	}
	if m := s.Models[0]; m.Reason != eval.ReasonUnavailable || m.Error != "status 503, type server_error" || !strings.HasPrefix(m.Mend, "models.default.base_url: ") || m.HeldUntil.IsZero() || m.FailedAt.IsZero() {
		t.Errorf("status of the model: %+v", m)
	}
	var lag int64
	for _, p := range s.Consumer.Partitions {
		lag += max(p.Lag, 0) // a partition may not be read yet: -1
	}
	if s.Events.Consumed != 0 || s.Consumer.InFlight != len(events) || lag != int64(len(events)) || !s.Consumer.Joined || s.Consumer.Stalled != "" {
		t.Errorf("status while events wait: events %+v, consumer %+v", s.Events, s.Consumer)
	}
	eventually(t, "the metric says so", func() bool {
		got := w.statsd.Values("evalworker.judges_held")
		return len(got) > 0 && got[len(got)-1] == float64(len(events))
	})
	up()
	k.consumed(len(events))
	k.ready(http.StatusOK, "ok")
	k.halt()
	if d := cmp.Diff(once(events), w.seen.evaluated()); d != "" {
		t.Errorf("evaluations (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[eval.Outcome]int{eval.OutcomePass: len(events)}, w.seen.outcomes()); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}
}

// TestModelDownIsAnError: without wait the same events have errors for verdicts.
func TestModelDownIsAnError(t *testing.T) {
	t.Parallel()
	w, _ := outage(t)
	k := w.start(w.load(w.configure(judgePolicy)))
	events := numbered("event", 5, "an answer")
	w.emit(t.Context(), events...)
	k.consumed(len(events))
	k.halt()
	if d := cmp.Diff(map[eval.Outcome]int{eval.OutcomeError: len(events)}, w.seen.outcomes()); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}
}

// TestModelDownOverStop: a worker that has to stop does not wait for its model. The events go
// to the next worker, and those that were finished between them are not evaluated again.
func TestModelDownOverStop(t *testing.T) {
	t.Parallel()
	w, up := outage(t)
	policy := strings.Replace(holdPolicy, "rate: 1}", "rate: 1, when: 'feature != \"quiet\"'}\n  - {name: no_wrong, type: contains, none: [wrong]}", 1)
	first := w.start(w.load(w.configure(policy, "shutdown: {grace: 1h}"))) // which is not used
	events, quiet := numbered("event", 3, "an answer"), numbered("quiet", 3, "an answer")
	for i := range quiet {
		quiet[i].Feature = "quiet"
	}
	for i := range events { // in turn
		w.emit(t.Context(), events[i], quiet[i])
	}
	first.waits(len(events))
	first.consumed(len(quiet))
	first.halt()
	if d := cmp.Diff(once(quiet), w.seen.evaluated()); d != "" {
		t.Errorf("evaluations of the first worker (-want +got):\n%s", d)
	}
	if s := first.Status(); s.Consumer.Unfinished() != int64(len(events)) || s.Consumer.InFlight != 0 || !s.Events.Settled() {
		t.Errorf("status at the end: events %+v, consumer %+v", s.Events, s.Consumer)
	}
	up()
	second := w.start(w.load(w.configure(policy)))
	second.consumed(len(events))
	second.halt()
	if d := cmp.Diff(once(events, quiet), w.seen.evaluated()); d != "" {
		t.Errorf("evaluations (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[eval.Outcome]int{eval.OutcomePass: 2*len(events) + len(quiet)}, w.seen.outcomes()); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}
}

// TestModelDownOverRebalance: a worker whose events wait stays in the group, shares its
// partitions with one that joins, and each event is evaluated once.
func TestModelDownOverRebalance(t *testing.T) {
	t.Parallel()
	w, up := outage(t)
	first := w.start(w.load(w.configure(holdPolicy)))
	events := numbered("event", 20, "an answer")
	w.emit(t.Context(), events...)
	first.waits(len(events))
	w.database = "sqlite:" + filepath.Join(w.dir, "second.db")
	second := w.start(w.load(w.configure(holdPolicy)))
	eventually(t, "partitions are shared, and events wait at both", func() bool {
		a, b := first.Status(), second.Status()
		return len(a.Consumer.Partitions) == partitions/2 && len(b.Consumer.Partitions) == partitions/2 &&
			a.Models[0].Held > 0 && a.Models[0].Held+b.Models[0].Held == len(events)
	})
	up()
	eventually(t, "all are evaluated", func() bool {
		return first.Status().Events.Consumed+second.Status().Events.Consumed == int64(len(events))
	})
	first.halt()
	second.halt()
	if d := cmp.Diff(once(events), w.seen.evaluated()); d != "" {
		t.Errorf("evaluations (-want +got):\n%s", d)
	}
	if d := cmp.Diff(map[eval.Outcome]int{eval.OutcomePass: len(events)}, w.seen.outcomes()); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}
}

// TestModelDownOverReload: a new configuration ends the wait: with another server the
// events have verdicts, with when_down: error they have errors, and each is counted once.
func TestModelDownOverReload(t *testing.T) {
	t.Parallel()
	other := newModel(t, passing)
	for name, tt := range map[string]struct {
		change func(*config.Config)
		want   map[eval.Outcome]int
	}{
		"another server": {func(c *config.Config) {
			m := c.Models["default"]
			m.BaseURL = other.url
			c.Models["default"] = m
		}, map[eval.Outcome]int{eval.OutcomePass: 3}},
		"no wait":        {func(c *config.Config) { c.Judges.WhenDown = policy.WhenDownError }, map[eval.Outcome]int{eval.OutcomeError: 3}},
		"another sample": {func(c *config.Config) { c.Evaluators[0].Rate = new(0.0) }, map[eval.Outcome]int{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := outage(t)
			path := w.configure(holdPolicy)
			next := w.load(path)
			tt.change(next)
			reload := make(chan struct{})
			k := w.start(w.load(path), func(d *app.Deps) {
				d.Watcher = script(func(ctx context.Context, changed func(*config.Config, error)) error {
					<-reload
					changed(next, nil)
					<-ctx.Done()
					return ctx.Err()
				})
			})
			events := numbered("event", 3, "an answer")
			w.emit(t.Context(), events...)
			k.waits(len(events))
			close(reload)
			k.consumed(len(events))
			if s := k.Status(); !s.Events.Settled() {
				t.Errorf("accounting %+v", s.Events)
			}
			k.halt()
			evaluated := once(events)
			if len(tt.want) == 0 {
				evaluated = map[event.RequestID]int{}
			}
			if d := cmp.Diff(tt.want, w.seen.outcomes()); d != "" {
				t.Errorf("verdicts (-want +got):\n%s", d)
			}
			if d := cmp.Diff(evaluated, w.seen.evaluated()); d != "" {
				t.Errorf("evaluations (-want +got):\n%s", d)
			}
		})
	}
}
