package event

import "encoding/json"

// Calls returns the calls of tools that the model made: the event's list, or else
// those in its output.
func (e *Event) Calls() []ToolCall {
	if len(e.ToolCalls) > 0 {
		return e.ToolCalls
	}
	return e.Answer().Calls
}

// readCall reads one call of a tool in any form in which providers write it. It
// reports false for a value that is not a call in a known form.
func readCall(raw json.RawMessage) (ToolCall, bool) {
	var c ToolCall
	err := json.Unmarshal(raw, &c)
	return c, err == nil && c.Name != ""
}
