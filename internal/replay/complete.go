package replay

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"strconv"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// Complete returns a line as an event: an object without the members event and
// request_id gets them, so that a file of answers with labels, which nobody
// published, can be evaluated. The request id is the member "id" when that is a string
// or a number, else the number of the line. Any other line is returned as it is.
func Complete(number int, line []byte) []byte {
	identified := Member(line, "request_id") != nil || Member(line, "requestId") != nil
	if Member(line, "event") != nil && identified {
		return line
	}
	trimmed := bytes.TrimSpace(line)
	inner, ok := bytes.CutPrefix(trimmed, []byte("{"))
	if !ok {
		return line
	}
	var out []byte
	out = append(out, '{')
	if Member(line, "event") == nil {
		out = append(out, `"event":"llm_request_completed",`...)
	}
	if !identified {
		out = fmt.Appendf(out, `"request_id":%s,`, requestID(number, Member(line, "id")))
	}
	if bytes.HasPrefix(bytes.TrimSpace(inner), []byte("}")) {
		out = out[:len(out)-1] // no member follows
	}
	return append(out, inner...)
}

// requestID returns a request id as JSON.
func requestID(number int, id []byte) []byte {
	switch {
	case len(id) > 2 && id[0] == '"':
		return id
	case len(id) > 0 && (id[0] == '-' || id[0] >= '0' && id[0] <= '9'):
		return strconv.AppendQuote(nil, string(id))
	}
	return strconv.AppendQuote(nil, "line-"+strconv.Itoa(number))
}

// Member returns the value of a member of a JSON object; nil without one. Only the
// part up to there has to be JSON. Of members with one name it returns the first.
func Member(object []byte, name string) []byte {
	for key, value := range members(object) {
		if key == name {
			return value
		}
	}
	return nil
}

// members returns the names and values of the members of a JSON object, up to the first
// byte that is no JSON.
func members(object []byte) iter.Seq2[string, []byte] {
	return func(yield func(string, []byte) bool) {
		s := jsonscan.New(object, 0)
		if first, ok := s.Next(); !ok || first.Kind != jsonscan.Object {
			return
		}
		for key, ok := s.Next(); ok && key.Kind == jsonscan.Key; key, ok = s.Next() {
			value, ok := s.Next()
			if !ok {
				return
			}
			s.Skip(value)
			name, err := jsonscan.Unquote(object[key.Start:key.End])
			if err == nil && !yield(name, object[value.Start:s.Pos()]) {
				return
			}
		}
	}
}

// appendMember appends a comma and a member of an object.
func appendMember(out []byte, name string, value []byte) []byte {
	out = append(out, ',')
	quoted, _ := json.Marshal(name) // a string never fails
	out = append(append(out, quoted...), ':')
	return append(out, value...)
}
