package model

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

func TestBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var err error
		calls := 0
		m := newBreaker(judges.ModelFunc(func(context.Context, judges.Request) (judges.Answer, error) {
			calls++
			return judges.Answer{}, err
		}), config(), slog.New(slog.DiscardHandler))
		do := func(n int) error {
			var last error
			for range n {
				_, last = m.Complete(t.Context(), judges.Request{})
			}
			return last
		}
		// An endpoint that limits, refuses or rejects is alive; a call never made, or ended by
		// this machine, says nothing.
		for _, err = range []error{
			limited(0), fail(eval.ReasonAuth, failure{}), fail(eval.ReasonLocal, failure{}), fail(eval.ReasonBadRequest, failure{}),
			noTurn(context.DeadlineExceeded), eval.WithReason(eval.ReasonCanceled, context.Canceled),
		} {
			if got := do(30); eval.ReasonOf(got) == eval.ReasonBreakerOpen {
				t.Fatalf("opened by %v", err)
			}
		}
		fares := func(want Condition) {
			t.Helper()
			if diff := cmp.Diff(want, m.condition()); diff != "" {
				t.Errorf("condition (-want +got):\n%s", diff)
			}
		}
		failing := time.Now() // no call has got an answer
		fares(Condition{
			Breaker: "closed", Reason: eval.ReasonBadRequest, FailingSince: failing,
			Error: "bad_request", Mend: "model: want settings that this server takes", FailedAt: failing,
		})
		_ = sleep(t.Context(), time.Minute) // the window has passed
		err = down()
		if got := do(breakerCalls); eval.ReasonOf(got) != eval.ReasonUnavailable {
			t.Fatalf("err = %v; want the endpoint's own", got)
		}
		const broken = "base_url: the server answers, but not with a completion: look at it, or name another one"
		fares(Condition{
			Breaker: "open", Reason: eval.ReasonUnavailable, FailingSince: failing, Error: "status 503", Mend: broken, FailedAt: time.Now(),
		})
		calls = 0
		if got := do(1); eval.ReasonOf(got) != eval.ReasonBreakerOpen || calls != 0 {
			t.Fatalf("err = %v after %d calls; want breaker_open without a call", got, calls)
		}
		_ = sleep(t.Context(), breakerPause+time.Millisecond)
		if got := do(3); calls != 1 || eval.ReasonOf(got) != eval.ReasonBreakerOpen {
			t.Fatalf("%d calls went through; want one that fails and opens it again", calls)
		}
		_ = sleep(t.Context(), breakerPause+time.Millisecond)
		err = nil
		if got := do(5); got != nil {
			t.Errorf("err = %v; want it closed", got)
		}
		fares(Condition{Breaker: "closed"})
		err = down()
		_ = do(1)
		fares(Condition{
			Breaker: "closed", Reason: eval.ReasonUnavailable, FailingSince: time.Now(), Error: "status 503", Mend: broken, FailedAt: time.Now(),
		})
	})
}

// TestBreakerLog: a model that stays down is one warning a minute, with why and how often it
// was tried; that it is back is no warning.
func TestBreakerLog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		err := eval.WithReason(eval.ReasonUnavailable, errors.New("certificate has expired"))
		m := newBreaker(judges.ModelFunc(func(context.Context, judges.Request) (judges.Answer, error) {
			return judges.Answer{}, err
		}), DefaultConfig(), slog.New(slog.NewTextHandler(&log, nil)))
		for range breakerCalls {
			_, _ = m.Complete(t.Context(), judges.Request{})
		}
		for range 8 { // two minutes
			_ = sleep(t.Context(), breakerPause+time.Millisecond)
			_, _ = m.Complete(t.Context(), judges.Request{})
		}
		err = nil
		_ = sleep(t.Context(), breakerPause+time.Millisecond)
		_, _ = m.Complete(t.Context(), judges.Request{})
		text := log.String()
		if n := strings.Count(text, `level=WARN msg="model is down: judges answer with errors without calling it"`); n != 3 {
			t.Errorf("%d warnings in two minutes, want 3:\n%s", n, text)
		}
		if !strings.Contains(text, `error="unavailable: certificate has expired" mend="base_url: want the address of a server that runs" count=4`) || !strings.Contains(text, `level=INFO msg="model is back"`) {
			t.Errorf("no cause, no count or no end in\n%s", text)
		}
	})
}

func TestBreakerNeedsHalfToFail(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := 0
		m := newBreaker(judges.ModelFunc(func(context.Context, judges.Request) (judges.Answer, error) {
			if n++; n%3 == 0 {
				return judges.Answer{}, down()
			}
			return judges.Answer{}, nil
		}), config(), slog.New(slog.DiscardHandler))
		for range 300 {
			if _, err := m.Complete(t.Context(), judges.Request{}); eval.ReasonOf(err) == eval.ReasonBreakerOpen {
				t.Fatal("opened at a third of failures")
			}
		}
	})
}

