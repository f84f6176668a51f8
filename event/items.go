package event

import "strings"

// unmistakable reports whether an item of a list can only be a provider's: its type
// is one of theirs, and so are the members that come with it.
func (f *fields) unmistakable() bool {
	switch f.kindOf() {
	case partCall:
		if f.any(fieldCallID, fieldToolCallID, fieldToolInvocation, fieldFunctionCall, fieldToolUse) {
			return true
		}
		switch strings.ReplaceAll(f.text(fieldType), "-", "_") {
		case "tool_use", "server_tool_use", "mcp_tool_use", "tool_call", "function_call", "custom_tool_call", "mcp_call":
			return f.any(fieldName, fieldToolName)
		}
		return false
	case partMessage:
		return normalRole(f.text(fieldRole)) == RoleAssistant && f.present(fieldContent)
	case partReasoning:
		return f.is(fieldSummary, "array") || f.is(fieldThinking, "string") || f.is(fieldReasoningContent, "object") ||
			strings.HasPrefix(f.text(fieldType), "redacted_") || f.only(fieldType, fieldThinking)
	case partHosted:
		return f.present(fieldID) && f.present(fieldStatus)
	case partText:
		return f.text(fieldType) == "output_text" && f.is(fieldText, "string")
	}
	return false
}

// isPlainPart reports whether a part of words has only members that providers give
// it.
func (f *fields) isPlainPart() bool {
	return f.only(fieldType, fieldText, fieldRefusal, fieldThought, fieldMetadata, fieldID, fieldIndex, fieldStatus, fieldLogprobs)
}

// readItems reads a list of parts, or of the items of a response.
func (s *said) readItems(raw []byte) bool { return s.readItemsOf(raw, false) }

// readItemsOf reads a list of items. Without a mark around the list, and without an
// item that is unmistakable, it may be an application's own list, whose items have
// such types as text and image too: then it has to be words in a provider's form and
// nothing else.
func (s *said) readItemsOf(raw []byte, marked bool) bool {
	*s = said{role: RoleAssistant}
	l, ok := listOf(raw)
	if !ok {
		return false
	}
	sure, words, own := marked, false, false
	for item, ok := l.next(); ok; item, ok = l.next() {
		f, isObject := fieldsOf(item)
		if !isObject || !f.is(fieldType, "string") && !f.unmistakable() {
			return false
		}
		kind := f.kindOf()
		if kind == partMessage && normalRole(f.text(fieldRole)) != RoleAssistant || f.is(fieldRole, "string") && kind != partMessage {
			return false // a chat
		}
		sure = sure || f.unmistakable()
		switch kind {
		case partText, partRefusal:
			words = true
			own = own || !f.isPlainPart() || !f.is(fieldText, "string") && !f.is(fieldRefusal, "string")
		case partUnknown, partImage, partAudio, partVideo, partFile:
			own = true
		default:
		}
		s.part(item, &f)
	}
	return s.known > 0 && (sure || words && !own)
}

// readLastMessage reads the model's last message of a chat.
func (s *said) readLastMessage(raw []byte) bool {
	l, ok := listOf(raw)
	if !ok {
		return false
	}
	var last []byte
	var all said
	known, n := true, 0
	for item, ok := l.next(); ok; item, ok = l.next() {
		f, isObject := fieldsOf(item)
		all = said{}
		if !isObject || !all.readMessage(&f) {
			if !isObject || !f.isItem() {
				return false
			}
			all.role = RoleTool
		}
		n++
		switch all.role {
		case RoleAssistant:
			last = item
		case RoleUser, RoleSystem, RoleTool:
		default:
			known = false
		}
	}
	*s = said{role: RoleAssistant}
	switch {
	case last != nil:
		f, _ := fieldsOf(last)
		return s.readMessage(&f)
	case n > 0 && known:
		s.unread = "output is a chat without a message of the model"
		return true
	}
	return false
}

// isItem reports whether an object is an item of a response that is not a message, as
// stands between the messages of a chat.
func (f *fields) isItem() bool {
	if !f.is(fieldType, "string") {
		return false
	}
	switch f.kindOf() {
	case partCall, partResult:
		return f.presentAny(fieldCallID, fieldID)
	case partReasoning:
		return f.presentAny(fieldSummary, fieldContent, fieldID)
	case partSilent, partHosted:
		return f.present(fieldID)
	}
	return false
}

// readResponses reads a list of whole responses or choices: of the choices of one
// response the first, of the chunks of a stream all, and a response that stands
// alone in a list.
func (s *said) readResponses(raw []byte) bool {
	first, ok := fieldsOf(firstOf(raw))
	if !ok {
		return false
	}
	*s = said{role: RoleAssistant}
	typ := first.text(fieldType)
	switch {
	case first.present(fieldCandidates) || first.present(fieldPromptFeedback):
		return s.readStream(raw)
	case string(first.get(fieldDone)) == "false" && first.present(fieldModel) && first.presentAny(fieldMessage, fieldResponse): // Ollama
		s.unread = "output is a list of the events of a stream"
		return true
	case first.text(fieldObject) == "chat.completion.chunk":
		return s.readChunks(raw)
	case strings.HasPrefix(typ, "response.") || typ == "message_start":
		s.unread = "output is a list of the events of a stream"
		return true
	case first.presentAny(fieldIndex, fieldFinishReason, fieldLogprobs) && s.readChoice(&first, first.present(fieldIndex) && first.present(fieldFinishReason)):
		return true
	}
	return lengthOf(raw) == 1 && s.readShape(&first, true)
}

// readChunks reads the chunks of a chat completion as one. The calls of tools are in
// pieces that are not calls by themselves.
func (s *said) readChunks(raw []byte) bool {
	l, _ := listOf(raw)
	for item, ok := l.next(); ok; item, ok = l.next() {
		chunk, _ := fieldsOf(item)
		choice, isChoice := fieldsOf(firstOf(chunk.get(fieldChoices)))
		if !isChoice { // usage alone
			continue
		}
		s.stopped(&choice)
		delta, _ := fieldsOf(choice.get(fieldDelta))
		if hasAny(&delta, fieldToolCalls, fieldFunctionCall) {
			s.unread = "output is a list of chunks of a stream that call tools"
		}
		s.text.add("", delta.text(fieldContent))
		s.reasoning.add("", reasoningText(delta.get(fieldReasoningContent)))
		s.refusal.add("", delta.text(fieldRefusal))
	}
	text := s.text.String()
	s.text = joined{}
	s.words(text)
	return true
}

// readStream reads the pieces of a Gemini response as one.
func (s *said) readStream(raw []byte) bool {
	l, _ := listOf(raw)
	for item, ok := l.next(); ok; item, ok = l.next() {
		f, isObject := fieldsOf(item)
		if !isObject || !s.readCandidates(&f) {
			return false
		}
	}
	return true
}
