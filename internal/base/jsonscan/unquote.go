package jsonscan

import (
	"errors"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var errNotString = errors.New("not a JSON string")

// Unquote decodes a String or a Key. Bytes that are not UTF-8, and escapes of half a
// surrogate pair, become U+FFFD, as in encoding/json. It copies a string that has no
// escapes only out of a []byte. The error is for a token that the scanner has not
// accepted.
func Unquote[T Text](token T) (string, error) {
	if len(token) < 2 || token[0] != '"' || token[len(token)-1] != '"' {
		return "", errNotString
	}
	inner := string(token[1 : len(token)-1])
	i := plain(inner, 0)
	if i == len(inner) {
		return fullUTF8(inner), nil
	}
	var b strings.Builder
	b.Grow(len(inner))
	for ; i < len(inner); i = plain(inner, 0) {
		r, n := escape(inner[i:])
		if n == 0 {
			return "", errNotString
		}
		b.WriteString(inner[:i])
		b.WriteRune(r)
		inner = inner[i+n:]
	}
	b.WriteString(inner)
	return fullUTF8(b.String()), nil
}

// fullUTF8 replaces each byte that is not UTF-8.
func fullUTF8(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s { // such a byte ranges as U+FFFD
		b.WriteRune(r)
	}
	return b.String()
}

// escape returns the rune that the escape at the beginning of s stands for, and the
// length of the escape; 0 when it is none.
func escape(s string) (r rune, n int) {
	if len(s) < 2 || s[0] != '\\' {
		return 0, 0
	}
	switch c := s[1]; c {
	case '"', '\\', '/':
		return rune(c), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r = fourDigits(s[2:])
	default:
		r = -1
	}
	switch {
	case r < 0:
		return 0, 0
	case !utf16.IsSurrogate(r):
		return r, 6
	}
	if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
		if pair := utf16.DecodeRune(r, fourDigits(s[8:])); pair != utf8.RuneError {
			return pair, 12
		}
	}
	return utf8.RuneError, 6
}

// fourDigits returns the number that four hexadecimal digits are, -1 when they are
// none.
func fourDigits(s string) (r rune) {
	if len(s) < 4 {
		return -1
	}
	for i := range 4 {
		c := s[i]
		if !isHex(c) {
			return -1
		}
		d := rune(c & 0xf)
		if c > '9' {
			d += 9
		}
		r = r<<4 | d
	}
	return r
}
