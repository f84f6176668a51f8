package validators

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// span is a JSON value in a text, or an attempt at one, with the counts that bound
// the work of validating it.
type span struct {
	start, end int           // the value is text[start:end]; end is the place of the flaw when there is one
	flaw       jsonscan.Flaw // FlawNone: the value is JSON (RFC 8259)
	depth      int           // of nested arrays and objects
	values     int           // values in all, the outermost included
	members    int           // members of objects in all
	longest    int           // bytes of the longest key, as it is written
	wide       bool          // a number is beyond what a double holds, or absurdly long
	fenced     bool          // in prose: it is at the start of a code fence
}

// scanValue reads the JSON value that starts at text[start], in one pass and
// without recursion. The caller has to check its depth.
func scanValue(text string, start int) span {
	v := span{start: start}
	s := jsonscan.New(text, start)
	for ok := true; ok; {
		var t jsonscan.Token
		switch t, ok = s.Next(); t.Kind {
		case jsonscan.None, jsonscan.Close:
			continue
		case jsonscan.Key:
			v.members++
			v.longest = max(v.longest, t.End-t.Start)
			continue
		case jsonscan.Object, jsonscan.Array:
			v.depth = max(v.depth, s.Depth())
		case jsonscan.Number:
			v.wide = v.wide || isWide(text[t.Start:t.End])
		}
		v.values++ // a scalar counts even when it is broken
	}
	v.end, v.flaw = s.Pos(), s.Flaw()
	return v
}

// maxDigits bounds the digits of a number and maxExponent its exponent. They admit
// every double; exact arithmetic on larger numbers could keep a worker busy.
const (
	maxDigits   = 1100
	maxExponent = 400
)

func isWide(number string) bool {
	digits, exponent, found := strings.Cut(strings.ToLower(number), "e")
	if len(digits) > maxDigits || !found {
		return len(digits) > maxDigits
	}
	n, err := strconv.Atoi(exponent)
	return err != nil || n < -maxExponent || n > maxExponent
}

// scanWhole scans a text that should be one JSON value and nothing else.
func scanWhole(text string) (v span, ok bool) {
	text = trimJSON(text)
	v = scanValue(text, 0)
	return v, v.flaw == jsonscan.FlawNone && trimJSON(text[v.end:]) == ""
}

// trimJSON cuts the white space that JSON knows, and no other.
func trimJSON(text string) string { return strings.Trim(text, " \t\r\n") }

// serious reports whether text that is not JSON was meant to be: a key has been
// read, or the value opens a code fence or the text and is more than a mere [Note].
func (v span) serious(text string) bool {
	if v.fenced || v.members > 0 {
		return true
	}
	return trimJSON(text[:v.start]) == "" && (text[v.start] == '{' || v.values > 2)
}

// A search for JSON reads at most maxRescan times the text and scanSlack more, so
// that it is linear although each opening bracket may begin a value. The slack
// lets a short text be searched to its end.
const (
	maxRescan = 8
	scanSlack = 4 << 10
)

// findJSON calls yield for each outermost object and array in text, from left to
// right, until yield returns false. It returns the first serious attempt that is not
// JSON; its flaw is FlawNone when there is none. After such an attempt only values in
// a code fence are yielded, since anything else may be a part of the attempt.
func findJSON(text string, yield func(span) bool) (attempt span) {
	work := maxRescan*len(text) + scanSlack
	for i := 0; work > 0; {
		n := strings.IndexAny(text[i:], "{[")
		if n < 0 {
			break
		}
		i += n
		v := scanValue(text, i)
		v.fenced = opensFence(text[:i])
		work -= v.end - i + n + 1
		switch {
		case v.flaw != jsonscan.FlawNone:
			if attempt.flaw == jsonscan.FlawNone && v.serious(text) {
				attempt = v
			}
			i++
			continue
		case attempt.flaw != jsonscan.FlawNone && !v.fenced:
		case !yield(v):
			return attempt
		}
		i = v.end
	}
	return attempt
}

// opensFence reports whether the last line of before, or the line above it when
// that is blank, opens a code fence.
func opensFence(before string) bool {
	before = strings.TrimRight(before[max(0, len(before)-64):], " \t\r\n")
	line := strings.TrimLeft(before[strings.LastIndexByte(before, '\n')+1:], " \t")
	return strings.HasPrefix(line, "```") || strings.HasPrefix(line, "~~~")
}

// withoutFence returns what stands in a code fence if nothing stands outside of it,
// and otherwise the text.
func withoutFence(text string) string {
	trimmed := strings.TrimSpace(text)
	for _, fence := range [...]string{"```", "~~~"} {
		inside, opens := strings.CutPrefix(trimmed, fence)
		inside, closes := strings.CutSuffix(inside, fence)
		if _, body, ok := strings.Cut(inside, "\n"); opens && closes && ok && !strings.Contains(body, fence) {
			return body
		}
	}
	return text
}

// decode returns a JSON text that has been scanned, with numbers as they are
// written.
func decode(text string) any {
	s := jsonscan.New(text, 0)
	t, _ := s.Next()
	return decodeValue(text, &s, t)
}

// decodeValue returns the value that begins with t. It recurses once a level.
func decodeValue(text string, s *jsonscan.Scanner[string], t jsonscan.Token) any {
	switch t.Kind {
	case jsonscan.Object:
		object := map[string]any{}
		for key, ok := s.Next(); ok && key.Kind == jsonscan.Key; key, ok = s.Next() {
			name, _ := jsonscan.Unquote(text[key.Start:key.End]) // the scan has accepted it
			value, _ := s.Next()
			object[name] = decodeValue(text, s, value)
		}
		return object
	case jsonscan.Array:
		array := []any{}
		for item, ok := s.Next(); ok && item.Kind != jsonscan.Close; item, ok = s.Next() {
			array = append(array, decodeValue(text, s, item))
		}
		return array
	case jsonscan.String:
		value, _ := jsonscan.Unquote(text[t.Start:t.End])
		return value
	case jsonscan.Number:
		return json.Number(text[t.Start:t.End])
	}
	switch text[t.Start:t.End] {
	case "true":
		return true
	case "false":
		return false
	}
	return nil
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

// countMembers counts the members of all objects. A number below the scan's count
// shows a duplicate key in one object, of which this decoder keeps the last and
// others may keep the first.
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
// valid JSON; for a member, the offset of its name. If the pointer leads nowhere it
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
