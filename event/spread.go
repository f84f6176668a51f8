package event

import (
	"bytes"
)

// isAnswer reports whether a member of a response may hold the answer.
func isAnswer(f field) bool {
	switch f {
	case fieldChoices, fieldCandidates, fieldContent, fieldMessage, fieldText, fieldGeneration, fieldGenerations, fieldGeneratedText, fieldResults,
		fieldOutputText, fieldParts, fieldReplies, fieldObject, fieldPromptFeedback, fieldDone:
		return true
	}
	return false
}

// spread reads a response, or a request, whose members are members of the event.
func (c *enrichment) spread() {
	answers, asks := false, false
	c.members(memberSpread, func(m *providerMember) {
		answers = answers || isAnswer(m.field)
		asks = asks || m.field == fieldContents || m.field == fieldPrompt || m.field == fieldSystem || m.field == fieldInstructions
	})
	if asks {
		c.requestMembers()
	}
	if !answers && (c.e.Output.IsZero() || !c.finish.known) {
		return
	}
	body, s, own := c.recognized()
	if s == nil {
		return
	}
	if !own && (c.e.Output.IsZero() || c.isResponse() && c.e.Output.Answer().JSON) {
		c.e.Output = newContent(body)
	}
	if f, ok := fieldsOf(body); ok && f.text(fieldObject) == "response" {
		switch c.e.Status {
		case "completed", "incomplete":
			c.e.Status = statusSuccess
		case "failed", "cancelled":
			c.e.Status = statusError
		}
	}
	answer := s.answer()
	c.finishReason(answer.FinishReason, "response")
	beside := !own && !bytes.Equal(c.e.Output.raw, body) && c.e.Output.Answer().Text != answer.Text
	c.members(memberSetting, func(m *providerMember) { m.kind = memberNone })
	c.members(memberSpread, func(m *providerMember) {
		if m.field == fieldModelVersion && c.e.Model == "" {
			if s := stringOf(m.value); isModelName(s) {
				c.model.add(s, shortName(string(m.name)))
			}
		}
		if ms, ok := fieldNamed(m.value, "latencyms"); ok { // Bedrock's metrics
			if n, ok := milliseconds(ms, unitMS); ok {
				c.latency.add(n, shortName(string(m.name))+".latencyMs")
			}
		}
		if beside && isAnswer(m.field) {
			c.d.warn(Warning{Field: shortName(string(m.name)), Problem: "not read, because the event has another output"})
		}
		if m.field != fieldPrompt {
			m.kind = memberNone
		}
	})
}

// recognized returns the spread members as a response and what it says, and whether the
// event's own output is part of it, as of a response of OpenAI; nil when they are none.
func (c *enrichment) recognized() (body []byte, s *said, own bool) {
	if raw := c.e.Output.raw; jsonKind(raw) == "object" || jsonKind(raw) == "array" {
		s = &said{}
		if body = c.assembled(raw); s.readOutput(body, true) && s.unread == "" {
			return body, s, true
		}
	}
	s = &said{}
	if body = c.assembled(nil); s.readOutput(body, true) {
		return body, s, false
	}
	return nil, nil, false
}

// isResponse reports whether the output is that of the member response.
func (c *enrichment) isResponse() bool {
	at := c.d.provided.response
	return at > 0 && len(c.e.Output.raw) > 0 && &c.e.Output.raw[0] == &c.d.data[at-1]
}

// assembled returns the spread members as the response that they were, with the event's
// own output in its place if it has one.
func (c *enrichment) assembled(output []byte) []byte {
	out := []byte{'{'}
	add := func(name string, value []byte) {
		if value == nil {
			return
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(append(append(out, '"'), name...), `":`...), value...)
	}
	if output != nil {
		add("output", output)
	}
	for i := range c.d.provided.members {
		switch m := &c.d.provided.members[i]; m.kind {
		case memberSpread, memberUsage, memberFinish, memberCount:
			add(string(m.name), m.value)
		}
	}
	if c.e.Model != "" {
		add("model", Text(c.e.Model).raw)
	}
	if c.e.FinishReason != "" {
		add("finish_reason", Text(c.e.FinishReason).raw)
	}
	if c.e.Status != "" && output != nil {
		add("status", Text(c.e.Status).raw)
	}
	return append(out, '}')
}

// requestMembers reads what was asked in the members of a request: Gemini's contents, a prompt, and
// the system prompt beside messages.
func (c *enrichment) requestMembers() {
	var prompt, contents, system *providerMember
	c.members(memberSpread, func(m *providerMember) {
		switch m.field {
		case fieldPrompt:
			prompt = m
		case fieldContents:
			contents = m
		case fieldSystem, fieldInstructions:
			system = m
		}
	})
	e := c.e
	switch {
	case contents != nil && e.Input.IsZero():
		body := append(append([]byte(`{"contents":`), contents.value...), '}')
		if system != nil && system.value != nil {
			body = append(append(append(body[:len(body)-1], `,"system":`...), system.value...), '}')
		}
		if in := newContent(body); contents.value != nil {
			if _, ok := in.Turns(); ok {
				e.Input, contents.kind = in, memberNone
				if system != nil {
					system.kind = memberNone
				}
			}
		}
	case prompt != nil && e.Input.IsZero():
		in := newContentIf(prompt.value)
		_, chat := in.Turns()
		if text := stringOf(prompt.value); chat || text != "" && (e.PromptName != "" || isPassage(text)) {
			e.Input, prompt.kind = in, memberNone
		}
	}
	if system == nil || system.kind == memberNone || jsonKind(e.Input.raw) != "array" || !isPassage(promptText(system.value)) {
		return
	}
	if turns, ok := e.Input.Turns(); ok && len(turns) > 0 && turns[0].Role != RoleSystem {
		body := append(append([]byte(`{"system":`), system.value...), `,"messages":`...)
		e.Input, system.kind = newContent(append(append(body, e.Input.raw...), '}')), memberNone
	}
}

// adviceOn returns what to write in place of a member that is not read.
func (c *enrichment) adviceOn(m *providerMember) string {
	switch {
	case m.field == fieldPrompt:
		return "write input, or prompt_name"
	case isAnswer(m.field) && c.e.Output.IsZero() && (jsonKind(m.value) == "array" || jsonKind(m.value) == "object"):
		return "write the whole response as output"
	case (m.field == fieldContent || m.field == fieldText) && c.e.Output.IsZero():
		return "write output, if it is the answer"
	case m.field == fieldContents || m.field == fieldSystem || m.field == fieldInstructions:
		return "write the whole request as input"
	}
	return ""
}
