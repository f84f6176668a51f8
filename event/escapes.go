package event

import (
	"bytes"
	"encoding/hex"
	"unicode/utf16"
	"unicode/utf8"
)

// expandEscapes returns a JSON value with its \u escapes replaced by UTF-8 wherever
// JSON allows that (é for Python's \u00e9, & for Go's \u0026), so that an answer
// has the same text whichever library published it. The order of members, the
// digits of numbers and the escapes that JSON requires stay.
func expandEscapes(value []byte) []byte {
	i := bytes.IndexByte(value, '\\') // only occurs inside strings
	if i < 0 {
		return value
	}
	out := make([]byte, 0, len(value))
	for ; i >= 0; i = bytes.IndexByte(value, '\\') {
		out = append(out, value[:i]...)
		r, n := unescape(value[i:])
		if n == 0 {
			n = min(2, len(value)-i)
			out = append(out, value[i:i+n]...)
		} else {
			out = utf8.AppendRune(out, r)
		}
		value = value[i+n:]
	}
	return append(out, value...)
}

// unescape returns the rune and the length of the escape at the beginning of s. The
// length is 0 for an escape that has to stay.
func unescape(s []byte) (r rune, n int) {
	switch {
	case len(s) >= 2 && s[1] == '/':
		return '/', 2
	case len(s) < 6 || s[1] != 'u':
		return 0, 0
	}
	r, ok := fourDigits(s[2:6])
	switch {
	case !ok || r < ' ' || r == '"' || r == '\\':
		return 0, 0
	case !utf16.IsSurrogate(r):
		return r, 6
	case len(s) < 12 || s[6] != '\\' || s[7] != 'u':
		return 0, 0
	}
	low, ok := fourDigits(s[8:12])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, 0
	}
	return r, 12
}

func fourDigits(s []byte) (rune, bool) {
	var b [2]byte
	_, err := hex.Decode(b[:], s)
	return rune(b[0])<<8 | rune(b[1]), err == nil
}
