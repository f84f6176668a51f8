package event

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// MaxItems bounds the lists of an event that are decoded item by item: a call of
// a tool written {} takes 3 bytes of a message and a hundred of memory. What is
// kept as it was published, such as an output that is a list, has no such bound;
// a longer list of messages is a value and no chat.
const MaxItems = 10_000

// errTooLong is the fault of an event with a list beyond MaxItems.
func errTooLong(path string) error {
	return fmt.Errorf("%s: more than %d items", path, MaxItems)
}

// tooLong finds a list of data, JSON or not, that is longer than MaxItems. Almost
// every event has fewer commas than that in all, which counting them tells at
// the speed of memory; of the others, encoding/json finds the lists by its own
// rules, so that no spelling of a name is missed.
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
	_ = json.Unmarshal(data, &lists) // what is wrong with data is found again, and told, when it is decoded
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
// one, where a name stands twice.
type length int

// UnmarshalJSON counts.
func (l *length) UnmarshalJSON(b []byte) error {
	*l = max(*l, lengthOf(b))
	return nil
}

// lengthOf counts the commas between the items of a JSON array or object. An
// empty one has a length of one, which no bound minds.
func lengthOf(b []byte) length {
	n, depth := length(1), 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case '"':
			i = closingQuote(b, i+1)
		case ',':
			if depth == 1 {
				n++
			}
		}
	}
	return n
}
