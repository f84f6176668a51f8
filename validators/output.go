package validators

import (
	"context"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// said is what the model said, in the form that validators read.
type said struct {
	text    string
	json    bool // the output is a JSON value, and text is that value
	refusal bool // the provider marked it as one
}

// outputOf gives what the model said. missing names the field that is absent; it
// is empty when there is an output, even an empty one. A step that only calls
// tools says nothing.
func outputOf(e *event.Event) (out said, missing string) {
	if e.Output.IsZero() {
		return said{}, "output"
	}
	s := e.Said()
	if !s.OnlyCallsTools() {
		return said{s.Text, s.JSON, s.Refusal}, ""
	}
	if e.Output.Raw()[0] == '"' {
		return said{}, "output"
	}
	return said{}, "output.content"
}

// lastInput gives the last thing that the user said: the text of the last turn of
// a user, or the input as it is.
func lastInput(e *event.Event) string {
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
	return func(_ context.Context, e *event.Event) (eval.Verdict, error) {
		out, missing := outputOf(e)
		if missing != "" {
			return eval.NotApplicable(missing), nil
		}
		return f(out), nil
	}
}
