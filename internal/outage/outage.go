package outage

import (
	"sync"
	"time"
)

// Outage is one thing that may be down. The zero value is up.
type Outage struct {
	mu     sync.Mutex
	since  time.Time // guarded by mu; zero: up
	cause  string    // guarded by mu; of the last failure
	turned time.Time // guarded by mu; since when it has that cause
	err    error     // guarded by mu; the last failure, kept when it is over
	errAt  time.Time // guarded by mu
	logged Limiter
}

// Fail records a failure: the outage began with the first one. It reports whether
// to log it: at once, then once an [Interval], and at once when its cause has changed.
//
// Failures of another cause, see [CauseOf], are another trouble of the same outage, which
// began when the cause changed; those without one have one cause.
func (o *Outage) Fail(err error) (Tally, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err, o.errAt = err, time.Now()
	cause := CauseOf(err)
	began := o.since.IsZero()
	if began {
		o.since = o.errAt
	}
	if began || cause != o.cause {
		o.cause, o.turned = cause, o.errAt
	}
	tally, ok := o.logged.allow(cause, 1)
	tally.Since = o.turned
	return tally, ok
}

// End records a success. It returns since when there was an outage, and whether Fail had it
// logged: only then there is a line whose trouble is over.
func (o *Outage) End() (since time.Time, told bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return time.Time{}, false
	}
	since, o.since = o.since, time.Time{}
	_, told = o.logged.Over()
	return since, told
}

// Now returns the last failure while it is down, and since when it is down for that
// cause; a zero time and nil while it is up.
func (o *Outage) Now() (since time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.since.IsZero() {
		return time.Time{}, nil
	}
	return o.turned, o.err
}

// Last returns the last failure and when it was, also of an outage that is over.
func (o *Outage) Last() (at time.Time, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.errAt, o.err
}
