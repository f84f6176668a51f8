package event

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Schema returns the JSON Schema (draft 2020-12) of an event. It is generated from
// the Go types, so it cannot drift from what [Decode] accepts; the published copy
// is event.schema.json in this folder. It names the proper types, for publishers;
// Decode also reads values that are written otherwise and have one meaning.
func Schema() []byte {
	root := objectSchema(reflect.TypeFor[Event]())
	root["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	root["title"] = "evalworker event"
	root["description"] = "One finished request to a model, or a user's feedback on one. Unknown fields are kept and ignored; what providers give, such as usage or the members of a response, is read."
	root["required"] = []string{"event", "request_id"}
	props := root["properties"].(map[string]any)
	props["event"].(map[string]any)["enum"] = []Kind{KindRequestCompleted, KindUserFeedback}
	propertyAt(props, "llmobs.source")["enum"] = []string{LLMObsSDK, LLMObsOTel}
	aliases := Aliases()
	for _, alias := range slices.Sorted(maps.Keys(aliases)) {
		p := maps.Clone(propertyAt(props, aliases[alias]))
		p["description"] = "other name of " + aliases[alias]
		props[alias] = p
	}
	for _, places := range [...]map[string]string{elsewhere(), providers()} {
		for name, description := range places {
			props[name] = map[string]any{"description": description}
		}
	}
	b, err := json.MarshalIndent(root, "", "  ")
	if err != nil { // maps of strings always marshal
		return nil
	}
	return append(b, '\n')
}

// propertyAt returns the schema of the field with a path.
func propertyAt(props map[string]any, path string) map[string]any {
	name, rest, nested := strings.Cut(path, ".")
	p := props[name].(map[string]any)
	if nested {
		return propertyAt(p["properties"].(map[string]any), rest)
	}
	return p
}

func objectSchema(t reflect.Type) map[string]any {
	props := map[string]any{}
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		p := propertySchema(f.Type)
		p["description"] = f.Tag.Get("doc")
		props[name] = p
	}
	return map[string]any{"type": "object", "properties": props}
}

func propertySchema(t reflect.Type) map[string]any {
	switch t {
	case reflect.TypeFor[time.Time]():
		return map[string]any{"type": []string{"string", "number"}, "format": "date-time"}
	case reflect.TypeFor[RequestID]():
		return map[string]any{"type": []string{"string", "integer"}, "minLength": 1}
	case reflect.TypeFor[ID]():
		return map[string]any{"type": []string{"string", "integer"}}
	case reflect.TypeFor[Rating]():
		return map[string]any{"type": []string{"string", "number"}}
	case reflect.TypeFor[TraceContext]():
		return map[string]any{"type": "object", "maxProperties": MaxItems, "additionalProperties": map[string]any{"type": []string{"string", "number", "boolean", "array"}}}
	case reflect.TypeFor[Content]():
		return map[string]any{} // any JSON value
	}
	switch t.Kind() {
	case reflect.Pointer:
		return propertySchema(t.Elem())
	case reflect.Struct:
		return objectSchema(t)
	case reflect.Slice:
		return map[string]any{"type": "array", "maxItems": MaxItems, "items": propertySchema(t.Elem())}
	case reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	default:
		return map[string]any{"type": "string"}
	}
}
