package telemetry

import (
	"sync/atomic"
	"time"
)

// Seconds without a use after which a value of a tag, or a series, loses its place.
const (
	// idleAfter is when another one may take the place because there is no free one. It is
	// above the five minutes for which Prometheus looks back, so the last value of a series
	// has been read when the series goes. DogStatsD's client keeps two seconds.
	idleAfter = 10 * 60
	// forgetAfter is when the place becomes free, whether or not another one wants it. It is
	// long enough for an application that nobody uses at night.
	forgetAfter = 24 * 60 * 60
	// ageEvery is the time between two searches for what was not used for so long.
	ageEvery = 60 * 60
)

// clock counts the seconds since a meter was made. The queue's goroutine moves it on, so
// that noting a use costs no look at the time.
type clock struct {
	started time.Time
	seconds atomic.Int64
}

func newClock() *clock { return &clock{started: time.Now()} }

func (c *clock) now() int64 { return c.seconds.Load() }

// move sets the clock to the present.
func (c *clock) move() int64 {
	now := int64(time.Since(c.started) / time.Second)
	c.seconds.Store(now)
	return now
}
