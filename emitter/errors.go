package emitter

import (
	"errors"
	"fmt"
	"slices"

	"github.com/evalworker/evalworker/event"
)

// Errors of Emit. Match them with errors.Is.
var (
	// ErrFull: the buffer is full, the event was dropped and counted.
	ErrFull = errors.New("emitter's buffer is full")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("emitter is closed")
	// ErrRefused: the cluster does not let this application in, or a certificate
	// or password file cannot be used. The error's text says what to mend; events
	// are tried again as after a fault of the network.
	ErrNoAccess = errors.New("not let in by Kafka")
	// ErrTooLarge: the event exceeds Config.MaxEventBytes. It is also permanent
	// with [eval.ReasonTooLarge].
	ErrTooLarge = errors.New("event is too large")
)

// maxUnsentIDs bounds the ids that an UnsentError names.
const maxUnsentIDs = 100

// UnsentError says which accepted events were given up. One whose write ended
// without an answer may be in the topic nevertheless.
type UnsentError struct {
	Count      int               // events in all
	RequestIDs []event.RequestID // the first 100 of them
	Err        error             // what stopped the last of them that was tried
}

// Error counts the events and names the first.
func (u *UnsentError) Error() string {
	switch {
	case u.Count == 1 && len(u.RequestIDs) == 1:
		return fmt.Sprintf("1 event not sent, %s: %v", u.RequestIDs[0], u.Err)
	case len(u.RequestIDs) == 0:
		return fmt.Sprintf("%d events not sent: %v", u.Count, u.Err)
	}
	return fmt.Sprintf("%d events not sent, the first is %s: %v", u.Count, u.RequestIDs[0], u.Err)
}

// Unwrap gives Err.
func (u *UnsentError) Unwrap() error { return u.Err }

// add counts events that were given up.
func (u *UnsentError) add(ids []event.RequestID, err error) {
	u.Count += len(ids)
	u.RequestIDs = append(u.RequestIDs, ids[:min(len(ids), maxUnsentIDs-len(u.RequestIDs))]...)
	// That the time was over says less than why it was not enough.
	if u.Err == nil || !errors.Is(err, errClosing) {
		u.Err = err
	}
}

// report gives what was counted, as an error, and starts again from nothing.
func (u *UnsentError) report() error {
	if u.Count == 0 {
		return nil
	}
	out := &UnsentError{u.Count, slices.Clone(u.RequestIDs), u.Err}
	*u = UnsentError{}
	return out
}
