package jsonscan

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// Flaw says why a text is not JSON. It is a small set of short texts that hold
// nothing of the text.
type Flaw uint8

// The flaws.
const (
	FlawNone Flaw = iota
	FlawTruncated
	FlawTrailingComma
	FlawComment
	FlawQuotes
	FlawWord
	FlawControl
	FlawEscape
	FlawNumber
	FlawSyntax
)

// String returns the flaw in words.
func (f Flaw) String() string {
	return [...]string{
		FlawNone:          "",
		FlawTruncated:     "ends too early",
		FlawTrailingComma: "trailing comma",
		FlawComment:       "comment",
		FlawQuotes:        "quotes other than \"",
		FlawWord:          "bare word",
		FlawControl:       "control character in a string",
		FlawEscape:        "invalid escape in a string",
		FlawNumber:        "invalid number",
		FlawSyntax:        "comma, colon or bracket missing or misplaced",
	}[f]
}

// nameFlaw names what stands at i where it must not; otherwise is the answer when
// it is nothing that models and people often write.
func (s *Scanner[T]) nameFlaw(i int, otherwise Flaw) Flaw {
	next := string(s.text[i:min(i+3, len(s.text))])
	switch c := next[0]; {
	case strings.HasPrefix(next, "//"), strings.HasPrefix(next, "/*"), c == '#':
		return FlawComment
	case c == '\'', c == '`', next == "“", next == "”":
		return FlawQuotes
	case c|0x20 >= 'a' && c|0x20 <= 'z', c == '_', c == '$':
		return FlawWord
	}
	return otherwise
}

// Unquote decodes a String or a Key. Bytes that are not UTF-8 become U+FFFD, as
// in encoding/json.
func Unquote[T Text](token T) (string, error) {
	inner := string(token[1 : len(token)-1])
	if strings.IndexByte(inner, '\\') < 0 && utf8.ValidString(inner) {
		return inner, nil
	}
	var s string
	err := json.Unmarshal([]byte(token), &s)
	return s, err
}
