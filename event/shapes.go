package event

import (
	"encoding/json"
	"strings"
)

// shape is one form in which providers and their libraries write an answer.
type shape struct {
	name    string
	example string // that this shape reads, and no shape before it
	read    func(s *said, f *fields) bool
	loose   bool // has marks that a model's own JSON may have: not read in a string
}

// shapes returns the forms of an answer that is a JSON object, in the order in which
// they are tried. A shape claims an object only by marks that a provider sets: an
// application's own answer may have members such as text, role, content or choices
// too. What a shape claims and can not read gets a reason instead of a text.
func shapes() [19]shape {
	return [...]shape{
		{"chat message", `{"role":"assistant","content":"Hello."}`, (*said).readAssistant, false},
		{"LangChain message", `{"type":"ai","content":"Hello.","tool_calls":[]}`, (*said).readLangChain, false},
		{"OpenAI chat completion, legacy completion", `{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}]}`, (*said).readChoices, false},
		{"OpenAI response, Gemini interaction, Mistral conversation", `{"object":"response","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"Hello."}]}]}`, (*said).readResponse, false},
		{"item of an OpenAI response", `{"type":"function_call","call_id":"c1","name":"lookup","arguments":"{}"}`, (*said).readItem, false},
		{"Gemini response", `{"candidates":[{"content":{"role":"model","parts":[{"text":"Hello."}]},"finishReason":"STOP"}]}`, (*said).readCandidates, false},
		{"Bedrock Converse", `{"output":{"message":{"role":"assistant","content":[{"text":"Hello."}]}},"stopReason":"end_turn"}`, (*said).readConverse, false},
		{"response with one message: Ollama, Cohere", `{"model":"m","message":{"role":"assistant","content":"Hello."},"done":true}`, (*said).readOneMessage, false},
		{"response with one text: Ollama, Vercel AI SDK, llama.cpp, Llama on Bedrock, Hugging Face", `{"text":"Hello.","finishReason":"stop","usage":{"inputTokens":1}}`, (*said).readOneText, false},
		{"list of results: Amazon Titan, watsonx, Mistral on Bedrock", `{"results":[{"outputText":"Hello.","completionReason":"FINISH"}]}`, (*said).readResults, false},
		{"Vercel AI SDK generateObject", `{"object":{"reply":"Hello."},"finishReason":"stop","usage":{}}`, (*said).readObject, false},
		{"Vercel AI SDK doGenerate", `{"content":[{"type":"text","text":"Hello."}],"finishReason":"stop"}`, (*said).readContent, false},
		{"Pydantic AI response", `{"kind":"response","parts":[{"part_kind":"text","content":"Hello."}]}`, (*said).readKind, false},
		{"LangChain result", `{"generations":[[{"text":"Hello.","type":"ChatGeneration"}]]}`, (*said).readGenerations, false},
		{"chat in an object, such as LangGraph's state", `{"messages":[{"role":"user","content":"Hi"},{"role":"assistant","content":"Hello."}]}`, (*said).readMessages, true},
		{"line of a batch, or of a log of HTTP", `{"custom_id":"r1","response":{"status_code":200,"body":{"choices":[{"index":0,"message":{"role":"assistant","content":"Hello."},"finish_reason":"stop"}]}}}`, (*said).readLogged, false},
		{"event of a stream", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}`, (*said).readEvent, false},
		{"message without a role", `{"content":null,"tool_calls":[{"type":"function","function":{"name":"lookup","arguments":"{}"}}]}`, (*said).readRoleless, true},
		{"error of a provider", `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, (*said).readError, false},
	}
}

// readAnswer reads an output as the model's answer.
func readAnswer(raw []byte) Answer {
	if jsonKind(raw) == "string" {
		return answerOfString(stringOf(raw))
	}
	var s said
	if s.readOutput(raw, false) {
		return s.answer()
	}
	return Answer{Text: string(expandEscapes(raw)), JSON: true}
}

