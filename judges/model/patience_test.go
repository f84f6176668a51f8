package model

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/backoff"
	"github.com/evalworker/evalworker/judges"
)

// scripted is a model that answers with a function.
type scripted func(ctx context.Context, r judges.Request) (judges.Answer, error)

func (f scripted) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	return f(ctx, r)
}

func patient(next scripted, wait time.Duration, told func(Waiting)) *patience {
	return newPatience(next, Config{Model: "small"}, Patience{Wait: wait, Waiting: told})
}

// roundTrip is a server that answers with a function.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func respond(status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body))}
}

var errDown = fail(eval.ReasonUnavailable, failure{what: "no answer", retryable: true})

// TestPatienceWaitsForAServerThatComesUp: calls wait, and are told to once, not once a
// call.
func TestPatienceWaitsForAServerThatComesUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := time.Now().Add(90 * time.Second)
		lines := 0
		m := patient(func(context.Context, judges.Request) (judges.Answer, error) {
			if time.Now().Before(up) {
				return judges.Answer{Usage: eval.Usage{Calls: 1}}, errDown
			}
			return judges.Answer{Text: "yes", Usage: eval.Usage{Calls: 1}}, nil
		}, 2*time.Minute, func(w Waiting) {
			lines++
			if w.Model != "small" || w.Reason != eval.ReasonUnavailable || w.Limit != 2*time.Minute {
				t.Errorf("%+v", w)
			}
		})
		var calls sync.WaitGroup
		for range 20 {
			calls.Go(func() {
				a, err := m.Complete(t.Context(), judges.Request{})
				if err != nil || a.Text != "yes" || a.Usage.Calls < 2 {
					t.Errorf("%+v, %v", a, err)
				}
			})
		}
		calls.Wait()
		if lines != 2 {
			t.Errorf("told %d times in 90 s; want 2", lines)
		}
	})
}

// TestPatienceEnds: a server that stays down costs the wait once, not once a call.
func TestPatienceEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := patient(func(context.Context, judges.Request) (judges.Answer, error) { return judges.Answer{}, errDown }, time.Minute, nil)
		begun := time.Now()
		for range 50 {
			if _, err := m.Complete(t.Context(), judges.Request{}); !errors.Is(err, errDown) {
				t.Fatal(err)
			}
		}
		if took := time.Since(begun); took < time.Minute || took > time.Minute+5*time.Second {
			t.Errorf("gave up after %v", took)
		}
	})
}

// TestPatienceWithOneCall: a call that alone finds the server down does not wait for
// long, because others get their answers.
func TestPatienceWithOneCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := patient(func(_ context.Context, r judges.Request) (judges.Answer, error) {
			backoff.Wait(t.Context(), 100*time.Millisecond)
			if r.User == "poison" {
				return judges.Answer{}, errDown
			}
			return judges.Answer{}, nil
		}, time.Hour, nil)
		ctx, stop := context.WithCancel(t.Context())
		var others sync.WaitGroup
		others.Go(func() {
			for ctx.Err() == nil {
				_, _ = m.Complete(ctx, judges.Request{})
				backoff.Wait(ctx, 10*time.Millisecond)
			}
		})
		begun := time.Now()
		if _, err := m.Complete(t.Context(), judges.Request{User: "poison"}); !errors.Is(err, errDown) {
			t.Error(err)
		}
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("waited %v", took)
		}
		stop()
		others.Wait()
	})
}

// TestPatienceStopsUselessCalls: a key that is refused is not offered for every event,
// and an event that is refused says nothing about the next one.
func TestPatienceStopsUselessCalls(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err   error
		calls int
	}{
		"a wrong key":         {fail(eval.ReasonAuth, failure{status: http.StatusUnauthorized}), uselessCalls},
		"no quota":            {fail(eval.ReasonQuota, failure{status: http.StatusTooManyRequests}), uselessCalls},
		"no such model":       {fail(eval.ReasonBadRequest, failure{status: http.StatusNotFound}), uselessCalls},
		"a request it lacks":  {fail(eval.ReasonBadRequest, failure{status: http.StatusBadRequest}), 100},
		"an answer too short": {fail(eval.ReasonTruncated, failure{what: "cut off"}), 100},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			m := patient(func(context.Context, judges.Request) (judges.Answer, error) { calls++; return judges.Answer{}, tt.err }, time.Hour, nil)
			for range 100 {
				if _, err := m.Complete(t.Context(), judges.Request{}); !errors.Is(err, tt.err) {
					t.Fatal(err)
				}
			}
			if calls != tt.calls {
				t.Errorf("%d calls; want %d", calls, tt.calls)
			}
		})
	}
}

// TestPatienceEndsWithItsCaller: a stop does not wait.
func TestPatienceEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		m := patient(func(context.Context, judges.Request) (judges.Answer, error) { return judges.Answer{}, errDown }, time.Hour, nil)
		begun := time.Now()
		if _, err := m.Complete(ctx, judges.Request{}); !errors.Is(err, errDown) || time.Since(begun) > 4*time.Second {
			t.Errorf("after %v: %v", time.Since(begun), err)
		}
	})
}

// TestAnEndpointWithPatience: a whole endpoint, with its breaker and retries, waits for
// the pause that its server asks for.
func TestAnEndpointWithPatience(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		up := time.Now().Add(80 * time.Second)
		cfg := DefaultConfig()
		cfg.BaseURL, cfg.APIKey = "http://model.test/v1", "none"
		m, err := New(cfg, Deps{Patience: &Patience{Wait: 2 * time.Minute}, Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			if time.Now().Before(up) {
				w := respond(http.StatusServiceUnavailable, "{}")
				w.Header.Set("Retry-After", "30")
				return w, nil
			}
			return respond(http.StatusOK, `{"choices":[{"message":{"role":"assistant","content":"{}"},"finish_reason":"stop"}]}`), nil
		})})
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		var calls sync.WaitGroup
		for range 30 {
			calls.Go(func() {
				if _, err := m.Complete(t.Context(), judges.Request{Format: judges.FormatObject}); err != nil {
					t.Error(err)
				}
			})
		}
		calls.Wait()
	})
}
