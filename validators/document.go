package validators

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/evalworker/evalworker/internal/jsonscan"
)

// decode returns a JSON text that has been scanned, with numbers as they are
// written.
func decode(text string) any {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil { // the scan has accepted it
		return nil
	}
	return v
}

// walk calls visit for a decoded value and all values inside it.
func walk(v any, visit func(any)) {
	visit(v)
	switch v := v.(type) {
	case map[string]any:
		for _, child := range v {
			walk(child, visit)
		}
	case []any:
		for _, child := range v {
			walk(child, visit)
		}
	}
}

// countMembers counts the members of all objects. The scan counts them too: a
// smaller number here shows that a key stands twice in one object, of which the
// decoder keeps the last, and others may keep the first.
func countMembers(v any) int {
	n := 0
	walk(v, func(v any) {
		object, _ := v.(map[string]any)
		n += len(object)
	})
	return n
}

// position returns the line and column, counted from 1, of a byte of data. The
// column counts characters.
func position(data string, offset int) (line, column int) {
	before := data[:min(offset, len(data))]
	line = strings.Count(before, "\n") + 1
	return line, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}

// locate returns the offset of the value that a JSON pointer (RFC 6901) names in
// valid JSON; of a member that is its name. Where the pointer leads nowhere it
// returns the last place on the way.
func locate(data, pointer string) int {
	tokens := pointerTokens(pointer)
	s := jsonscan.New(data, 0)
	root, _ := s.Next()
	at := root.Start
	for i := 0; len(tokens) > 0; i++ {
		value, ok := s.Next()
		place, name := value.Start, strconv.Itoa(i)
		if value.Kind == jsonscan.Key {
			name, _ = jsonscan.Unquote(data[value.Start:value.End])
			value, ok = s.Next()
		}
		switch {
		case !ok || value.Kind == jsonscan.Close:
			return at
		case name != tokens[0]:
			s.Skip(value)
			continue
		}
		at, tokens, i = place, tokens[1:], -1
		if value.Kind != jsonscan.Object && value.Kind != jsonscan.Array {
			break
		}
	}
	return at
}

// pointerTokens splits a JSON pointer and undoes its escapes.
func pointerTokens(pointer string) []string {
	pointer = strings.TrimPrefix(pointer, "/")
	if pointer == "" {
		return nil
	}
	tokens := strings.Split(pointer, "/")
	for i, t := range tokens {
		tokens[i] = strings.ReplaceAll(strings.ReplaceAll(t, "~1", "/"), "~0", "~")
	}
	return tokens
}

// resolvePointer returns the value that tokens lead to inside a decoded document.
func resolvePointer(doc any, tokens []string) (v any, ok bool) {
	v, ok = doc, true
	for _, t := range tokens {
		if v, ok = child(v, t); !ok {
			break
		}
	}
	return v, ok
}

// child returns the member or item of a decoded value that a token names.
func child(v any, token string) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		member, ok := v[token]
		return member, ok
	case []any:
		if i, err := strconv.Atoi(token); err == nil && i >= 0 && i < len(v) {
			return v[i], true
		}
	}
	return nil, false
}

// escapeToken returns a name as a token of a JSON pointer.
func escapeToken(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}
