package event

import (
	"encoding/json"
	"fmt"
	"strings"
)

// FromResponse returns an event with what a provider's response says: the whole of it as
// output, the model, the finish reason, and the tokens. response is what a provider's
// library returned, or its JSON as a json.RawMessage or a []byte. The caller adds the
// request's id and all else that it knows. The error is that of writing response as JSON.
func FromResponse(response any) (Event, error) {
	b, isJSON := response.([]byte)
	if !isJSON {
		var err error
		if b, err = json.Marshal(response); err != nil {
			return Event{}, fmt.Errorf("write a response as JSON: %w", err)
		}
	}
	e := Event{Kind: KindRequestCompleted, Output: JSON(b)}
	e.fill()
	return e, nil
}

// describe fills in what the output says of the model and of how it ended, where the event
// does not: an application may publish the whole response and nothing else.
func (e *Event) describe() *Event {
	if e.Model != "" && e.FinishReason != "" || !mayHaveFacts(e.Output.raw) {
		return e
	}
	out := *e
	out.fill()
	return &out
}

// fill brings what the output says into the fields that the event does not have.
func (e *Event) fill() {
	if !mayHaveFacts(e.Output.raw) {
		return
	}
	f, ok := factsOf(e.Output.raw, func(string, []byte) {})
	finish, isResponse := e.Output.response()
	if !ok || !isResponse {
		return
	}
	if e.Model == "" {
		e.Model = f.model
	}
	if e.FinishReason == "" {
		e.FinishReason = finish
	}
	for _, field := range [...]struct {
		own **int64
		n   count
	}{{&e.InputTokens, f.input}, {&e.OutputTokens, f.output}, {&e.TotalTokens, f.total}} {
		if n := field.n.n; *field.own == nil && field.n.known {
			*field.own = &n
		}
	}
	if e.LatencyMS == nil {
		e.LatencyMS = f.latencyMS
	}
}

// response returns why the model stopped, and whether the content is a response in a known
// shape. What else an output says is the model's own and no fact, because it may write what
// it is told to.
func (c Content) response() (finish string, ok bool) {
	if jsonKind(c.raw) == "string" {
		var s said
		ok = s.readOutput([]byte(strings.TrimSpace(stringOf(c.raw))), true)
		finish = s.finish
	} else {
		answer := c.Answer()
		finish, ok = answer.FinishReason, !answer.JSON || answer.FinishReason != ""
	}
	if normal := NormalFinish(finish); normal == "" || normal == FinishOther {
		finish = "" // a reason becomes a tag, so only known ones are taken out of content
	}
	return finish, ok
}

// isModelName reports whether a text can be the name of a model: a tag, which a sentence
// out of content must not become.
func isModelName(s string) bool {
	const longest = 200
	return s != "" && len(s) <= longest && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '"' || r == '<' || r == '>'
	})
}
