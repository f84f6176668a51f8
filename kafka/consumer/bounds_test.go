package consumer

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestFindStart(t *testing.T) {
	t.Parallel()
	b := logBounds{first: 10, last: 20}
	tests := []struct {
		name   string
		next   int64
		policy OutOfRange
		want   startPoint
	}{
		{"nothing stored", unknownOffset, OutOfRangeLast, startPoint{offset: 10}},
		{"inside", 15, OutOfRangeFirst, startPoint{offset: 15}},
		{"at the first", 10, OutOfRangeFirst, startPoint{offset: 10}},
		{"at the end", 20, OutOfRangeFirst, startPoint{offset: 20}},
		{"deleted before it was read", 7, OutOfRangeFirst, startPoint{offset: 10}},
		{"beyond the end, start over", 21, OutOfRangeFirst, startPoint{offset: 10, beyond: true}},
		{"beyond the end, go to it", 21, OutOfRangeLast, startPoint{offset: 20, beyond: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := findStart(tt.next, b, tt.policy); got != tt.want {
				t.Errorf("findStart(%d) = %+v, want %+v", tt.next, got, tt.want)
			}
		})
	}
}

func TestCommitBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 5 * time.Second
		cb := newCommitBreaker()
		if err := cb.wait(t.Context(), limit); err != nil {
			t.Fatalf("a new breaker holds work back: %v", err)
		}
		<-time.After(limit)
		if err := cb.wait(t.Context(), limit); err != nil {
			t.Errorf("closed at its limit: %v", err)
		}
		<-time.After(time.Millisecond)
		through := make(chan error, 2)
		for range 2 {
			go func() { through <- cb.wait(t.Context(), limit) }()
		}
		synctest.Wait()
		if len(through) > 0 {
			t.Error("open after its limit")
		}
		cb.reset()
		for range 2 {
			if err := <-through; err != nil {
				t.Errorf("wait: %v", err)
			}
		}
		<-time.After(2 * limit)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := cb.wait(ctx, limit); !errors.Is(err, context.Canceled) {
			t.Errorf("wait: %v, want %v", err, context.Canceled)
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
