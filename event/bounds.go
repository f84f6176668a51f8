package event

import "github.com/evalworker/evalworker/internal/base/jsonscan"

// MaxDepth bounds how deep the arrays and objects of an event may be nested,
// because later readers recurse once a level. No model or application nests a
// fraction of this.
const MaxDepth = 512

// MaxItems bounds the lists of an event that are decoded item by item: a tool
// call written {} takes 3 bytes of a message and a hundred of memory. Content that
// is kept as it was published, such as an output that is a list, has no such bound;
// a list of more messages than this is read as a plain JSON value, not as a chat.
const MaxItems = 10_000

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
