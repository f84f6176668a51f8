//go:build go1.26

package backoff_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/internal/base/backoff"
)

// TestDelay: it doubles up to the limit, whatever the number of attempts, and
// jitter takes off half at most.
func TestDelay(t *testing.T) {
	t.Parallel()
	b := backoff.Backoff{Min: 100 * time.Millisecond, Max: 5 * time.Second}
	for attempt, most := range map[int]time.Duration{
		-1: b.Min, 0: b.Min, 1: b.Min, 2: 2 * b.Min, 6: 32 * b.Min, 7: b.Max, 63: b.Max, 64: b.Max, 65: b.Max, math.MaxInt: b.Max,
	} {
		for range 100 {
			if d := b.Delay(attempt); d < most/2-1 || d > most {
				t.Fatalf("attempt %d: %v, want %v to %v", attempt, d, most/2, most)
			}
		}
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		if !backoff.Wait(t.Context(), time.Second) || time.Since(began) != time.Second {
			t.Errorf("waited %v", time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if backoff.Wait(ctx, time.Hour) || backoff.Wait(ctx, 0) {
			t.Error("a pause outlasts its context")
		}
	})
}
