package event

import "strings"

// partKind says what a part of a message is.
type partKind uint8

const (
	partUnknown   partKind = iota
	partText               // the speaker's words
	partRefusal            // words that the provider marks as a refusal
	partReasoning          // thoughts before the answer
	partCall               // the call of a tool
	partHosted             // the call of a tool that the provider runs
	partResult             // what a tool returned
	partImage
	partAudio
	partVideo
	partFile
	partMessage // a message as an item of a list, as OpenAI Responses writes it
	partPaused  // the question whether a tool may run
	partOwn     // of the application's own, for its display
	partSilent  // says nothing: sources, markers of steps, progress of built-in tools
)

// partKindOf returns the kind of a part by its type.
func partKindOf(typ string) partKind {
	typ = strings.ReplaceAll(strings.ToLower(typ), "-", "_")
	switch typ {
	case "text", "output_text", "input_text", "text_delta", "user_prompt", "system_prompt":
		return partText
	case "refusal":
		return partRefusal
	case "thinking", "redacted_thinking", "reasoning", "reasoning_content", "redacted_reasoning", "reasoning_text", "thought", "non_standard_reasoning":
		return partReasoning
	case "tool_use", "server_tool_use", "mcp_tool_use", "tool_call", "toolcall", "function_call", "functioncall", "custom_tool_call", "server_tool_call",
		"mcp_call", "mcp_server_tool_call", "tool_invocation", "dynamic_tool", "function.call", "tool.execution":
		return partCall
	case "web_search_call", "file_search_call", "code_interpreter_call", "computer_call", "local_shell_call", "shell_call", "apply_patch_call",
		"tool_search_call", "google_search_call", "url_context_call", "code_execution_call":
		return partHosted
	case "tool_result", "toolresult", "tool_return", "function_call_output", "custom_tool_call_output", "server_tool_result", "function_result", "functionresult",
		"local_shell_call_output", "shell_call_output", "apply_patch_call_output", "computer_call_output",
		"google_search_result", "url_context_result", "code_execution_result", "file_search_result", "tool_error", "tool_output_denied":
		return partResult
	case "image", "image_url", "input_image", "output_image", "image_file", "image_generation_call":
		return partImage
	case "audio", "input_audio", "output_audio", "audio_url":
		return partAudio
	case "video", "video_url", "input_video":
		return partVideo
	case "file", "input_file", "document", "media", "blob", "container_upload", "document_url":
		return partFile
	case "message", "message.output":
		return partMessage
	case "mcp_approval_request", "tool_approval_request":
		return partPaused
	case "usage", "source", "source_url", "source_document", "step_start", "step_finish", "citation", "search_result", "cache_point",
		"mcp_list_tools", "mcp_approval_response", "agent.handoff",
		"tool_search_output", "compaction", "context_compaction", "item_reference", "tool_approval_response":
		return partSilent
	}
	switch {
	case strings.HasSuffix(typ, "_tool_result"):
		return partResult
	case strings.HasPrefix(typ, "data_"):
		return partOwn
	case strings.HasPrefix(typ, "tool_"): // Vercel: tool-NAME
		return partCall
	}
	return partUnknown
}

// kindOf returns the kind of a part by its type, or else by the member that it has.
func (f *fields) kindOf() partKind {
	if f.is(fieldType, "string") {
		kind := partKindOf(f.text(fieldType))
		if kind == partImage && f.text(fieldType) == "image_generation_call" && !f.is(fieldResult, "string") {
			return partHosted // without a picture
		}
		return kind
	}
	switch { // libraries also write the members that a part does not use, as null
	case f.any(fieldText):
		return partText
	case f.any(fieldFunctionCall, fieldToolUse):
		return partCall
	case f.any(fieldFunctionResponse, fieldToolResult):
		return partResult
	case f.any(fieldReasoningContent):
		return partReasoning
	case f.any(fieldInlineData, fieldFileData, fieldDocument):
		return partFile
	case f.any(fieldImage):
		return partImage
	case f.any(fieldVideo):
		return partVideo
	case f.any(fieldAudio):
		return partAudio
	case f.any(fieldCitationsContent):
		return partMessage
	case f.any(fieldCode): // Gemini's own interpreter
		return partHosted
	case f.any(fieldMetadata), f.present(fieldText):
		return partSilent
	}
	return partUnknown
}

