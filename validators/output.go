package validators

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/evalworker/evalworker/eval"
)

// said is what the model said, in the form that validators read.
type said struct {
	text string
	json bool // the output is a bare JSON value, and text is that value
}

// outputOf gives what the model said. missing names the field that is absent; it
// is empty when there is an output, even an empty one. An assistant message
// whose content is null, as one that only calls tools has, says nothing.
func outputOf(e *eval.Event) (out said, missing string) {
	raw := e.Output.Raw()
	if e.Output.IsZero() {
		return said{}, "output"
	}
	switch raw[0] {
	case '"':
		return said{text: e.Output.Text()}, ""
	case '{':
		return objectOutput(e, raw)
	case '[':
		if turns, ok := e.Output.Turns(); ok {
			return said{text: turns[len(turns)-1].Content}, ""
		}
	}
	return said{text: string(raw), json: true}, ""
}

// objectOutput tells an assistant message from a JSON value that happens to be an
// object.
func objectOutput(e *eval.Event, raw json.RawMessage) (out said, missing string) {
	var m struct {
		Role      string          `json:"role"`
		Content   json.RawMessage `json:"content"`
		ToolCalls json.RawMessage `json:"tool_calls"`
	}
	if json.Unmarshal(raw, &m) != nil || m.Role != "assistant" {
		return said{text: string(raw), json: true}, ""
	}
	switch {
	case len(m.Content) == 0 && len(m.ToolCalls) == 0:
		return said{text: string(raw), json: true}, ""
	case len(m.Content) == 0 || string(m.Content) == "null":
		return said{}, "output.content"
	case m.Content[0] == '{':
		return said{text: string(m.Content), json: true}, ""
	}
	return said{text: e.Output.Text()}, ""
}

// lastInput gives the last thing that the user said: the text of the last turn of
// a user, or the input as it is.
func lastInput(e *eval.Event) string {
	turns, ok := e.Input.Turns()
	if !ok {
		return e.Input.Text()
	}
	for i := len(turns) - 1; i >= 0; i-- {
		if strings.EqualFold(turns[i].Role, "user") {
			return turns[i].Content
		}
	}
	return ""
}

// textual makes an answer of a function that reads the text of the output alone.
func textual(f func(text string) eval.Verdict) answer {
	return onOutput(func(out said) eval.Verdict { return f(out.text) })
}

// onOutput makes an answer of a function that reads the output alone.
func onOutput(f func(out said) eval.Verdict) answer {
	return func(_ context.Context, e *eval.Event) (eval.Verdict, error) {
		out, missing := outputOf(e)
		if missing != "" {
			return eval.NotApplicable(missing), nil
		}
		return f(out), nil
	}
}
