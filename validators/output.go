package validators

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
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
	c := e.Output
	if c.IsZero() {
		return said{}, "output"
	}
	if isSpace(c.Raw()[0]) { // content may be made of any JSON text
		c = eval.JSON(bytes.TrimSpace(c.Raw()))
	}
	raw := c.Raw()
	switch raw[0] {
	case '"':
		return said{text: c.Text()}, ""
	case '{':
		return objectOutput(c)
	case '[':
		if turns, ok := c.Turns(); ok {
			return said{text: turns[len(turns)-1].Content}, ""
		}
	}
	return said{text: string(raw), json: true}, ""
}

// objectOutput tells an assistant message from a JSON value that happens to be an
// object.
func objectOutput(c eval.Content) (out said, missing string) {
	raw := c.Raw()
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
	return said{text: c.Text()}, ""
}

// lastInput gives the last thing that the user said: the text of the last turn of
// a user, or the input as it is.
func lastInput(e *eval.Event) string {
	turns, ok := e.Input.Turns()
	if !ok {
		return e.Input.Text()
	}
	for _, turn := range slices.Backward(turns) {
		if strings.EqualFold(turn.Role, "user") {
			return turn.Content
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