// answerOfString reads an answer that was published as a string: the model's words,
// or a provider's whole response that was encoded once more. A JSON document in a
// JSON string is that document, because no model quotes one, and software that
// encodes a text twice does.
func answerOfString(text string) Answer {
	doc := strings.TrimSpace(text)
	var s said
	switch {
	case doc == "":
	case doc[0] == '"':
		var inner string
		if json.Unmarshal([]byte(doc), &inner) == nil && isDocument(inner) {
			return answerOfString(inner)
		}
	case doc[0] == '{' && s.readOutput([]byte(doc), true) && json.Valid([]byte(doc)):
		return s.answer()
	case doc[0] == '[' && mayHoldItems(doc) && s.readItems([]byte(doc)) && json.Valid([]byte(doc)):
		return s.answer()
	}
	s = said{role: RoleAssistant}
	if s.unread = printedObject(doc); s.unread == "" {
		s.words(text)
	}
	return s.answer()
}

// isDocument reports whether a text is a JSON object or list.
func isDocument(text string) bool {
	text = strings.TrimSpace(text)
	return text != "" && (text[0] == '{' || text[0] == '[') && json.Valid([]byte(text))
}

// mayHoldItems reports whether a text can be a list of a provider's parts. Most
// lists in answers are not, and need no further reading.
func mayHoldItems(text string) bool { return strings.Contains(text, `"type"`) }

// readOutput reads an output in any of the shapes; false for a value that has none.
func (s *said) readOutput(raw []byte, inString bool) bool {
	switch jsonKind(raw) {
	case "object":
		f, ok := fieldsOf(raw)
		return ok && s.readShape(&f, inString)
	case "array":
		return s.readItems(raw) || s.readLastMessage(raw) || s.readResponses(raw)
	}
	return false
}

func (s *said) readShape(f *fields, inString bool) bool {
	if f.known == 0 { // like most answers that are JSON
		return false
	}
	for _, shape := range shapes() {
		*s = said{role: RoleAssistant}
		if (!shape.loose || !inString) && shape.read(s, f) {
			return true
		}
	}
	return false
}

// readAssistant reads a chat message of the model.
func (s *said) readAssistant(f *fields) bool {
	return f.is(fieldRole, "string") && normalRole(f.text(fieldRole)) == RoleAssistant && s.readMessage(f)
}

// readLangChain reads a message of the model as LangChain writes it.
func (s *said) readLangChain(f *fields) bool {
	if f.is(fieldRole, "string") || !s.readMessage(f) {
		if f.present(fieldLC) && f.text(fieldType) == "constructor" && f.is(fieldKwargs, "object") {
			s.unread = "output is a LangChain object that is no message"
			return true
		}
		return false
	}
	if !s.isAssistant() {
		s.unread = "output is a LangChain message of another role than the model's"
	}
	return true
}

// readChoices reads the first choice of a chat completion, or of a completion of a
// text.
func (s *said) readChoices(f *fields) bool {
	marked := strings.HasPrefix(f.text(fieldObject), "chat.completion") || f.text(fieldObject) == "text_completion"
	if !f.present(fieldChoices) {
		return false
	}
	choice, ok := fieldsOf(firstOf(f.get(fieldChoices)))
	switch {
	case ok && s.readChoice(&choice, marked || f.present(fieldModel) && f.presentAny(fieldUsage, fieldCreated)):
		return true
	case marked:
		s.unread = "output is a completion without a choice that can be read"
		return true
	}
	return false
}

// readChoice reads one choice. The text of a legacy completion needs a mark.
func (s *said) readChoice(choice *fields, marked bool) bool {
	message, ok := fieldsOf(choice.get(fieldMessage))
	switch {
	case ok && s.readMessage(&message) && s.isAssistant():
	case ok && marked && hasMessage(&message):
		*s = said{role: RoleAssistant}
		s.message(&message)
	case choice.is(fieldText, "string") && (marked || choice.presentAny(fieldFinishReason, fieldLogprobs)):
		s.words(choice.text(fieldText))
	case choice.is(fieldDelta, "object") && (marked || choice.present(fieldFinishReason)):
		s.unread = oneChunk
	default:
		return false
	}
	s.stopped(choice)
	return true
}

