package outage

import (
	"sync"
	"time"
)

// Outage is one thing that may be down. The zero value is up.
type Outage struct {
	mu     sync.Mutex
	since  time.Time // guarded by mu; zero: up
	err    error     // guarded by mu; the last failure, kept when it is over
	errAt  time.Time // guarded by mu
	logged Limiter
}

// Fail records a failure: the outage began with the first one. It reports whether
// to log it, at once and then once an [Interval], with the number of failures
// since the last line.
func (o *Outage) Fail(err error) (count int, log bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err, o.errAt = err, time.Now()
	if o.since.IsZero() {
		o.since = o.errAt
		o.logged.Reset()
	}
	return o.logged.Allow()
}

// End records a success. It reports whether there was an outage, and since when.
func (o *Outage) End() (since time.Time, was bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	since, o.since = o.since, time.Time{}
	return since, !since.IsZero()
}

// Now returns since when it is down and the last failure; a zero time and nil
// while it is up.
func (o *Outage) Now() (since time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return time.Time{}, nil
	}
	return o.since, o.err
}

// Last returns the last failure and when it was, also of an outage that is over.
func (o *Outage) Last() (at time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.errAt, o.err
}
