package event

// Reason says in one word why bytes are not an event; it becomes a metric tag.
type Reason string

// The reasons for which an event is refused.
const (
	Malformed    Reason = "malformed"     // invalid JSON, a wrong type, or a required field missing
	UnknownEvent Reason = "unknown_event" // a kind of event that this version does not know
	TooLarge     Reason = "too_large"     // above the configured size
)

// Error reports that an event cannot be taken. The same bytes always cause it,
// so whoever holds them gives up on them: a worker dead-letters the message.
type Error struct {
	Reason Reason
	Err    error
}

// Error returns the reason and the cause.
func (e *Error) Error() string { return string(e.Reason) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// invalid returns an Error.
func newError(reason Reason, err error) error { return &Error{Reason: reason, Err: err} }
