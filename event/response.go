package event

import (
	"encoding/json"
	"fmt"
)

// Response returns an event with what a provider's response says: the whole of it as
// output, the model, the finish reason, and the tokens. response is what a provider's
// library returned, or its JSON as a json.RawMessage or a []byte. The caller adds the
// request's id and all else that it knows. The error is that of writing response as JSON.
func Response(response any) (Event, error) {
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
	if !ok {
		return
	}
	if e.Model == "" {
		e.Model = f.model
	}
	if answer := e.Output.Answer(); e.FinishReason == "" && !answer.JSON {
		e.FinishReason = answer.FinishReason
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
