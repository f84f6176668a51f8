package event

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/evalworker/evalworker/internal/jsonscan"
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

// checkBounds returns an error for data, JSON or not, that exceeds a bound.
func checkBounds(data []byte) error {
	if at, deep := tooDeep(data); deep {
		return fmt.Errorf("nested more than %d deep at byte %d", MaxDepth, at)
	}
	if path, long := tooLong(data); long {
		return fmt.Errorf("%s: more than %d items", path, MaxItems)
	}
	return nil
}

// tooDeep returns the byte at which data goes beyond MaxDepth. Almost every event
// has fewer opening brackets than that, and counting them runs at the speed of
// memory. Invalid JSON is read up to its flaw, which decoding reports.
func tooDeep(data []byte) (at int, deep bool) {
	if bytes.Count(data, []byte{'{'})+bytes.Count(data, []byte{'['}) <= MaxDepth {
		return 0, false
	}
	s := jsonscan.New(data, 0)
	for _, ok := s.Next(); ok; _, ok = s.Next() {
		if s.Depth() > MaxDepth {
			return s.Pos(), true
		}
	}
	return 0, false
}

// tooLong returns the path of a list that is longer than MaxItems. Almost every
// event has fewer commas than that; in the others, encoding/json finds the lists by
// its own rules, so that no spelling of a name is missed.
func tooLong(data []byte) (path string, long bool) {
	if bytes.Count(data, []byte{','}) < MaxItems {
		return "", false
	}
	var lists struct {
		ToolCalls    length `json:"tool_calls"`
		TraceContext length `json:"trace_context"`
		Retrieval    struct {
			Chunks length `json:"chunks"`
		} `json:"retrieval"`
	}
	_ = json.Unmarshal(data, &lists) // decoding finds and reports what is wrong with data
	switch {
	case lists.ToolCalls > MaxItems:
		return "tool_calls", true
	case lists.Retrieval.Chunks > MaxItems:
		return "retrieval.chunks", true
	case lists.TraceContext > MaxItems:
		return "trace_context", true
	}
	return "", false
}

// length is the number of items of an array or members of an object; the largest
// one when a name occurs twice.
type length int

// UnmarshalJSON counts the items or members.
func (l *length) UnmarshalJSON(b []byte) error {
	*l = max(*l, lengthOf(b))
	return nil
}

func lengthOf(list []byte) (n length) {
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
