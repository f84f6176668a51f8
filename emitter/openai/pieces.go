package openai

import (
	"encoding/json"
	"maps"
	"slices"
)

// pieces joins the pieces of a stream to the answer that the request would have had without
// streaming. It reads what the provider sent and not the library's types, so that fields are
// kept that the library does not know. The zero value has none.
type pieces struct {
	fields  map[string]any         // of the answer, without its choices
	choices map[int]map[string]any // by index
}

// add joins a piece, and reports whether it holds something that a user sees.
func (p *pieces) add(raw []byte) (seen bool) {
	var piece map[string]any
	if json.Unmarshal(raw, &piece) != nil {
		return false
	}
	if p.fields == nil {
		p.fields, p.choices = map[string]any{}, map[int]map[string]any{}
	}
	parts, _ := piece["choices"].([]any)
	delete(piece, "choices")
	replace(p.fields, piece)
	p.fields["object"] = "chat.completion"
	for _, part := range parts {
		part, ok := part.(map[string]any)
		if !ok {
			continue
		}
		index, _ := part["index"].(float64)
		choice := p.choices[int(index)]
		if choice == nil {
			choice = map[string]any{"message": map[string]any{"role": "assistant"}}
			p.choices[int(index)] = choice
		}
		delta, _ := part["delta"].(map[string]any)
		probabilities, ok := part["logprobs"].(map[string]any)
		delete(part, "delta")
		delete(part, "logprobs")
		if _, whole := part["message"].(map[string]any); !whole || delta != nil {
			delete(part, "message") // the pieces make one
		}
		replace(choice, part)
		if join(choice["message"].(map[string]any), delta) {
			seen = true
		}
		if ok {
			join(child(choice, "logprobs"), probabilities)
		}
	}
	return seen
}

// finished reports whether the model has finished all choices.
func (p *pieces) finished() bool {
	for _, choice := range p.choices {
		if reason, _ := choice["finish_reason"].(string); reason == "" {
			return false
		}
	}
	return len(p.choices) > 0
}

// MarshalJSON returns the answer.
func (p *pieces) MarshalJSON() ([]byte, error) {
	whole := maps.Clone(p.fields)
	if whole == nil {
		return []byte("null"), nil
	}
	choices := []map[string]any{}
	for _, index := range slices.Sorted(maps.Keys(p.choices)) {
		choices = append(choices, p.choices[index])
	}
	whole["choices"] = choices
	return json.Marshal(whole)
}

// text is a text that grows. As a string the whole would be copied for each piece.
type text []byte

// MarshalJSON returns it as a string.
func (t *text) MarshalJSON() ([]byte, error) { return json.Marshal(string(*t)) }

// replace takes over the fields of a piece that have a value.
func replace(whole, piece map[string]any) {
	for name, value := range piece {
		if _, known := whole[name]; value != nil || !known {
			whole[name] = value
		}
	}
}

// join adds what a piece of a message adds: texts and lists grow, objects are joined field by
// field, and anything else is replaced. It reports whether a user sees something of it.
func join(whole, piece map[string]any) (seen bool) {
	for name, value := range piece {
		switch value := value.(type) {
		case string:
			if name == "role" || name == "id" || name == "type" {
				if value != "" {
					whole[name] = value
				}
				continue
			}
			grown, ok := whole[name].(*text)
			if !ok {
				grown = &text{}
				whole[name] = grown
			}
			*grown = append(*grown, value...)
			seen = seen || value != ""
		case map[string]any:
			if join(child(whole, name), value) {
				seen = true
			}
		case []any:
			list, _ := whole[name].([]any)
			if name == "tool_calls" {
				for _, call := range value {
					list = addCall(list, call)
				}
			} else {
				list = append(list, value...)
			}
			whole[name] = list
			seen = seen || len(value) > 0
		default:
			replace(whole, map[string]any{name: value})
		}
	}
	return seen
}

// child returns an object of another one, which it makes if need be.
func child(whole map[string]any, name string) map[string]any {
	found, ok := whole[name].(map[string]any)
	if !ok {
		found = map[string]any{}
		whole[name] = found
	}
	return found
}

// maxCalls bounds the calls of one answer; a stream cannot ask for more memory by an index.
const maxCalls = 1000

// addCall joins a piece of a call to those of the answer. A server that sends no index
// sends whole calls, or goes on with the last one.
func addCall(calls []any, part any) []any {
	piece, ok := part.(map[string]any)
	if !ok {
		return calls
	}
	index := len(calls) - 1
	id, _ := piece["id"].(string)
	if at, ok := piece["index"].(float64); ok {
		index = int(at)
	} else if id != "" || index < 0 {
		index = len(calls)
	}
	if index < 0 || index >= maxCalls {
		return calls
	}
	for len(calls) <= index {
		calls = append(calls, map[string]any{"type": "function"})
	}
	delete(piece, "index") // it belongs to streams alone
	join(calls[index].(map[string]any), piece)
	return calls
}
