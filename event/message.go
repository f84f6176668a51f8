package event

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// The roles of speakers that a [Turn] has, whatever the provider calls them.
const (
	RoleUser      = "user"
	RoleAssistant = "assistant"
	RoleSystem    = "system"
	RoleTool      = "tool"
)

// normalRole returns the usual name of a role, whatever a provider calls it; a role
// that is not known stays as it is.
func normalRole(role string) string {
	switch strings.ToLower(role) {
	case "assistant", "model", "ai", "bot", "chatbot", "aimessage", "aimessagechunk":
		return RoleAssistant
	case "user", "human", "humanmessage", "humanmessagechunk":
		return RoleUser
	case "system", "developer", "systemmessage", "systemmessagechunk":
		return RoleSystem
	case "tool", "function", "toolmessage", "functionmessage", "toolmessagechunk":
		return RoleTool
	}
	return role
}

// isKnownRole reports whether a role has a usual name.
func isKnownRole(role string) bool {
	switch normalRole(role) {
	case RoleUser, RoleAssistant, RoleSystem, RoleTool:
		return true
	}
	return false
}

// said is what a message, or a whole response, says.
type said struct {
	role      string
	text      joined
	remarks   joined // on the way to the answer
	refusal   joined
	reasoning joined
	value     json.RawMessage // the content, when it is a JSON value and not words
	calls     []json.RawMessage
	ran       []json.RawMessage // calls of tools that are items of their own type, such as web_search_call
	failed    []string          // ids of calls whose results in the same message say that they failed
	echoed    json.RawMessage   // the tools that a response says the model was offered
	finish    string            // why the model stopped, in the provider's words
	unread    string            // why it can not be read, although it is a provider's

	known, unknown, results int  // parts of known types, of others, and results of tools
	apart                   bool // what follows does not continue the text before it
	hosted                  bool // the provider ran a tool of its own, or asks for leave to
	awaits                  bool // a call waits for the application
	shown                   bool // there are parts of the application's own, which only its display reads
	remark                  bool // within a remark
	nested                  bool // within a part that has parts
}

// joined is a text that is put together from pieces. One piece takes no copy.
type joined struct {
	first string
	more  []byte
}

func (j *joined) add(separator, s string) {
	switch {
	case s == "":
	case j.first == "":
		j.first = s
	default:
		if j.more == nil {
			j.more = append(j.more, j.first...)
		}
		j.more = append(append(j.more, separator...), s...)
	}
}

func (j *joined) String() string {
	if j.more != nil {
		return string(j.more)
	}
	return j.first
}

// isAssistant reports whether the model speaks.
func (s *said) isAssistant() bool { return s.role == RoleAssistant }

// words adds text. Parts of an answer that follow each other are one text, which
// some providers cut in the middle of a sentence or of a JSON document; what users
// compose is a list of things.
func (s *said) words(text string) {
	if s.isAssistant() && s.text.first == "" {
		reasoning, answer, calls := cutReasoning(text)
		s.reasoning.add("\n", reasoning)
		s.calls = append(s.calls, calls...)
		text = answer
	}
	separator, to := "\n", &s.text
	if s.isAssistant() && !s.apart {
		separator = ""
	}
	if s.remark {
		to = &s.remarks
	}
	to.add(separator, text)
	s.apart = false
}

// thing adds the placeholder of what is not text.
func (s *said) thing(placeholder string) {
	s.text.add("\n", placeholder)
	s.apart = true
}

// answer returns what the message says as the model's answer.
func (s *said) answer() Answer {
	a := Answer{Reasoning: s.reasoning.String(), FinishReason: s.finish, CallsTools: s.hosted || len(s.calls)+len(s.ran) > 0, Tools: copyContent(s.echoed)}
	for _, list := range [...][]json.RawMessage{s.calls, s.ran} {
		for _, raw := range list {
			c, ok := readCall(raw)
			if !ok {
				a.UnreadCalls++
				continue
			}
			if len(s.failed) > 0 && !c.Failed() && slices.Contains(s.failed, callID(raw)) {
				c.Status = callError
			}
			a.Calls = append(a.Calls, c)
		}
	}
	a.Refusal = NormalFinish(s.finish).Refuses()
	a.Text = expandDocument(s.text.String())
	if isBlank(a.Text) && s.remarks.first != "" {
		a.Text = s.remarks.String()
	}
	refusal := s.refusal.String()
	switch {
	case s.unread != "":
		return Answer{Unread: s.unread, FinishReason: s.finish}
	case isBlank(a.Text) && refusal != "":
		a.Text, a.Refusal = refusal, true
	case isBlank(a.Text) && s.value != nil:
		a.Text, a.JSON = compact(s.value), true
	case isBlank(a.Text) && s.shown && !a.CallsTools && !a.Refusal:
		return Answer{Unread: "output holds parts of the application's own only", FinishReason: s.finish}
	case isBlank(a.Text) && s.unknown > 0 && !a.CallsTools && !a.Refusal:
		return Answer{Unread: "output holds parts of unknown types only", FinishReason: s.finish}
	}
	return a
}