// part reads one part of a message.
func (s *said) part(raw []byte, f *fields) {
	kind := f.kindOf()
	if kind == partUnknown {
		s.unknown++
		return
	}
	s.known++
	switch kind {
	case partText:
		s.partText(f)
		return // only text that follows text directly continues it
	case partRefusal:
		s.refusal.add("\n", f.text(fieldRefusal))
	case partReasoning:
		s.thoughts(f)
	case partCall:
		s.call(raw, f)
	case partHosted:
		s.hosted = true
		if f.is(fieldType, "string") {
			s.ran = append(s.ran, raw)
			s.awaits = s.awaits || !runsByItself(f.text(fieldType))
		}
	case partPaused:
		s.hosted = true
	case partOwn:
		s.shown = true
	case partResult:
		s.results++
		if id := failedResult(raw); id != "" {
			s.failed = append(s.failed, id)
		}
		if !s.isAssistant() {
			s.text.add("\n", f.resultText())
		}
	case partMessage:
		s.partMessage(f)
		return
	case partImage, partAudio, partVideo, partFile:
		s.partMedia(kind, f)
	case partUnknown, partSilent:
	}
	s.apart = true
}

// partMessage reads a part that has parts of its own. No provider nests deeper.
func (s *said) partMessage(f *fields) {
	if s.nested {
		s.known--
		s.unknown++
		return
	}
	if inner, ok := fieldsOf(f.get(fieldCitationsContent)); ok { // Bedrock: the text goes on
		f = &inner
	} else {
		s.apart = true
	}
	s.nested, s.remark = true, f.text(fieldPhase) == "commentary"
	s.content(f.get(fieldContent))
	s.nested, s.remark = false, false
}

// partText reads a part that is text, which Gemini marks when it is a thought.
func (s *said) partText(f *fields) {
	text := f.text(fieldText)
	if inner, ok := fieldsOf(f.get(fieldText)); ok { // OpenAI Assistants: {"value":"...","annotations":[]}
		text = inner.text(fieldValue)
	} else if !f.present(fieldText) { // Pydantic AI
		text = f.text(fieldContent)
	}
	if string(f.get(fieldThought)) == "true" {
		s.reasoning.add("\n", text)
		s.apart = true
		return
	}
	s.words(text)
}

// thoughts reads a part that is reasoning.
func (s *said) thoughts(f *fields) {
	if content, ok := fieldsOf(f.get(fieldReasoningContent)); ok { // Bedrock
		if inner, ok := fieldsOf(content.get(fieldReasoningText)); ok {
			f = &inner
		}
	}
	for _, n := range [...]field{fieldText, fieldThinking, fieldReasoning, fieldContent, fieldSummary} {
		if t := reasoningText(f.get(n)); t != "" {
			s.reasoning.add("\n", t)
			return
		}
	}
}

// call reads a part that calls a tool.
func (s *said) call(raw []byte, f *fields) {
	if inner := f.get(fieldToolInvocation); inner != nil { // Vercel 4
		raw = inner
	}
	s.calls = append(s.calls, raw)
	s.awaits = s.awaits || !runsByItself(f.text(fieldType))
}

// runsByItself reports whether a call of a type needs nothing from the application:
// the provider or an MCP server runs the tool.
func runsByItself(typ string) bool {
	switch foldName(typ) {
	case "computercall", "localshellcall", "shellcall", "applypatchcall":
		return false
	}
	facts := callFacts{}
	return facts.callType(foldName(typ)) == CallServer
}

