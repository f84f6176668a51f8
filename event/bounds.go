package event

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// MaxDepth bounds how deep the arrays and objects of an event may be nested,
// because later readers recurse once a level. No model or application nests a
// fraction of this.
const MaxDepth = 512

// MaxItems bounds the lists of an event that are decoded item by item: a tool
// call written {} takes 3 bytes of a message and a hundred of memory. Content that
// is kept as it was published, such as an output that is a list, has no such bound;
// a list of more messages than this is read as a plain JSON value, not as a chat.
const MaxItems = 10_000

// Check returns the error with which [Decode] refuses the event in its JSON form, or
// nil. Publishers ask before they send it, because an application can still be told,
// while a worker can only dead-letter the message.
func (e *Event) Check() error {
	switch {
	case e.RequestID == "":
		return newError(Malformed, errors.New("missing request_id"))
	case e.Kind != KindRequestCompleted && e.Kind != KindUserFeedback:
		return newError(UnknownEvent, fmt.Errorf("event %.100s: kind is none of %s, %s", e.RequestID, KindRequestCompleted, KindUserFeedback))
	}
	long := ""
	switch {
	case len(e.ToolCalls) > MaxItems:
		long = "tool_calls"
	case e.Retrieval != nil && len(e.Retrieval.Chunks) > MaxItems:
		long = "retrieval.chunks"
	case len(e.TraceContext) > MaxItems:
		long = "trace_context"
	}
	if long != "" {
		return newError(Malformed, fmt.Errorf("event %.100s: %s: more than %d items", e.RequestID, long, MaxItems))
	}
	if e.tooDeep() {
		return newError(Malformed, fmt.Errorf("event %.100s: nested more than %d deep", e.RequestID, MaxDepth))
	}
	return nil
}

func (e *Event) tooDeep() bool {
	const inEvent, inCall = MaxDepth - 1, MaxDepth - 3 // a call stands in a list of the event
	deep := deeper(e.Input.raw, inEvent) || deeper(e.Output.raw, inEvent) || deeper(e.Expected.raw, inEvent) || deeper(e.Tools.raw, inEvent)
	for i := range e.ToolCalls {
		deep = deep || deeper(e.ToolCalls[i].Arguments.raw, inCall) || deeper(e.ToolCalls[i].Result.raw, inCall)
	}
	return deep
}

// deeper reports whether a value is nested more than most deep.
func deeper(raw []byte, most int) bool {
	// Counting is a tenth of the work of scanning, and enough for nearly all content.
	if bytes.Count(raw, []byte("["))+bytes.Count(raw, []byte("{")) <= most {
		return false
	}
	s := jsonscan.New(raw, 0)
	s.LimitDepth(most)
	for _, ok := s.Next(); ok; _, ok = s.Next() {
	}
	return s.Flaw() == jsonscan.FlawDepth
}

// lengthOf returns the number of items of an array, or of members of an object.
func lengthOf(list []byte) (n int) {
	s := jsonscan.New(list, 0)
	if t, _ := s.Next(); t.Kind != jsonscan.Array && t.Kind != jsonscan.Object {
		return 0
	}
	for t, ok := s.Next(); ok && t.Kind != jsonscan.Close; t, ok = s.Next() {
		s.Skip(t)
		if t.Kind != jsonscan.Key {
			n++
		}
	}
	return n
}
