package outage

import (
	"errors"
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
// to log it, at once and then once an [Interval], with the number of failures
// since the last line.
//
// An error in err's chain may have a method Cause() string. Failures of another cause
// are another trouble of the same outage; those without the method have one cause.
func (o *Outage) Fail(err error) (count int, log bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.err, o.errAt = err, time.Now()
	cause := causeOf(err)
	began := o.since.IsZero()
	if began {
		o.since = o.errAt
		o.logged.Reset()
	}
	if began || cause != o.cause {
		o.cause, o.turned = cause, o.errAt
	}
	return o.logged.Allow()
}

func causeOf(err error) string {
	if e, ok := errors.AsType[interface {
		error
		Cause() string
	}](err); ok {
		return e.Cause()
	}
	return ""
}

// End records a success. It reports whether there was an outage, and since when.
func (o *Outage) End() (since time.Time, was bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	since, o.since = o.since, time.Time{}
	return since, !since.IsZero()
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