// failedResult returns the id of the call that a result belongs to, if the result
// says that the call failed; else nothing.
func failedResult(raw []byte) (id string) {
	failed := false
	for m := membersOf(raw); ; {
		name, value, ok := m.next()
		if !ok {
			break
		}
		switch string(name) {
		case "toolresult": // Bedrock
			return failedResult(value)
		case "tooluseid", "toolcallid", "callid":
			id = stringOf(value)
		case "iserror":
			failed = failed || string(value) == "true"
		case "status":
			c := ToolCall{Status: stringOf(value)}
			failed = failed || c.Failed()
		case "type":
			failed = failed || foldName(stringOf(value)) == "toolerror" || foldName(stringOf(value)) == "tooloutputdenied"
		case "content", "output":
			inner, _ := fieldsOf(value)
			switch typ := inner.text(fieldType); typ {
			case "error-text", "error-json", "execution-denied": // Vercel
				failed = true
			default: // Anthropic: web_search_tool_result_error
				failed = failed || strings.HasSuffix(typ, "_tool_result_error")
			}
		}
	}
	if !failed {
		return ""
	}
	return id
}

// callID returns the id by which results name a call.
func callID(raw []byte) string {
	id := ""
	for m := membersOf(raw); ; {
		name, value, ok := m.next()
		if !ok {
			return id
		}
		switch string(name) {
		case "tooluse": // Bedrock
			return callID(value)
		case "tooluseid", "toolcallid", "callid":
			return stringOf(value)
		case "id":
			id = stringOf(value)
		}
	}
}

// partMedia reads a part that is a picture, a sound or a file. A document whose
// source is text is text.
func (s *said) partMedia(kind partKind, f *fields) {
	if source, ok := fieldsOf(f.get(fieldSource)); ok && source.text(fieldType) == "text" { // Anthropic
		s.text.add("\n", source.text(fieldData))
		return
	}
	name := "file"
	switch kind {
	case partImage:
		name = "image"
	case partAudio:
		name = "audio"
	case partVideo:
		name = "video"
	default:
	}
	if inner, ok := fieldsOf(f.get(fieldAudio)); ok && inner.text(fieldTranscript) != "" {
		s.words(inner.text(fieldTranscript))
		return
	}
	s.thing(f.media(name))
}

// resultText returns what a tool returned. Results are read one level deep, however
// deep they are nested.
func (f *fields) resultText() string {
	if inner, ok := fieldsOf(f.get(fieldToolResult)); ok { // Bedrock
		f = &inner
	}
	var value []byte
	for _, n := range [...]field{fieldContent, fieldOutput, fieldResult, fieldFunctionResponse} {
		if value = f.get(n); value != nil {
			break
		}
	}
	if inner, ok := fieldsOf(value); ok { // Gemini: {"name":"...","response":{}}; Vercel: {"type":"json","value":{}}
		for _, n := range [...]field{fieldResponse, fieldValue} {
			if v := inner.get(n); v != nil {
				value = v
				break
			}
		}
	}
	return resultValue(value)
}

// resultValue returns the text of a tool's result: a string, the texts of parts, or
// a JSON value.
func resultValue(value []byte) string {
	switch jsonKind(value) {
	case "nothing", "null":
		return ""
	case "string":
		return expandDocument(stringOf(value))
	}
	l, ok := listOf(value)
	if !ok {
		return compact(value)
	}
	var texts joined
	for item, ok := l.next(); ok; item, ok = l.next() {
		f, isObject := fieldsOf(item)
		switch kind := f.kindOf(); {
		case !isObject:
			return compact(value)
		case kind == partText:
			texts.add("\n", f.text(fieldText))
		case kind == partImage:
			texts.add("\n", f.media("image"))
		case kind == partFile, kind == partAudio, kind == partVideo:
			texts.add("\n", f.media("file"))
		case kind == partUnknown:
			return compact(value)
		}
	}
	return texts.String()
}
