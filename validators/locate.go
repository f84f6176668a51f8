package validators

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"
)

// position gives the line and column, counted from 1, of a byte of data. The
// column counts characters.
func position(data string, offset int) (line, column int) {
	before := data[:min(offset, len(data))]
	line = strings.Count(before, "\n") + 1
	return line, utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
}

// locate gives the offset of the value that a JSON pointer (RFC 6901) names in
// valid JSON; of a member that is its name. Where the pointer leads nowhere it
// gives the last place on the way.
func locate(data, pointer string) int {
	dec := json.NewDecoder(strings.NewReader(data))
	at := leading(data, 0)
	for _, token := range pointerTokens(pointer) {
		next, ok := descend(dec, data, token)
		if !ok {
			return at
		}
		at = next
	}
	return at
}

// descend moves dec to the value below the next one that token names.
func descend(dec *json.Decoder, data, token string) (int, bool) {
	opening, err := dec.Token()
	if err != nil {
		return 0, false
	}
	bracket, ok := opening.(json.Delim)
	if !ok {
		return 0, false
	}
	for i := 0; dec.More(); i++ {
		at := leading(data, int(dec.InputOffset()))
		name := strconv.Itoa(i)
		if bracket == '{' {
			key, err := dec.Token()
			if err != nil {
				return 0, false
			}
			name, _ = key.(string)
		}
		if name == token {
			return at, true
		}
		var skipped json.RawMessage
		if dec.Decode(&skipped) != nil {
			return 0, false
		}
	}
	return 0, false
}

// leading gives the place of the first byte at or after offset that begins a
// value or a name.
func leading(data string, offset int) int {
	for offset < len(data) && (isSpace(data[offset]) || data[offset] == ',' || data[offset] == ':') {
		offset++
	}
	return offset
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

// resolve gives the value that tokens lead to inside a decoded document.
func resolve(doc any, tokens []string) (any, bool) {
	for _, t := range tokens {
		switch d := doc.(type) {
		case map[string]any:
			v, ok := d[t]
			if !ok {
				return nil, false
			}
			doc = v
		case []any:
			i, err := strconv.Atoi(t)
			if err != nil || i < 0 || i >= len(d) {
				return nil, false
			}
			doc = d[i]
		default:
			return nil, false
		}
	}
	return doc, true
}

// escapeToken makes a name fit for a JSON pointer.
func escapeToken(name string) string {
	return strings.ReplaceAll(strings.ReplaceAll(name, "~", "~0"), "/", "~1")
}
