// Package backoff waits between attempts: for a time that doubles up to a limit,
// with jitter, and never longer than a context lasts.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Backoff is a range of pauses. Min must be above zero, Max not below Min.
type Backoff struct {
	Min, Max time.Duration
}

// Delay returns the pause after the given attempt, counted from 1: Min doubled
// attempt-1 times, at most Max, less up to a half at random, so that many callers
// do not try again at the same moment.
func (b Backoff) Delay(attempt int) time.Duration {
	d := b.Max
	if shift := max(attempt-1, 0); shift < 62 && b.Min <= b.Max>>shift {
		d = b.Min << shift
	}
	return d - rand.N(d/2+1) //nolint:gosec // a pause needs no strong randomness
}

// Wait pauses after the given attempt. It reports whether the pause was whole:
// false when ctx ended first.
func (b Backoff) Wait(ctx context.Context, attempt int) bool {
	return Wait(ctx, b.Delay(attempt))
}

// Wait pauses for d, and reports whether the pause was whole: false when ctx
// ended first. With a d of zero or less it reports at once whether ctx still lasts.
func Wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
