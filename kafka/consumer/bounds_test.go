package consumer

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestPlaceIn(t *testing.T) {
	t.Parallel()
	b := logBounds{first: 10, last: 20}
	tests := []struct {
		name   string
		next   int64
		policy OutOfRange
		want   startPoint
	}{
		{"nothing stored", unknownOffset, OutOfRangeLast, startPoint{start: 10}},
		{"inside", 15, OutOfRangeFirst, startPoint{start: 15}},
		{"at the first", 10, OutOfRangeFirst, startPoint{start: 10}},
		{"at the end", 20, OutOfRangeFirst, startPoint{start: 20}},
		{"deleted before it was read", 7, OutOfRangeFirst, startPoint{start: 10, deleted: true}},
		{"beyond the end, start over", 21, OutOfRangeFirst, startPoint{start: 10, beyond: true}},
		{"beyond the end, go to it", 21, OutOfRangeLast, startPoint{start: 20, beyond: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := findStart(tt.next, b, tt.policy); got != tt.want {
				t.Errorf("placeIn(%d) = %+v, want %+v", tt.next, got, tt.want)
			}
		})
	}
}

func TestCommitGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 5 * time.Second
		g := newCommitBreaker()
		if err := g.wait(t.Context(), limit); err != nil {
			t.Fatalf("a new gate is closed: %v", err)
		}
		<-time.After(limit)
		if err := g.wait(t.Context(), limit); err != nil {
			t.Errorf("closed at its limit: %v", err)
		}
		<-time.After(time.Millisecond)
		through := make(chan error, 2)
		for range 2 {
			go func() { through <- g.wait(t.Context(), limit) }()
		}
		synctest.Wait()
		if len(through) > 0 {
			t.Error("open after its limit")
		}
		g.reset()
		for range 2 {
			if err := <-through; err != nil {
				t.Errorf("wait: %v", err)
			}
		}
		<-time.After(2 * limit)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := g.wait(ctx, limit); !errors.Is(err, context.Canceled) {
			t.Errorf("wait: %v, want %v", err, context.Canceled)
		}
	})
}

func TestThrottle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var th throttle
		if n, ok := th.allow(); !ok || n != 1 {
			t.Errorf("the first: %d, %v", n, ok)
		}
		for range 3 {
			if _, ok := th.allow(); ok {
				t.Error("a line within the interval")
			}
		}
		<-time.After(logInterval)
		if n, ok := th.allow(); !ok || n != 4 {
			t.Errorf("after the interval: %d, %v, want 4, true", n, ok)
		}
	})
}

func TestGraceBeginsWithTheOrderToStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, order := context.WithCancel(t.Context())
		grace, stop := graceAfter(app, time.Minute)
		defer stop()
		<-time.After(time.Hour)
		order()
		synctest.Wait()
		if grace.Err() != nil {
			t.Error("over before it began")
		}
		<-time.After(time.Minute - time.Second)
		if grace.Err() != nil {
			t.Error("over too soon")
		}
		<-time.After(time.Second)
		synctest.Wait()
		if !errors.Is(context.Cause(grace), errStopped) {
			t.Errorf("cause %v, want %v", context.Cause(grace), errStopped)
		}
	})
}

func TestJitter(t *testing.T) {
	t.Parallel()
	for range 1000 {
		if d := jitter(time.Second); d < time.Second/2 || d > time.Second {
			t.Fatalf("jitter(1s) = %v", d)
		}
	}
	if d := jitter(1); d < 0 || d > 1 {
		t.Errorf("jitter(1ns) = %v", d)
	}
}
