package model

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/judges"
)

// scripted is a model that answers with a function.
type scripted func(ctx context.Context, r judges.Request) (judges.Answer, error)

func (f scripted) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	return f(ctx, r)
}

func patient(next scripted, wait time.Duration, told func(Waiting)) *patience {
	p := newPatience(Config{Model: "small"}, Patience{Wait: wait, Waiting: told})
	p.next = patientCalls{next, p}
	return p
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

// patientEndpoint returns an endpoint with all its layers and what it says when it is
// given up.
func patientEndpoint(t *testing.T, p Patience, answer roundTrip) (*Endpoint, *[]GaveUp) {
	t.Helper()
	gaveUp := &[]GaveUp{}
	p.GaveUp = func(g GaveUp) { *gaveUp = append(*gaveUp, g) }
	cfg := DefaultConfig()
	cfg.Model, cfg.BaseURL, cfg.APIKey = "small", "http://user:"+"word"+"@model.test/v1?key="+"word", "none"
	m, err := New(cfg, Deps{Patience: &p, Transport: answer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m, gaveUp
}

// TestAnEndpointWithPatience: a whole endpoint, with its breaker and retries, waits for
// the pause that its server asks for, and for a server that comes up in time, however
// short the wait is.
func TestAnEndpointWithPatience(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		wait, down time.Duration
		status     int
		after      string
	}{
		"a server asks for a pause":      {time.Minute, 50 * time.Second, http.StatusServiceUnavailable, "25"},
		"a server limits calls":          {time.Minute, 50 * time.Second, http.StatusTooManyRequests, "25"},
		"a server is starting":           {time.Minute, 40 * time.Second, http.StatusServiceUnavailable, ""},
		"a server is starting, and soon": {8 * time.Second, 4 * time.Second, http.StatusServiceUnavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				up := time.Now().Add(tt.down)
				var waiting, answering int
				p := Patience{Wait: tt.wait, Waiting: func(Waiting) { waiting++ }, Answering: func(string) { answering++ }}
				m, gaveUp := patientEndpoint(t, p, func(*http.Request) (*http.Response, error) {
					if time.Now().Before(up) {
						w := respond(tt.status, "{}")
						if tt.after != "" {
							w.Header.Set("Retry-After", tt.after)
						}
						return w, nil
					}
					return respond(http.StatusOK, said("{}")), nil
				})
				var calls sync.WaitGroup
				for range 30 {
					calls.Go(func() {
						if _, err := m.Complete(t.Context(), judges.Request{Format: judges.FormatObject}); err != nil {
							t.Error(err)
						}
					})
				}
				calls.Wait()
				if len(*gaveUp) > 0 || waiting == 0 && answering > 0 || waiting > 0 && answering != 1 {
					t.Errorf("given up: %+v; told %d times that calls wait, %d times that they are answered", *gaveUp, waiting, answering)
				}
			})
		})
	}
}

// TestAnEndpointIsGivenUp: no call has succeeded for the wait, whatever the server does
// instead. All calls end then, those that wait for a pause among them, and no more are
// made.
func TestAnEndpointIsGivenUp(t *testing.T) {
	t.Parallel()
	limited := func(after string) roundTrip {
		return func(*http.Request) (*http.Response, error) {
			w := respond(http.StatusTooManyRequests, "{}")
			w.Header.Set("Retry-After", after)
			return w, nil
		}
	}
	for name, tt := range map[string]struct {
		server roundTrip
		reason eval.Reason
		most   time.Duration
	}{
		"nobody listens": {func(*http.Request) (*http.Response, error) {
			return nil, &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}
		}, eval.ReasonUnavailable, time.Minute},
		"it is down":                      {func(*http.Request) (*http.Response, error) { return respond(http.StatusServiceUnavailable, "{}"), nil }, eval.ReasonUnavailable, time.Minute},
		"it limits all calls":             {limited("7"), eval.ReasonRateLimited, time.Minute},
		"it asks for more than the wait":  {limited("90"), eval.ReasonRateLimited, time.Minute},
		"it never answers, for 30 s each": {func(r *http.Request) (*http.Response, error) { <-r.Context().Done(); return nil, r.Context().Err() }, eval.ReasonTimeout, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				begun, made := time.Now(), 0
				var count sync.Mutex
				m, gaveUp := patientEndpoint(t, Patience{Wait: time.Minute}, func(r *http.Request) (*http.Response, error) {
					count.Lock()
					made++
					count.Unlock()
					return tt.server(r)
				})
				var calls sync.WaitGroup
				for range 30 {
					calls.Go(func() {
						for range 100 {
							if _, err := m.Complete(t.Context(), judges.Request{Format: judges.FormatObject}); eval.ReasonOf(err) != tt.reason && eval.ReasonOf(err) != eval.ReasonBreakerOpen {
								t.Error(err)
								return
							}
						}
					})
				}
				calls.Wait()
				if took := time.Since(begun); took < time.Minute || took > tt.most {
					t.Errorf("ended after %v", took)
				}
				if len(*gaveUp) != 1 {
					t.Fatalf("given up %d times", len(*gaveUp))
				}
				if g := (*gaveUp)[0]; g.Model != "small" || g.URL != "http://model.test/v1" || g.For < time.Minute || eval.ReasonOf(g.Err) != tt.reason {
					t.Errorf("%+v", g)
				}
				before := made
				if _, err := m.Complete(t.Context(), judges.Request{Format: judges.FormatObject}); eval.ReasonOf(err) != tt.reason || made != before {
					t.Errorf("%d calls more, %v", made-before, err)
				}
			})
		})
	}
}

// TestPatienceWithSlowCalls: calls that are at the server may still succeed, so one
// failure among them does not end a batch, however slow they are.
func TestPatienceWithSlowCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		failed := false
		m := patient(func(ctx context.Context, _ judges.Request) (judges.Answer, error) {
			mu.Lock()
			first := !failed
			failed = true
			mu.Unlock()
			if first {
				return judges.Answer{}, errDown
			}
			backoff.Wait(ctx, 90*time.Second)
			return judges.Answer{Text: "yes"}, nil
		}, time.Minute, nil)
		m.GaveUp = func(g GaveUp) { t.Errorf("%+v", g) }
		var calls sync.WaitGroup
		for range 3 {
			calls.Go(func() {
				for range 3 {
					if _, err := m.Complete(t.Context(), judges.Request{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		calls.Wait()
	})
}

// TestPatienceOfZero: nothing waits, and each call fails on its own.
func TestPatienceOfZero(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun, calls := time.Now(), 0
		m := patient(func(context.Context, judges.Request) (judges.Answer, error) { calls++; return judges.Answer{}, errDown }, 0, nil)
		for range 10 {
			if _, err := m.Complete(t.Context(), judges.Request{}); !errors.Is(err, errDown) {
				t.Fatal(err)
			}
		}
		if calls != 10 || time.Since(begun) > 0 {
			t.Errorf("%d calls in %v", calls, time.Since(begun))
		}
	})
}