// turn returns what the message says as a turn of a chat. A user's message that
// holds results of tools only gets the role of a tool, because some providers have
// that role and others do not.
func (s *said) turn() Turn {
	t := Turn{Role: s.role, Content: hideData(expandDocument(s.text.String()))}
	if s.role == RoleUser && s.results > 0 && s.results == s.known+s.unknown {
		t.Role = RoleTool
	}
	switch {
	case !isBlank(t.Content):
	case s.refusal.first != "":
		t.Content = s.refusal.String()
	case s.value != nil:
		t.Content = hideData(compact(s.value))
	case s.unknown > 0:
		t.Content = "[parts of unknown types]"
	}
	return t
}

// hasMessage reports whether an object has a member that makes one with a role a
// message.
func hasMessage(f *fields) bool {
	return f.presentAny(fieldContent, fieldParts) || f.is(fieldContents, "array") || f.is(fieldText, "string") && isKnownRole(f.text(fieldRole)) ||
		hasAny(f, fieldToolCalls, fieldFunctionCall, fieldRefusal, fieldReasoningContent, fieldAudio, fieldImages)
}

// hasAny reports whether one of several members has a value that is not empty.
func hasAny(f *fields, names ...field) bool {
	return slices.ContainsFunc(names, func(n field) bool { return hasValue(f.get(n)) })
}

// readMessage reads a chat message in the form that its members have; false for an
// object that is not a message.
func (s *said) readMessage(f *fields) bool {
	switch {
	case f.is(fieldRole, "string") && hasMessage(f):
		s.role = normalRole(f.text(fieldRole))
		s.message(f)
		return true
	case f.present(fieldLC) && f.is(fieldKwargs, "object"):
		return s.readDumped(f)
	case f.is(fieldType, "string") && s.isLangChain(f):
		return true
	}
	return false
}

// readDumped reads a message as LangChain's dumpd writes it.
func (s *said) readDumped(f *fields) bool {
	kwargs, ok := fieldsOf(f.get(fieldKwargs))
	var path []string
	if !ok || json.Unmarshal(f.get(fieldID), &path) != nil || len(path) == 0 {
		return false
	}
	class := path[len(path)-1]
	if !strings.HasSuffix(strings.TrimSuffix(class, "Chunk"), "Message") {
		return false
	}
	s.role = normalRole(class)
	if class == "ChatMessage" {
		s.role = normalRole(kwargs.text(fieldRole))
	}
	s.message(&kwargs)
	return true
}

// isLangChain reads a LangChain message that is written as a dictionary: its role
// stands in the member type, and its members in data or beside it.
func (s *said) isLangChain(f *fields) bool {
	switch strings.ToLower(f.text(fieldType)) {
	case "ai", "human", "system", "tool", "function", "aimessagechunk", "humanmessagechunk", "aimessage", "humanmessage", "systemmessage", "toolmessage":
	default:
		return false
	}
	inner := *f
	if data, ok := fieldsOf(f.get(fieldData)); ok && f.only(fieldType, fieldData) {
		inner = data
	}
	if !inner.present(fieldContent) || !inner.only(fieldType, fieldContent, fieldID, fieldName, fieldAdditionalKwargs, fieldResponseMetadata,
		fieldToolCalls, fieldInvalidToolCalls, fieldUsage, fieldMetadata, fieldToolCallID, fieldStatus, fieldRole, fieldIndex) && !inner.present(fieldAdditionalKwargs) {
		return false
	}
	s.role = normalRole(f.text(fieldType))
	s.message(&inner)
	return true
}

// message reads the members of a message whose role is known.
func (s *said) message(f *fields) {
	s.stopped(f)
	for _, n := range [...]field{fieldReasoningContent, fieldReasoning, fieldThinking} {
		if t := reasoningText(f.get(n)); t != "" {
			s.reasoning.add("\n", t)
			break // two members with the same thoughts
		}
	}
	s.content(f.get(fieldContent))
	for _, n := range [...]field{fieldParts, fieldContents} {
		if v := f.get(n); v != nil {
			s.parts(v, true)
		}
	}
	if !f.present(fieldContent) && s.text.first == "" {
		s.words(f.text(fieldText))
	}
	s.refusal.add("\n", f.text(fieldRefusal))
	if len(s.calls) == 0 { // LangChain and Vercel list the calls among the parts once more
		s.callsOf(f)
	}
	if extra, ok := fieldsOf(f.get(fieldAdditionalKwargs)); ok {
		if len(s.calls) == 0 {
			s.callsOf(&extra)
		}
		if s.reasoning.first == "" {
			s.reasoning.add("\n", reasoningText(extra.get(fieldReasoningContent)))
		}
		s.refusal.add("\n", extra.text(fieldRefusal))
	}
	if more, ok := fieldsOf(f.get(fieldResponseMetadata)); ok {
		s.stopped(&more)
	}
	if audio, ok := fieldsOf(f.get(fieldAudio)); ok {
		if transcript := audio.text(fieldTranscript); transcript != "" {
			s.words(transcript)
		} else {
			s.thing(audio.media("audio"))
		}
	}
	s.images(f.get(fieldImages))
}

