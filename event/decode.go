package event

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// Reason says in one word why bytes are not an event; it becomes a metric tag.
type Reason string

// The reasons.
const (
	Malformed    Reason = "malformed"     // invalid JSON, or a required field is missing or has the wrong type
	UnknownEvent Reason = "unknown_event" // a kind of event that this version does not know
	TooLarge     Reason = "too_large"     // above the configured size
)

// Error reports that bytes are not an event. The same bytes always cause it, so
// trying again is useless: a worker dead-letters the message.
type Error struct {
	Reason Reason
	Err    error
}

// Error returns the reason and the cause.
func (e *Error) Error() string { return string(e.Reason) + ": " + e.Err.Error() }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func newError(reason Reason, err error) error { return &Error{Reason: reason, Err: err} }

// Decode reads one event. It keeps parts of data, which must not change afterwards.
//
// It is a tolerant reader. Fields that it does not know are ignored, and other names
// of the fields are accepted ([Aliases]). A value of another type than the field's is
// read when it has one meaning: 312.0 and "312" are integers, the number 3 is the
// version "3". Any other value of the wrong type is left out, and so is NaN, which
// Python writes for numbers that JSON does not have; [Event.Ignored] names the field.
// Of several members with one name the last that has a value counts.
//
// Every error is an [*Error]. Its reason is [UnknownEvent] for a kind of event that
// this version does not know, and [Malformed] for data that is not a JSON object,
// is nested deeper than [MaxDepth], has a list longer than [MaxItems], or in which
// "event" or "request_id" is missing or has the wrong type, because an event without
// an identity cannot be evaluated once only. The error names fields and types, never
// values.
//
// Members that providers have, such as usage or those of a response, fill the fields that
// the event does not have.
func Decode(data []byte) (*Event, error) {
	d := newDecoder(&theTables, withoutMark(data))
	return d.event()
}

// DecodeWithWarnings is Decode that also says which members of the event are not read, or
// not as they stand: unknown ones, values of a wrong type, and statements that contradict
// each other.
func DecodeWithWarnings(data []byte) (*Event, Warnings, error) {
	d := newDecoder(&theTables, withoutMark(data))
	d.warns = true
	e, err := d.event()
	return e, d.warnings, err
}

// DecodeStrict is Decode for tools that report mistakes to people: what
// [DecodeWithWarnings] warns of is an error.
func DecodeStrict(data []byte) (*Event, error) {
	e, warned, err := DecodeWithWarnings(data)
	if err == nil && len(warned.List) > 0 {
		return nil, newError(Malformed, errors.New(warned.String()))
	}
	return e, err
}

// withoutMark returns text without the byte order mark with which some Windows programs
// begin it.
func withoutMark(data []byte) []byte { return bytes.TrimPrefix(data, []byte("\ufeff")) }

// event reads the whole message.
func (d *decoder) event() (*Event, error) {
	e := &Event{}
	start, _ := d.scan.Next()
	if start.Kind == jsonscan.Object {
		readMembers(d, e, &d.tables.event)
	} else {
		d.skip(start)
	}
	switch err := d.finish(start, e); {
	case err != nil:
		return nil, newError(Malformed, err)
	case e.Kind != KindRequestCompleted && e.Kind != KindUserFeedback:
		return nil, newError(UnknownEvent, fmt.Errorf("event: not one of %s, %s", KindRequestCompleted, KindUserFeedback))
	}
	return e, nil
}

// finish completes the event, and returns what makes it none.
func (d *decoder) finish(start jsonscan.Token, e *Event) error {
	switch {
	case d.scan.Flaw() == jsonscan.FlawDepth:
		return fmt.Errorf("nested more than %d deep at byte %d", MaxDepth, d.scan.Pos())
	case len(bytes.TrimSpace(d.data)) == 0:
		return errors.New("empty message")
	case d.scan.Flaw() != jsonscan.FlawNone:
		return fmt.Errorf("invalid JSON at byte %d: %s", min(d.scan.Pos()+1, len(d.data)), d.scan.Flaw())
	case !d.scan.Whole():
		return fmt.Errorf("invalid JSON at byte %d: more than one value", d.scan.Pos()+1)
	case start.Kind != jsonscan.Object:
		return fmt.Errorf("a JSON %s, want an object", d.kind(start))
	case d.long != "":
		return fmt.Errorf("%s: more than %d items", d.long, MaxItems)
	case d.vital != "":
		return errors.New(d.vital)
	}
	var missing []string
	if e.Kind == "" {
		missing = append(missing, "event")
	}
	if e.RequestID == "" {
		missing = append(missing, "request_id")
	}
	switch {
	case e.RequestID == "" && d.spelt != "":
		return errors.New(d.spelt)
	case len(missing) > 0:
		return fmt.Errorf("missing %s", strings.Join(missing, " and "))
	}
	if len(d.contexts) > 0 && (e.Retrieval == nil || len(e.Retrieval.Chunks) == 0) {
		if e.Retrieval == nil {
			e.Retrieval = &Retrieval{}
		}
		e.Retrieval.Chunks = d.contexts
	}
	d.origin(e)
	d.enrich(e)
	e.ignored = d.ignored
	return nil
}

// Ignored returns the fields that [Decode] left out because their values have no
// meaning for the event, in the order of [Fields]. Each stands once, however often
// it was left out.
func (e *Event) Ignored() []string {
	if e.ignored == (fieldSet{}) {
		return nil
	}
	var names []string
	for i, f := range theTables.all {
		if e.ignored.has(i) {
			names = append(names, f.name)
		}
	}
	return names
}

// Fields returns the paths of all fields that Decode reads one by one, such as
// "retrieval.chunks.score": the closed set from which [Event.Ignored] takes its names.
func Fields() []string {
	names := make([]string, len(theTables.all))
	for i, f := range theTables.all {
		names[i] = f.name
	}
	return names
}

// Wanted says what the value of a field of [Fields] has to be, for example "an
// integer".
func Wanted(field string) string {
	if i := theTables.named(field); i >= 0 {
		return theTables.all[i].want
	}
	return ""
}

// Aliases returns the other names that are accepted for fields of an event: alias to
// the canonical name, which is a path where the field is not at the top.
func Aliases() map[string]string {
	aliases := map[string]string{}
	for _, f := range theTables.event.rows {
		for _, alias := range f.aliases {
			aliases[alias] = f.name
		}
	}
	return aliases
}
