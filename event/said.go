package event

import "strings"

// Said is what the model said in the output of an event.
type Said struct {
	// Text is the answer: a string, the text of an assistant message, of the first
	// choice of a response, of the last message of several or of the parts of one,
	// and any other JSON value as it was published. JSON has its escapes written
	// out, in a string too: \u00e9 is é.
	Text string
	// JSON reports that Text is a JSON value that was not published as a string.
	JSON bool
	// Refusal reports that the provider marked Text as a refusal.
	Refusal bool
	// CallsTools reports that the model called tools: the message says so, or the
	// event lists its calls.
	CallsTools bool
}

// OnlyCallsTools reports whether this is a step on the way to an answer: the model
// called tools and said nothing yet. It is no answer, so it is no empty one.
func (s Said) OnlyCallsTools() bool { return s.CallsTools && isBlank(s.Text) }

// Said reads the output as the model's turn. A JSON object is an assistant
// message when its role says so, else a value.
func (e *Event) Said() Said {
	s := e.Output.answer()
	s.CallsTools = s.CallsTools || len(e.ToolCalls) > 0
	return s
}

func (c Content) answer() Said {
	switch jsonKind(c.raw) {
	case "nothing":
		return Said{}
	case "string":
		return Said{Text: stringText(c.raw)}
	case "object":
		if m, ok := c.message(); ok && strings.EqualFold(m.role, roleAssistant) {
			return m.Said
		}
	case "array":
		if ms, ok := c.chat(); ok {
			return ms[len(ms)-1].Said
		}
		if m, ok := c.parts(); ok {
			return m.Said
		}
	}
	return Said{Text: string(expandEscapes(c.raw)), JSON: true}
}
