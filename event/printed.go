package event

import (
	"encoding/json"
	"strings"
)

// Why a piece of an answer is not read as one.
const (
	oneChunk     = "output is one chunk of a stream"
	oneEvent     = "output is one event of a stream"
	textOfStream = "output is the text of a stream of events"
)

// isChunk reports whether an object was not read because it is a piece of an answer.
func isChunk(unread string) bool { return unread == oneChunk || unread == oneEvent }

// printedObject returns why a text is not an answer but an object that holds one, as a
// programming language or a transport prints it; empty for any other text. The words
// of the model stand in it, between quotes and members that are not the model's, so
// that nothing can be said about them.
func printedObject(text string) string {
	if text == "" {
		return ""
	}
	switch text[0] {
	case 'd', 'e', ':':
		if isEventStream(text) {
			return textOfStream
		}
	case '<':
		if strings.HasSuffix(text, ">") && strings.Contains(text, " object ") && strings.Contains(text, " at 0x") && !strings.Contains(text, "\n") {
			return "output is the name of an object"
		}
	case '{':
		if first, _, more := strings.Cut(text, "\n"); more && json.Valid([]byte(first)) {
			var s said
			if s.readOutput([]byte(first), true) && isChunk(s.unread) {
				return textOfStream
			}
		}
	case '[':
		if text == "[object Object]" {
			return "output is the name of an object"
		}
	}
	if isPythonPrint(text) {
		return "output is an object as Python prints it"
	}
	return ""
}

// isEventStream reports whether a text is server-sent events whose data is JSON.
func isEventStream(text string) bool {
	data := false
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case name == "" && !ok, ok && (name == "event" || name == "id" || name == "retry" || name == ""):
		case ok && name == "data":
			data = data || strings.HasPrefix(strings.TrimSpace(value), "{")
		default:
			return false
		}
	}
	return data
}

// isPythonPrint reports whether a text begins as Python prints a message or a
// response of a provider's library. The first members are those that such an object
// has, because an answer may be Python too.
func isPythonPrint(text string) bool {
	class, rest, ok := strings.Cut(strings.TrimPrefix(text, "["), "(")
	if ok && strings.HasSuffix(strings.TrimSuffix(text, "]"), ")") {
		switch class {
		case "ChatCompletion", "ChatCompletionMessage", "ModelResponse", "ParsedChatCompletion", "Message", "BetaMessage", "Response", "AIMessage", "AIMessageChunk",
			"TextBlock", "ThinkingBlock", "GenerateContentResponse", "ChatResponse", "ResponseOutputMessage", "RunResult":
			first, _, _ := strings.Cut(rest, "=")
			switch first {
			case "id", "content", "citations", "text", "signature", "candidates", "model", "role", "sdk_http_response":
				return true
			}
		}
	}
	switch {
	case strings.HasPrefix(text, "content='"), strings.HasPrefix(text, `content="`): // LangChain
		return strings.Contains(text, " additional_kwargs={")
	case strings.HasPrefix(text, "{'role': 'assistant', 'content': "), strings.HasPrefix(text, "{'id': 'chatcmpl-"),
		strings.HasPrefix(text, "{'content': ") && strings.Contains(text, ", 'role': 'assistant'"):
		return strings.HasSuffix(text, "}")
	}
	return false
}
