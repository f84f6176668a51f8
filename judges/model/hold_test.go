package model

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

// outageModel is a model that is down for a while from its first call on.
type outageModel struct {
	lasts time.Duration
	err   error
	mu    sync.Mutex
	began time.Time
	calls int
}

func (m *outageModel) Complete(context.Context, judges.Request) (judges.Answer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.calls++; m.calls == 1 {
		m.began = time.Now()
	}
	if time.Since(m.began) < m.lasts {
		return judges.Answer{}, m.err
	}
	return judges.Answer{Text: "{}"}, nil
}

// evaluate asks until there is an answer or no more is to be asked.
func evaluate(ctx context.Context, e *Endpoint, released <-chan struct{}) error {
	again := e.Again()
	for {
		if _, err := e.breaker.Complete(ctx, judges.Request{}); err == nil || !again(ctx, released, err) {
			return err
		}
	}
}

// held returns an endpoint of which only the breaker is there.
func held(m judges.Model, most time.Duration, log io.Writer) *Endpoint {
	e := &Endpoint{breaker: newBreaker(m, config(), slog.New(slog.NewTextHandler(log, nil)))}
	e.SetMaxWait(most)
	return e
}

// TestHold: with max_wait an outage that is shorter costs no evaluation, and a longer one
// those that come after max_wait; without it, all that come meanwhile.
func TestHold(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		most, lasts time.Duration
		err         error
		fails       bool
		took        time.Duration // at most
		line        string
	}{
		"shorter than the wait": {time.Minute, 40 * time.Second, down(), false, 40*time.Second + breakerPause + holdMax, "model is down: events that need it wait, up to judges.max_wait"},
		"longer than the wait":  {time.Minute, time.Hour, down(), true, time.Minute + holdMax, "model is down for longer than judges.max_wait: judges answer with errors"},
		"no wait":               {0, time.Hour, down(), true, 0, "model is down: judges answer with errors without calling it"},
		"not down, but refused": {time.Minute, time.Hour, fail(eval.ReasonAuth, failure{}), true, 0, ""},
		"not down, but limited": {time.Minute, time.Hour, limited(0), true, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				m := &outageModel{lasts: tt.lasts, err: tt.err}
				e := held(m, tt.most, &log)
				began := time.Now()
				var wg sync.WaitGroup
				for range 100 {
					wg.Go(func() {
						if err := evaluate(t.Context(), e, nil); (err != nil) != tt.fails {
							t.Errorf("error %v", err)
						}
					})
				}
				synctest.Wait()
				if c := e.breaker.condition(); (c.Held == 100) != (tt.took > 0) || c.Held > 0 && !c.HeldUntil.Equal(began.Add(tt.most)) {
					t.Errorf("held: %d until %v", c.Held, c.HeldUntil)
				}
				wg.Wait()
				if took := time.Since(began); took > tt.took {
					t.Errorf("took %v, of which %v are expected", took, tt.took)
				}
				if c := e.breaker.condition(); c.Held != 0 {
					t.Errorf("%d held at the end", c.Held)
				}
				if !strings.Contains(log.String(), tt.line) || tt.line == "" && log.Len() > 0 {
					t.Errorf("log lacks %q:\n%s", tt.line, log.String())
				}
				if m.calls > 10*100 {
					t.Errorf("%d calls", m.calls)
				}
			})
		})
	}
}