// readResponse reads a whole response of OpenAI's Responses API.
func (s *said) readResponse(f *fields) bool {
	if inner, ok := fieldsOf(f.get(fieldResponse)); ok && f.text(fieldType) == "response.completed" { // the last event of a stream
		f = &inner
	}
	items, marked := fieldOutput, false
	switch f.text(fieldObject) {
	case "response":
		marked = true
	case "interaction", "conversation.response": // of Gemini and Mistral
		items, marked = fieldResults, f.present(fieldResults)
	}
	if f.is(items, "array") && s.readItemsOf(f.get(items), marked) {
		s.responseEnd(f)
		return true
	}
	if !marked {
		return false
	}
	switch {
	case f.text(fieldOutputText) != "":
		*s = said{role: RoleAssistant}
		s.words(f.text(fieldOutputText))
	case f.is(items, "array") && s.known+s.unknown == 0:
	case f.is(items, "array"):
		s.unread = "output is a response with items of unknown types only"
	default:
		s.unread = "output is a response without a list of items"
	}
	s.responseEnd(f)
	return true
}

// responseEnd reads how a response ended.
func (s *said) responseEnd(f *fields) {
	if tools := f.get(fieldTools); hasValue(tools) {
		s.echoed = tools
	}
	status := strings.ToLower(f.text(fieldStatus))
	if details, ok := fieldsOf(f.get(fieldIncompleteDetails)); ok && status == "incomplete" {
		s.finish = details.text(fieldReason)
		return
	}
	switch status {
	case "completed":
		s.finish = "stop"
		if s.awaits {
			s.finish = string(FinishToolCalls)
		}
	case "requires_action":
		s.finish = string(FinishToolCalls)
	case "failed", "cancelled", "queued", "in_progress":
		s.unread = "output is a response with status " + status
	}
}

// readItem reads one item of a response, or one part, that stands alone and is
// unmistakable.
func (s *said) readItem(f *fields) bool {
	if !f.is(fieldType, "string") || !f.unmistakable() {
		return false
	}
	s.part(f.object, f)
	return true
}

// readCandidates reads the first candidate of a Gemini response.
func (s *said) readCandidates(f *fields) bool {
	feedback, blocked := fieldsOf(f.get(fieldPromptFeedback))
	marked := blocked || f.presentAny(fieldModelVersion)
	candidate, ok := fieldsOf(firstOf(f.get(fieldCandidates)))
	content, hasContent := fieldsOf(candidate.get(fieldContent))
	switch {
	case ok && hasContent && (content.is(fieldParts, "array") || normalRole(content.text(fieldRole)) == RoleAssistant):
		s.parts(content.get(fieldParts), true)
		s.stopped(&candidate)
	case ok && candidate.present(fieldFinishReason):
		s.stopped(&candidate)
	case blocked && feedback.present(fieldBlockReason):
		s.finish = string(FinishContentFilter)
	case marked || f.present(fieldCandidates) && f.present(fieldUsage):
		s.unread = "output is a Gemini response without a candidate that can be read"
	default:
		return false
	}
	return true
}

// readConverse reads a response of Bedrock's Converse API.
func (s *said) readConverse(f *fields) bool {
	output, ok := fieldsOf(f.get(fieldOutput))
	if !ok {
		return false
	}
	message, ok := fieldsOf(output.get(fieldMessage))
	if !ok || !s.readAssistant(&message) {
		return false
	}
	s.stopped(f)
	return true
}

