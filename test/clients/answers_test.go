package clients

import (
	"fmt"
	"maps"
)

// object shortens the literals below.
type object = map[string]any

// answerer makes the answer to one question. Answers have the fields of the providers'
// documentation, so that a field that a client drops is seen.
type answerer struct {
	key    string
	number int
	kind   kind
}

const (
	servedModel = "served-2026-11-01"
	lookup      = "lookup"
)

func (a answerer) text() string { return fmt.Sprintf("The parcel %d arrives on Monday.", a.number) }

// arguments are those of the call of a tool, in the two parts that a stream has them in.
func (a answerer) arguments() [2]string {
	return [2]string{`{"parcel":`, fmt.Sprintf(` "p-%d"}`, a.number)}
}

func (a answerer) tools() bool { return a.kind == tools || a.kind == streamedTools }

// chat is a chat completion, whole and in pieces.
func (a answerer) chat() (whole object, pieces []object) {
	head := object{
		"id": fmt.Sprintf("chatcmpl-%d", a.number), "created": 1790000000 + a.number, "model": servedModel,
		"service_tier": "default", "system_fingerprint": "fp_1",
	}
	usage := object{
		"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17,
		"prompt_tokens_details":     object{"cached_tokens": 4, "audio_tokens": 0},
		"completion_tokens_details": object{"reasoning_tokens": 2, "audio_tokens": 0, "accepted_prediction_tokens": 0, "rejected_prediction_tokens": 0},
	}
	chunk := func(choices ...object) object {
		out := object{"object": "chat.completion.chunk", "choices": choices}
		maps.Copy(out, head)
		return out
	}
	delta := func(d object, tokens ...object) object {
		choice := object{"index": 0, "delta": d, "finish_reason": nil}
		if len(tokens) > 0 {
			choice["logprobs"] = object{"content": tokens, "refusal": nil}
		}
		return chunk(choice)
	}
	token := func(text string) object {
		return object{"token": text, "logprob": -0.25, "bytes": nil, "top_logprobs": []object{{"token": text, "logprob": -0.25, "bytes": nil}}}
	}
	var probabilities any
	pieces = append(pieces, delta(object{"role": "assistant", "content": ""}))

	message, finish := object{"role": "assistant", "refusal": nil}, "stop"
	if a.tools() {
		arguments := a.arguments()
		finish = "tool_calls"
		message["content"] = nil
		message["tool_calls"] = []object{{"id": "call_1", "type": "function", "function": object{"name": lookup, "arguments": arguments[0] + arguments[1]}}}
		pieces = append(pieces,
			delta(object{"tool_calls": []object{{"index": 0, "id": "call_1", "type": "function", "function": object{"name": lookup, "arguments": ""}}}}),
			delta(object{"tool_calls": []object{{"index": 0, "function": object{"arguments": arguments[0]}}}}),
			delta(object{"tool_calls": []object{{"index": 0, "function": object{"arguments": arguments[1]}}}}),
		)
	} else {
		text := a.text()
		message["content"] = text
		var tokens []object
		for _, part := range []string{text[:5], text[5:11], text[11:]} {
			tokens = append(tokens, token(part))
			pieces = append(pieces, delta(object{"content": part}, token(part)))
		}
		probabilities = object{"content": tokens, "refusal": nil}
		message["annotations"] = []object{{"type": "url_citation", "url_citation": object{"start_index": 0, "end_index": 4, "title": "Parcels", "url": "https://example.com/p"}}}
		pieces = append(pieces, delta(object{"annotations": message["annotations"]}))
	}
	pieces = append(pieces, chunk(object{"index": 0, "delta": object{}, "finish_reason": finish}))
	last := chunk()
	last["choices"], last["usage"] = []object{}, usage
	pieces = append(pieces, last)

	whole = object{
		"object": "chat.completion", "usage": usage,
		"choices": []object{{"index": 0, "finish_reason": finish, "logprobs": probabilities, "message": message}},
	}
	maps.Copy(whole, head)
	return whole, pieces
}