// images reads the pictures that stand beside a message's content, as base64 text or
// as parts.
func (s *said) images(value []byte) {
	l, _ := listOf(value)
	for item, ok := l.next(); ok; item, ok = l.next() {
		m := medium{kind: "image"}
		switch jsonKind(item) {
		case "string":
			m.data(stringOf(item))
			s.thing(placeholder(mediaKind(m.mediaType, m.kind), m.size))
		case "object":
			f, _ := fieldsOf(item)
			s.thing(f.media("image"))
		}
	}
}

// stopped takes the finish reason.
func (s *said) stopped(f *fields) {
	for _, n := range [...]field{fieldFinishReason, fieldStopReason, fieldDoneReason} {
		v := f.get(n)
		switch jsonKind(v) {
		case "string":
			s.finish = stringOf(v)
		case "number":
			s.finish = string(v)
		case "object": // Vercel: {"unified":"stop","raw":"end_turn"}
			if inner, ok := fieldsOf(v); ok {
				s.finish = inner.text(fieldUnified)
			}
		}
	}
}

// callsOf takes the calls of tools that stand beside a message's content.
func (s *said) callsOf(f *fields) {
	for _, n := range [...]field{fieldToolCalls, fieldInvalidToolCalls} {
		l, ok := listOf(f.get(n))
		if !ok && hasValue(f.get(n)) {
			s.calls = append(s.calls, f.get(n))
		}
		for item, ok := l.next(); ok; item, ok = l.next() {
			s.calls = append(s.calls, item)
		}
	}
	if v := f.get(fieldFunctionCall); hasValue(v) {
		s.calls = append(s.calls, v)
	}
}

// content reads the content of a message: text, parts or a JSON value.
func (s *said) content(value []byte) {
	switch jsonKind(value) {
	case "string":
		s.words(stringOf(value))
	case "array":
		s.parts(value, false)
	case "object":
		f, _ := fieldsOf(value)
		if f.is(fieldParts, "array") {
			s.parts(f.get(fieldParts), true)
		} else if f.kindOf() == partText && f.is(fieldType, "string") && f.isPlainPart() { // MCP: one part
			s.part(value, &f)
		} else {
			s.value = value
		}
	case "number", "bool":
		s.value = value
	}
}

// parts reads a list of parts. A list that holds none, and has no mark that it
// should, is a JSON value.
func (s *said) parts(value []byte, marked bool) {
	l, ok := listOf(value)
	if !ok && jsonKind(value) == "array" {
		s.unknown++
		s.unread = "output is a message of too many parts"
		return
	}
	for item, ok := l.next(); ok; item, ok = l.next() {
		switch jsonKind(item) {
		case "string":
			s.known++
			s.words(stringOf(item))
			s.apart = true
		case "object":
			f, _ := fieldsOf(item)
			marked = marked || f.is(fieldType, "string")
			if !marked && f.any(fieldText) && !f.isPlainPart() { // an application's own
				s.unknown++
				continue
			}
			s.part(item, &f)
		default:
			s.unknown++
		}
	}
	if s.known == 0 && s.unknown > 0 && !marked {
		s.value, s.unknown = value, 0
	}
}

// hasValue reports whether a member is present and neither null nor empty, which
// is how some software writes members that are not used.
func hasValue(raw []byte) bool {
	switch jsonKind(raw) {
	case "object", "array":
		return len(bytes.TrimSpace(raw[1:len(raw)-1])) > 0
	case "string":
		return len(raw) > len(`""`)
	}
	return false
}

// reasoningText returns the text of a model's reasoning in the forms in which it
// stands beside or among the parts of a message: a string, an object with a text,
// or a list of those.
func reasoningText(value []byte) string {
	switch jsonKind(value) {
	case "string":
		return stringOf(value)
	case "object":
		f, _ := fieldsOf(value)
		return innerText(&f)
	}
	var texts joined
	l, _ := listOf(value)
	for item, ok := l.next(); ok; item, ok = l.next() {
		if jsonKind(item) == "string" {
			texts.add("\n", stringOf(item))
		} else if f, ok := fieldsOf(item); ok {
			texts.add("\n", innerText(&f))
		}
	}
	return texts.String()
}

// innerText returns the first member of an object that is its text.
func innerText(f *fields) string {
	for _, n := range [...]field{fieldText, fieldThinking, fieldReasoning, fieldSummary, fieldContent} {
		if t := f.text(n); t != "" {
			return t
		}
	}
	return ""
}
