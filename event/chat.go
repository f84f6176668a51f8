package event

import (
	"bytes"
	"strings"
)

// readChat returns the turns of a chat: a list of messages, a request's body that
// holds one, or a string that holds either.
func readChat(raw []byte) ([]Turn, bool) {
	switch jsonKind(raw) {
	case "string":
		// Most texts show by their beginning, which may have escaped white space,
		// that they are not JSON; those are not decoded for this question.
		if begin := bytes.TrimLeft(raw[1:], ` \nrt`); begin[0] != '{' && begin[0] != '[' {
			return nil, false
		}
		text := strings.TrimSpace(stringOf(raw))
		if !isDocument(text) {
			return nil, false
		}
		doc := []byte(text)
		if text[0] == '{' {
			return readBody(doc)
		}
		return readTurns(doc, nil)
	case "object":
		return readBody(raw)
	case "array":
		return readTurns(raw, nil)
	}
	return nil, false
}

// readTurns appends the messages of a list that holds nothing else. A list around
// one list of messages is that list: LangChain hands chats over in batches.
func readTurns(raw []byte, turns []Turn) ([]Turn, bool) {
	if first := firstOf(raw); jsonKind(first) == "array" && lengthOf(raw) == 1 {
		raw = first
	}
	l, ok := listOf(raw)
	if !ok {
		return nil, false
	}
	messages := 0
	for item, ok := l.next(); ok; item, ok = l.next() {
		turn, isTurn := readTurn(item)
		if isTurn {
			messages++
			turns = append(turns, turn)
			continue
		}
		f, isObject := fieldsOf(item)
		if !isObject || !f.isItem() {
			return nil, false
		}
		if f.kindOf() == partResult {
			turns = append(turns, Turn{RoleTool, hideData(f.resultText())})
		}
	}
	return turns, messages > 0
}

// readTurn reads a chat message of any role. A message of another role than the
// model's needs a member that says something; without one the object is a value that
// has members of these names by chance.
func readTurn(raw []byte) (Turn, bool) {
	f, ok := fieldsOf(raw)
	var s said
	if !ok || !s.readMessage(&f) {
		return Turn{}, false
	}
	return s.turn(), true
}

// readBody reads the chat in a request's body: messages with a system prompt beside
// them, Gemini's contents, the input of an OpenAI response, or one prompt.
func readBody(raw []byte) ([]Turn, bool) {
	f, ok := fieldsOf(raw)
	if !ok {
		return nil, false
	}
	var turns []Turn
	for _, n := range [...]field{fieldSystem, fieldInstructions} {
		if text := promptText(f.get(n)); text != "" {
			turns = append(turns, Turn{RoleSystem, text})
			break
		}
	}
	switch {
	case f.is(fieldMessages, "array"):
		return readTurns(f.get(fieldMessages), turns)
	case f.present(fieldContents):
		return readContents(f.get(fieldContents), turns)
	case f.is(fieldInput, "array"):
		return readTurns(f.get(fieldInput), turns)
	case f.is(fieldPrompt, "array"):
		return readTurns(f.get(fieldPrompt), turns)
	case !f.present(fieldModel):
		return nil, false
	case f.is(fieldInput, "string"):
		return append(turns, Turn{RoleUser, hideData(f.text(fieldInput))}), true
	case f.is(fieldPrompt, "string"):
		return append(turns, Turn{RoleUser, hideData(f.text(fieldPrompt))}), true
	}
	return nil, false
}

// promptText returns the text of a system prompt: a string, a content with parts,
// or a list of parts.
func promptText(value []byte) string {
	if value == nil {
		return ""
	}
	s := said{role: RoleSystem}
	s.content(value)
	return s.turn().Content
}

// readContents reads the contents of a Gemini request: a string, one content or
// a list of those. A content without a role is the user's.
func readContents(value []byte, turns []Turn) ([]Turn, bool) {
	one := func(raw []byte) bool {
		s := said{role: RoleUser}
		switch jsonKind(raw) {
		case "string":
			s.content(raw)
		case "object":
			f, _ := fieldsOf(raw)
			if !f.is(fieldParts, "array") && !f.present(fieldText) {
				return false
			}
			if role := f.text(fieldRole); role != "" {
				s.role = normalRole(role)
			}
			s.content(raw)
		default:
			return false
		}
		turns = append(turns, s.turn())
		return true
	}
	l, ok := listOf(value)
	if !ok {
		return turns, jsonKind(value) != "array" && one(value)
	}
	n := 0
	for item, ok := l.next(); ok; item, ok = l.next() {
		if !one(item) {
			return nil, false
		}
		n++
	}
	return turns, n > 0
}