// readOneMessage reads a response around one message. A member that no provider has
// makes it an application's own answer.
func (s *said) readOneMessage(f *fields) bool {
	message, ok := fieldsOf(f.get(fieldMessage))
	marked := f.presentAny(fieldDone, fieldFinishReason, fieldUsage)
	if !ok || !marked && !f.only(fieldMessage, fieldModel, fieldID, fieldCreated, fieldProviderMeta, fieldDelta, fieldLogprobs, fieldAdditionalKwargs) || !s.readAssistant(&message) {
		return false
	}
	s.stopped(f)
	if string(f.get(fieldDone)) == "false" {
		s.unread = oneChunk
	}
	return true
}

// readOneText reads a response around one text. The text's name is a mark for some
// providers; for the others a second member is.
func (s *said) readOneText(f *fields) bool {
	for _, t := range [...]struct {
		text  field
		marks []field
	}{
		{fieldResponse, []field{fieldDoneReason, fieldCreated, fieldModel}},
		{fieldText, []field{fieldFinishReason}},
		{fieldGeneration, []field{fieldStopReason}},
		{fieldCompletion, []field{fieldStopReason}},
		{fieldGeneratedText, nil},
		{fieldContent, []field{fieldStopReason, fieldFinishReason}},
	} {
		if !f.is(t.text, "string") || t.marks == nil && !f.only(t.text, fieldFinishReason) || t.marks != nil && !f.presentAny(t.marks...) {
			if t.text == fieldGeneratedText && f.only(t.text) && s.readLastMessage(f.get(t.text)) { // Hugging Face
				return true
			}
			continue
		}
		if t.text == fieldResponse && !f.present(fieldDone) {
			continue
		}
		if string(f.get(fieldDone)) == "false" {
			s.unread = oneChunk
			return true
		}
		s.message(f)
		if s.text.first == "" && t.text != fieldContent { // Vercel also lists the text's parts
			s.words(f.text(t.text))
		}
		if s.reasoning.first == "" {
			s.reasoning.add("\n", f.text(fieldReasoningText))
		}
		return true
	}
	if f.is(fieldContent, "string") && f.present(fieldStop) && f.present(fieldUsage) { // llama.cpp
		s.words(f.text(fieldContent))
		return true
	}
	return false
}

// readResults reads the first of a list of results.
func (s *said) readResults(f *fields) bool {
	result, ok := fieldsOf(firstOf(f.get(fieldResults)))
	if !ok {
		return false
	}
	for _, text := range [...]field{fieldOutputText, fieldGeneratedText, fieldText} {
		if result.is(text, "string") && result.presentAny(fieldFinishReason, fieldStopReason) {
			s.stopped(&result)
			s.words(result.text(text))
			return true
		}
	}
	return false
}

// readObject reads a result that is a JSON value.
func (s *said) readObject(f *fields) bool {
	value := f.get(fieldObject)
	if !f.present(fieldFinishReason) || !f.present(fieldUsage) || jsonKind(value) != "object" && jsonKind(value) != "array" {
		return false
	}
	s.value = value
	s.stopped(f)
	return true
}

// readContent reads a result whose content is a list of parts.
func (s *said) readContent(f *fields) bool {
	if !f.is(fieldContent, "array") || !f.presentAny(fieldFinishReason, fieldStopReason) {
		return false
	}
	s.message(f)
	return true
}

// readKind reads a response of Pydantic AI.
func (s *said) readKind(f *fields) bool {
	first, ok := fieldsOf(firstOf(f.get(fieldParts)))
	if !ok || f.text(fieldKind) != "response" || !first.is(fieldType, "string") {
		return false
	}
	s.message(f)
	return s.known > 0 && s.unknown == 0
}

// readGenerations reads the first generation of a LangChain result.
func (s *said) readGenerations(f *fields) bool {
	first := firstOf(f.get(fieldGenerations))
	listed := jsonKind(first) == "array"
	if listed {
		first = firstOf(first)
	}
	generation, ok := fieldsOf(first)
	if !ok || !listed && !generation.presentAny(fieldID, fieldFinishReason) {
		return false
	}
	message, ok := fieldsOf(generation.get(fieldMessage))
	switch {
	case ok && s.readMessage(&message) && s.isAssistant():
	case generation.is(fieldText, "string"):
		*s = said{role: RoleAssistant}
		s.words(generation.text(fieldText))
	default:
		return false
	}
	return true
}