// An endpoint that hangs counts as down, whatever the timeout, the concurrency and its
// earlier answers.
func TestTimeoutsOpenTheBreaker(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		timeout      time.Duration
		slots, least int // timeouts one after the other until ten calls have ended
	}{
		{time.Second, 32, 1},
		{breakerWindow, 32, 1},
		{10 * time.Minute, 32, 1},
		{breakerWindow, 8, 2},
		{breakerWindow, 3, 4},
		{breakerWindow, 1, 10},
	} {
		t.Run(fmt.Sprintf("%s in %d", tt.timeout, tt.slots), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				hangs := time.Now().Add(time.Minute)
				hang := judges.ModelFunc(func(ctx context.Context, _ judges.Request) (judges.Answer, error) {
					if time.Now().Before(hangs) {
						return judges.Answer{}, sleep(ctx, 500*time.Millisecond)
					}
					<-ctx.Done()
					return judges.Answer{}, classify(ctx, ctx.Err(), &exchange{})
				})
				m := newBreaker(&callObserver{next: hang, timeout: tt.timeout, latency: new(latencyEstimate), local: newLocalFaults(config(), quiet())}, config(), slog.New(slog.DiscardHandler))
				var calls sync.WaitGroup
				var once sync.Once
				for range tt.slots {
					calls.Go(func() {
						for !errors.Is(calling(t, m), errOpen) {
						}
						once.Do(func() {
							if took := time.Since(hangs); took > max(time.Duration(tt.least)*tt.timeout, breakerWindow)+time.Second {
								t.Errorf("opened after %s of silence", took)
							}
						})
					})
				}
				calls.Wait()
			})
		})
	}
}

// Refused connections end at once and answers take time: the first calls to end are
// not representative.
func TestBreakerWaitsForSlowAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int64
		m := newBreaker(judges.ModelFunc(func(ctx context.Context, _ judges.Request) (judges.Answer, error) {
			if n.Add(1)%4 == 0 {
				return judges.Answer{}, down()
			}
			return judges.Answer{}, sleep(ctx, 5*time.Second)
		}), config(), slog.New(slog.DiscardHandler))
		var calls sync.WaitGroup
		for range 256 {
			calls.Go(func() {
				for range 5 {
					if err := calling(t, m); errors.Is(err, errOpen) {
						t.Error("opened at a quarter of failures")
						return
					}
				}
			})
		}
		calls.Wait()
	})
}

// The order of failures does not matter: when the oldest call fails after many
// refused ones, as many calls are still in flight as before.
func TestBreakerWaitsForAllThatAreOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newBreaker(judges.ModelFunc(func(ctx context.Context, r judges.Request) (judges.Answer, error) {
			switch r.Eval {
			case "first":
				_ = sleep(ctx, time.Second)
				return judges.Answer{}, down()
			case "slow":
				return judges.Answer{}, sleep(ctx, 5*time.Second)
			}
			return judges.Answer{}, down()
		}), config(), quiet())
		var calls sync.WaitGroup
		begin := func(eval string) {
			calls.Go(func() { _, _ = m.Complete(t.Context(), judges.Request{Eval: eval}) })
			synctest.Wait()
		}
		begin("first")
		for range 2 * breakerCalls {
			begin("slow")
		}
		for range breakerCalls {
			begin("refused")
		}
		calls.Wait()
		if got := m.condition().Breaker; got != stateClosed {
			t.Errorf("breaker is %s after %d answers and %d failures", got, 2*breakerCalls, breakerCalls+1)
		}
	})
}

// A call that began before an outage and ends after it does not count.
func TestBreakerForgetsCallsOfBefore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		failing := true
		late := make(chan struct{})
		m := newBreaker(judges.ModelFunc(func(_ context.Context, r judges.Request) (judges.Answer, error) {
			if r.Eval == "late" {
				<-late
				return judges.Answer{}, down()
			}
			if failing {
				return judges.Answer{}, down()
			}
			return judges.Answer{}, nil
		}), config(), slog.New(slog.DiscardHandler))
		var old sync.WaitGroup
		for range 3 * breakerCalls {
			old.Go(func() { _, _ = m.Complete(t.Context(), judges.Request{Eval: "late"}) })
		}
		synctest.Wait()
		for !errors.Is(calling(t, m), errOpen) { // after as many as are still open
		}
		failing = false
		_ = sleep(t.Context(), breakerPause+time.Millisecond)
		for range breakerCalls {
			if err := calling(t, m); err != nil {
				t.Fatalf("err = %v; want it closed", err)
			}
		}
		close(late)
		old.Wait()
		if err := calling(t, m); err != nil {
			t.Errorf("err = %v; want it still closed", err)
		}
	})
}

// A probe without a result leaves the probe to the next call.
func TestBreakerTriesAgainAfterACanceledTrial(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		err := down()
		m := newBreaker(judges.ModelFunc(func(context.Context, judges.Request) (judges.Answer, error) {
			if err == nil {
				panic("a fault of ours")
			}
			return judges.Answer{}, err
		}), config(), slog.New(slog.DiscardHandler))
		for range breakerCalls {
			_ = calling(t, m)
		}
		_ = sleep(t.Context(), breakerPause+time.Millisecond)
		err = eval.WithReason(eval.ReasonCanceled, context.Canceled)
		_ = calling(t, m)
		err = nil
		func() {
			defer func() { _ = recover() }()
			_ = calling(t, m)
		}()
		if got := m.condition().Breaker; got != stateHalfOpen {
			t.Errorf("breaker is %s; want it half-open", got)
		}
		err = limited(0)
		if got := calling(t, m); errors.Is(got, errOpen) || m.condition().Breaker != stateClosed {
			t.Errorf("err = %v, breaker is %s; want it closed by an endpoint that is alive", got, m.condition().Breaker)
		}
	})
}

func calling(t *testing.T, m judges.Model) error {
	t.Helper()
	_, err := m.Complete(t.Context(), judges.Request{})
	return err
}
