package outage_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/internal/outage"
)

// TestLimiter: a line at once, then one a minute with what happened since.
func TestLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var l outage.Limiter
		began := time.Now()
		if _, ok := l.Flush(true); ok {
			t.Error("a line about nothing")
		}
		for at, want := range []int{1, 0, 0} {
			if seen, ok := l.Allow(); seen.Count != want || ok != (want > 0) {
				t.Errorf("occurrence %d: %+v, %t", at, seen, ok)
			}
		}
		if _, ok := l.Flush(false); ok {
			t.Error("a second line within the minute")
		}
		<-time.After(outage.Interval)
		if seen, ok := l.Allow(); seen != (outage.Tally{Count: 3, Since: began}) || !ok {
			t.Errorf("after a minute: %+v, %t; want 3 since %v", seen, ok, began)
		}
		l.Allow()
		if seen, ok := l.Flush(true); seen != (outage.Tally{Count: 1, Since: began}) || !ok {
			t.Errorf("at the end: %+v, %t; want 1 since %v", seen, ok, began)
		}
	})
}

// TestOutage: it begins with the first failure, ends with a success, and a second
// one is logged at once however soon it follows.
func TestOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o outage.Outage
		first, second := errors.New("refused"), errors.New("reset")
		if _, was := o.End(); was {
			t.Error("an outage that nobody noted")
		}
		began := time.Now()
		if seen, log := o.Fail(first); seen.Count != 1 || !log {
			t.Errorf("the first failure: %+v, %t", seen, log)
		}
		<-time.After(time.Second)
		if _, log := o.Fail(second); log {
			t.Error("a second line within the minute")
		}
		if since, err := o.Now(); !since.Equal(began) || !errors.Is(err, second) {
			t.Errorf("down since %v with %v", since, err)
		}
		if since, was := o.End(); !was || !since.Equal(began) {
			t.Errorf("ended: %v, %t", since, was)
		}
		if since, err := o.Now(); !since.IsZero() || err != nil {
			t.Errorf("up, and yet down since %v with %v", since, err)
		}
		if at, err := o.Last(); !errors.Is(err, second) || at.Sub(began) != time.Second {
			t.Errorf("the last failure: %v at %v", err, at)
		}
		if seen, log := o.Fail(first); seen != (outage.Tally{Count: 1, Since: time.Now()}) || !log {
			t.Errorf("the next outage: %+v, %t", seen, log)
		}
	})
}

// caused is a failure with a cause.
type caused string

func (c caused) Error() string { return "failed: " + string(c) }
func (c caused) Cause() string { return string(c) }

// TestSince: the present trouble began when the cause changed or when it came back, while
// the outage began with its first failure.
func TestSince(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var o outage.Outage
		began := time.Now()
		for at, step := range []struct {
			err   error // nil: a success
			since time.Duration
		}{
			{errors.New("refused"), 0},
			{errors.New("reset"), 0}, // no cause: the same trouble
			{caused("no replicas"), 2 * time.Minute},
			{fmt.Errorf("write: %w", caused("no replicas")), 2 * time.Minute},
			{caused("no leader"), 4 * time.Minute},
			{caused("no replicas"), 5 * time.Minute}, // it went away in between
			{nil, 0},
			{caused("no replicas"), 7 * time.Minute},
		} {
			if step.err == nil {
				if since, was := o.End(); !was || !since.Equal(began) {
					t.Errorf("step %d: the outage began %v after the first failure, %t", at, since.Sub(began), was)
				}
			} else {
				o.Fail(step.err)
				if since, err := o.Now(); since.Sub(began) != step.since || !errors.Is(err, step.err) {
					t.Errorf("step %d: since %v after the first failure, want %v; %v", at, since.Sub(began), step.since, err)
				}
			}
			<-time.After(time.Minute)
		}
	})
}