// readMessages reads the last message of a chat that stands in an object.
func (s *said) readMessages(f *fields) bool {
	chat := f.get(fieldMessages)
	if !f.present(fieldMessages) {
		chat = f.get(fieldReplies) // Haystack
	}
	if jsonKind(chat) != "array" || !s.readLastMessage(chat) {
		return false
	}
	s.stopped(f)
	return s.unread == "" || f.only(fieldMessages)
}

// readRoleless reads a message whose role was left out. Text alone is not a mark: it is
// an application's own answer, unless it is a JSON document, which nobody puts in a
// string of a JSON answer.
func (s *said) readRoleless(f *fields) bool {
	if !f.present(fieldContent) || f.others > 0 || f.is(fieldType, "string") || f.is(fieldRole, "string") {
		return false
	}
	switch {
	case hasAny(f, fieldToolCalls, fieldFunctionCall), f.present(fieldRefusal):
	case f.is(fieldContent, "array") && s.readItems(f.get(fieldContent)):
		*s = said{role: RoleAssistant}
	case f.only(fieldContent) && isDocument(f.text(fieldContent)):
	default:
		return false
	}
	s.message(f)
	return true
}

// readLogged reads the response of a provider that a line of a batch's results, or a
// log of HTTP, holds.
func (s *said) readLogged(f *fields) bool {
	outer := *f
	if f.present(fieldCustomID) {
		for _, n := range [...]field{fieldResponse, fieldResult} {
			if inner, ok := fieldsOf(f.get(n)); ok {
				outer = inner
			}
		}
	}
	body, isHTTP := fieldsOf(outer.get(fieldBody))
	message, isResult := fieldsOf(outer.get(fieldMessage))
	switch {
	case isHTTP && outer.present(fieldStatusCode) && !body.present(fieldBody):
		return s.readShape(&body, true)
	case isResult && f.present(fieldCustomID) && outer.is(fieldType, "string"): // Anthropic
		return s.readAssistant(&message)
	}
	return false
}

// readEvent reads one event of a stream, which is a piece of an answer.
func (s *said) readEvent(f *fields) bool {
	switch typ := f.text(fieldType); {
	case strings.HasPrefix(typ, "response.") && f.presentAny(fieldResponse, fieldDelta):
	case strings.HasPrefix(typ, "content_block_") && f.present(fieldIndex):
	case typ == "message_start" && f.present(fieldMessage), typ == "message_delta" && f.present(fieldDelta):
	default:
		return false
	}
	s.unread = oneEvent
	return true
}

// readError reads the error that a provider answered with. Servers that speak OpenAI's
// protocol may leave param out, and vLLM writes the members without an envelope.
func (s *said) readError(f *fields) bool {
	inner, ok := fieldsOf(f.get(fieldError))
	if f.text(fieldObject) == "error" {
		inner, ok = *f, true
	}
	if !ok {
		return false
	}
	anthropic := f.text(fieldType) == "error" && strings.HasSuffix(inner.text(fieldType), "_error")
	openAI := (f.only(fieldError) || f.text(fieldObject) == "error") && inner.present(fieldMessage) && inner.present(fieldType) && inner.present(fieldCode)
	google := f.only(fieldError) && inner.is(fieldCode, "number") && inner.present(fieldMessage) && inner.text(fieldStatus) != "" &&
		inner.text(fieldStatus) == strings.ToUpper(inner.text(fieldStatus))
	if !anthropic && !openAI && !google {
		return false
	}
	if NormalFinish(inner.text(fieldCode)).Refuses() { // Azure: {"error":{"code":"content_filter"}}
		s.finish = inner.text(fieldCode)
		return true
	}
	s.unread = "output is an error of the provider"
	return true
}