// response is one of OpenAI's Responses API.
func (a answerer) response() (whole object, pieces []object) {
	var item object
	if a.tools() {
		arguments := a.arguments()
		item = object{"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": lookup, "arguments": arguments[0] + arguments[1], "status": "completed"}
	} else {
		item = object{"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": []object{
			{"type": "output_text", "text": a.text(), "annotations": []object{{"type": "url_citation", "start_index": 0, "end_index": 4, "title": "Parcels", "url": "https://example.com/p"}}},
		}}
	}
	whole = object{
		"id": fmt.Sprintf("resp_%d", a.number), "object": "response", "created_at": 1790000000 + a.number, "status": "completed", "error": nil,
		"incomplete_details": nil, "model": servedModel, "output": []object{item}, "parallel_tool_calls": true, "tool_choice": "auto", "tools": []object{},
		"metadata": object{"team": "parcels"}, "temperature": 1, "top_p": 1, "service_tier": "default", "reasoning": object{"effort": "low", "summary": nil},
		"usage": object{
			"input_tokens": 12, "input_tokens_details": object{"cached_tokens": 4}, "output_tokens": 5,
			"output_tokens_details": object{"reasoning_tokens": 2}, "total_tokens": 17,
		},
	}
	begun := maps.Clone(whole)
	begun["status"], begun["output"], begun["usage"] = "in_progress", []object{}, nil
	text, n := a.text(), 0
	add := func(kind string, more object) {
		piece := object{"type": kind, "sequence_number": n}
		maps.Copy(piece, more)
		pieces = append(pieces, piece)
		n++
	}
	add("response.created", object{"response": begun})
	add("response.output_item.added", object{"output_index": 0, "item": object{"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []object{}}})
	add("response.content_part.added", object{"output_index": 0, "content_index": 0, "item_id": "msg_1", "part": object{"type": "output_text", "text": "", "annotations": []object{}}})
	for _, part := range []string{text[:5], text[5:11], text[11:]} {
		add("response.output_text.delta", object{"output_index": 0, "content_index": 0, "item_id": "msg_1", "delta": part, "logprobs": []object{}})
	}
	add("response.output_item.done", object{"output_index": 0, "item": item})
	add("response.completed", object{"response": whole})
	return whole, pieces
}

// message is one of Anthropic's Messages API.
func (a answerer) message() (whole object, pieces []object) {
	stop := "end_turn"
	citation := object{
		"type": "char_location", "cited_text": "Monday", "document_index": 0, "document_title": "Parcels", "start_char_index": 0, "end_char_index": 6, "file_id": nil,
	}
	content := []object{
		{"type": "thinking", "thinking": "Where is it? On its way.", "signature": "c2ln"},
		{"type": "text", "text": a.text(), "citations": []object{citation}},
	}
	if a.tools() {
		stop = "tool_use"
		content = []object{{"type": "tool_use", "id": "toolu_1", "name": lookup, "input": object{"parcel": fmt.Sprintf("p-%d", a.number)}}}
	}
	usage := object{
		"input_tokens": 8, "output_tokens": 5, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 1, "service_tier": "standard",
	}
	whole = object{
		"id": fmt.Sprintf("msg_%d", a.number), "type": "message", "role": "assistant", "model": servedModel, "content": content,
		"stop_reason": stop, "stop_sequence": nil, "usage": usage,
	}
	begun := maps.Clone(whole)
	begun["content"], begun["stop_reason"] = []object{}, nil
	begun["usage"] = object{"input_tokens": 8, "output_tokens": 1, "cache_read_input_tokens": 3, "cache_creation_input_tokens": 1, "service_tier": "standard"}
	pieces = append(pieces, object{"type": "message_start", "message": begun})
	if a.tools() {
		arguments := a.arguments()
		pieces = append(pieces,
			object{"type": "content_block_start", "index": 0, "content_block": object{"type": "tool_use", "id": "toolu_1", "name": lookup, "input": object{}}},
			object{"type": "content_block_delta", "index": 0, "delta": object{"type": "input_json_delta", "partial_json": arguments[0]}},
			object{"type": "content_block_delta", "index": 0, "delta": object{"type": "input_json_delta", "partial_json": arguments[1]}},
		)
	} else {
		text := a.text()
		grow := func(index int, deltas ...object) {
			for _, d := range deltas {
				pieces = append(pieces, object{"type": "content_block_delta", "index": index, "delta": d})
			}
		}
		pieces = append(pieces, object{"type": "content_block_start", "index": 0, "content_block": object{"type": "thinking", "thinking": "", "signature": ""}})
		grow(0, object{"type": "thinking_delta", "thinking": "Where is it?"}, object{"type": "thinking_delta", "thinking": " On its way."}, object{"type": "signature_delta", "signature": "c2ln"})
		pieces = append(pieces, object{"type": "content_block_stop", "index": 0}, object{"type": "content_block_start", "index": 1, "content_block": object{"type": "text", "text": "", "citations": []object{}}})
		grow(1, object{"type": "text_delta", "text": text[:5]}, object{"type": "text_delta", "text": text[5:11]}, object{"type": "text_delta", "text": text[11:]}, object{"type": "citations_delta", "citation": citation})
	}
	pieces = append(pieces,
		object{"type": "content_block_stop", "index": len(content) - 1},
		object{"type": "message_delta", "delta": object{"stop_reason": stop, "stop_sequence": nil}, "usage": object{"output_tokens": 5}},
		object{"type": "message_stop"},
	)
	return whole, pieces
}
