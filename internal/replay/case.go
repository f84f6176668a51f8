package replay

import (
	"bytes"
	"encoding/json"
)

// IsCase reports whether a line is one of an export of cases: it has the members case_id
// and verdict, and no member event.
func IsCase(line []byte) bool {
	return bytes.Contains(line, []byte(`"case_id"`)) && Member(line, "case_id") != nil && Member(line, "verdict") != nil && Member(line, "event") == nil
}

// FromCase returns a line of an export of cases as the event that it was, as far as it
// was kept. The members that describe the case are left out; all others keep their names.
// Any other line is returned as it is.
func FromCase(line []byte) []byte {
	if !IsCase(line) || !json.Valid(line) {
		return line
	}
	kind := "llm_request_completed"
	if string(Member(line, "type")) == `"user_feedback"` {
		kind = "llm_user_feedback"
	}
	out := []byte(`{"event":"` + kind + `"`)
	var retrieval []byte
	hex := Member(line, "span_id_decimal") != nil // earlier exports have a decimal span_id alone
	for name, value := range members(line) {
		switch name {
		case "case_id", "cause", "evaluator", "type", "reason", "status", "count", "verdict", "content_withheld", "trace_id_decimal", "span_id_decimal":
		case "query", "chunks":
			retrieval = appendMember(retrieval, name, value)
		case "span_id":
			if hex && value[0] == '"' {
				value = append([]byte(`"0x`), value[1:]...) // else 16 digits without a letter would be read as decimal
			}
			out = appendMember(out, name, value)
		default:
			out = appendMember(out, name, value)
		}
	}
	if retrieval != nil {
		out = append(out, `,"retrieval":{`...)
		out = append(out, retrieval[1:]...)
		out = append(out, '}')
	}
	return append(out, '}')
}
