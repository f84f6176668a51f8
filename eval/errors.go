package eval

import (
	"context"
	"errors"

	"github.com/evalworker/evalworker/event"
)

// Reason is a cause of failure, one of a closed set; it becomes a metric tag.
type Reason string

// The reasons. The first group is about events, the second about evaluations.
const (
	ReasonMalformed           = Reason(event.Malformed)    // not an event: invalid JSON, or a required field missing or of the wrong type
	ReasonUnknownEvent        = Reason(event.UnknownEvent) // a kind of event that this version does not know
	ReasonTooLarge            = Reason(event.TooLarge)     // above the configured size
	ReasonPanic        Reason = "panic"                    // our own code panicked on it

	ReasonTimeout       Reason = "timeout"        // the evaluator's time was up
	ReasonCanceled      Reason = "canceled"       // the worker was stopped, or lost the partition
	ReasonRateLimited   Reason = "rate_limited"   // the model's rate limit, retries used up
	ReasonQuota         Reason = "quota"          // the account's quota or credit is used up
	ReasonUnavailable   Reason = "unavailable"    // the model cannot be reached or answers 5xx
	ReasonBreakerOpen   Reason = "breaker_open"   // not called, because recent calls failed
	ReasonLocal         Reason = "local"          // this machine could not make the call: no descriptor, or the process did not run
	ReasonAuth          Reason = "auth"           // key or permission refused
	ReasonBadRequest    Reason = "bad_request"    // the model's server refused the request
	ReasonRefused       Reason = "refused"        // the model declined to judge
	ReasonContentFilter Reason = "content_filter" // the provider's filter stopped the call
	ReasonTruncated     Reason = "truncated"      // the model's answer was cut off
	ReasonUnparsable    Reason = "unparsable"     // the model's answer is not what the schema asks for
	ReasonRedaction     Reason = "redaction"      // content could not be redacted, so it was not shown
	ReasonInternal      Reason = "internal"       // anything else
)

// PermanentReasons returns the reasons for which a message becomes a dead letter.
func PermanentReasons() []Reason {
	return []Reason{ReasonMalformed, ReasonUnknownEvent, ReasonTooLarge, ReasonPanic}
}

// Reasons returns the closed set, in the order above.
func Reasons() []Reason {
	return append(PermanentReasons(),
		ReasonTimeout, ReasonCanceled, ReasonRateLimited, ReasonQuota, ReasonUnavailable, ReasonBreakerOpen, ReasonLocal,
		ReasonAuth, ReasonBadRequest, ReasonRefused, ReasonContentFilter, ReasonTruncated, ReasonUnparsable,
		ReasonRedaction, ReasonInternal)
}

// classError is an error with a reason, permanent or not.
type classError struct {
	reason    Reason
	permanent bool
	err       error
}

func (c *classError) Error() string { return string(c.reason) + ": " + c.err.Error() }
func (c *classError) Unwrap() error { return c.err }

// Permanent marks err as one that the same input will always cause. A message
// whose handling ends in a permanent error becomes a dead letter.
func Permanent(reason Reason, err error) error {
	return &classError{reason: reason, permanent: true, err: err}
}

// IsPermanent reports whether err, or an error that it wraps, is permanent. An
// [event.Error] is permanent.
func IsPermanent(err error) bool {
	if _, ok := errors.AsType[*event.Error](err); ok {
		return true
	}
	var c *classError
	for errors.As(err, &c) {
		if c.permanent {
			return true
		}
		err = c.err
	}
	return false
}

// WithReason adds a reason to err. It does not change whether err is permanent.
func WithReason(reason Reason, err error) error {
	return &classError{reason: reason, err: err}
}

// ReasonOf returns the outermost reason in err's chain. Without one it returns
// ReasonTimeout or ReasonCanceled for a context's error, else ReasonInternal. For
// nil it returns the empty reason.
func ReasonOf(err error) Reason {
	var c *classError
	var invalid *event.Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &c):
		return c.reason
	case errors.As(err, &invalid):
		return Reason(invalid.Reason)
	case errors.Is(err, context.DeadlineExceeded):
		return ReasonTimeout
	case errors.Is(err, context.Canceled):
		return ReasonCanceled
	}
	return ReasonInternal
}