// logText is a log that is read while it is written.
type logText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestHoldSaid: the log says within seconds that evaluations wait, also when the breaker
// stays closed, because there were many answers before or there are few calls.
func TestHoldSaid(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ before, waiting int }{
		"many answers before": {5000, 32},
		"few calls":           {0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var log logText
				m := &outageModel{err: down()}
				e := held(m, time.Minute, &log)
				for range tt.before {
					if err := evaluate(t.Context(), e, nil); err != nil {
						t.Fatal(err)
					}
				}
				m.calls, m.lasts = 0, 8*time.Second
				var wg sync.WaitGroup
				for range tt.waiting {
					wg.Go(func() {
						if err := evaluate(t.Context(), e, nil); err != nil {
							t.Error(err)
						}
					})
				}
				_ = sleep(t.Context(), holdMax)
				synctest.Wait()
				said := log.String()
				if strings.Count(said, "model is down: events that need it wait") != 1 || strings.Contains(said, "is back") {
					t.Errorf("after %v:\n%s", holdMax, said)
				}
				wg.Wait()
				if strings.Count(log.String(), "model is back") != 1 || strings.Count(log.String(), "model is down") != 1 {
					t.Errorf("at the end:\n%s", log.String())
				}
			})
		})
	}
}

// TestHoldCondition: what waits is told with its reason, also when a call from before gets
// an answer, and what was just woken waits no more.
func TestHoldCondition(t *testing.T) {
	t.Parallel()
	for name, opens := range map[string]bool{"the breaker is closed": false, "the breaker has opened": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := held(&outageModel{}, time.Minute, &bytes.Buffer{}).breaker
			before, _ := b.begin()
			failed, _ := b.begin()
			b.end(failed, down())
			b.mu.Lock()
			b.hold.begin()
			if opens {
				b.enter(stateOpen)
			}
			b.mu.Unlock()
			if c := b.condition(); c.Held != 1 || c.FailingSince.IsZero() || c.Error == "" {
				t.Errorf("down: %+v", c)
			}
			b.end(before, nil)
			c := b.condition()
			if waits := c.Held == 1; waits != opens || waits == c.FailingSince.IsZero() || waits == (c.Error == "") {
				t.Errorf("after an answer: %+v", c)
			}
		})
	}
}

// TestHoldAgain: after an outage that was too long the wait begins anew with the next one.
func TestHoldAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &outageModel{lasts: 5 * time.Minute, err: down()}
		e := held(m, time.Minute, &bytes.Buffer{})
		if err := evaluate(t.Context(), e, nil); eval.ReasonOf(err) == "" {
			t.Fatal("no error after max_wait")
		}
		began := time.Now()
		if err := evaluate(t.Context(), e, nil); err == nil || time.Since(began) > 0 {
			t.Errorf("the next evaluation waited %v: %v", time.Since(began), err)
		}
		_ = sleep(t.Context(), 5*time.Minute)
		if err := evaluate(t.Context(), e, nil); err != nil {
			t.Fatal(err)
		}
		m.calls = 0
		m.lasts = 30 * time.Second
		if err := evaluate(t.Context(), e, nil); err != nil {
			t.Errorf("a second, short outage: %v", err)
		}
	})
}

// TestHoldEnds: a wait ends with its context, and when the evaluation is released.
func TestHoldEnds(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{"context": false, "released": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				e := held(&outageModel{lasts: time.Hour, err: down()}, time.Hour, &bytes.Buffer{})
				_, err := e.breaker.Complete(t.Context(), judges.Request{})
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				released, began := make(chan struct{}), time.Now()
				again := make(chan bool)
				go func() { again <- e.Again()(ctx, released, err) }()
				synctest.Wait()
				if name == "released" {
					close(released)
				} else {
					cancel()
				}
				if got := <-again; got != want || time.Since(began) > 0 {
					t.Errorf("%t after %v; want %t at once", got, time.Since(began), want)
				}
			})
		})
	}
}

// TestHoldOfOneEvaluation: one that fails while others get answers has trouble of its own.
func TestHoldOfOneEvaluation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := held(&outageModel{}, time.Hour, &bytes.Buffer{})
		again := e.Again()
		for nth := 1; nth <= ownFailures; nth++ {
			if got := again(t.Context(), nil, down()); got != (nth < ownFailures) {
				t.Errorf("failure %d: %t", nth, got)
			}
		}
		again = e.Again()
		local := fail(eval.ReasonLocal, failure{})
		if !again(t.Context(), nil, local) || again(t.Context(), nil, local) {
			t.Error("a fault of this machine is not repeated once")
		}
	})
}
