package redact

import (
	"fmt"
	"strconv"
	"strings"
)

// format is the form of a token: literals, and runs of characters between them.
type format []run

// run is a literal, or between least and most characters of a class.
type run struct {
	literal     string
	class       class
	least, most int
}

// class is a set of characters, as a bit in the table classes.
type class uint16

// The classes of characters that tokens consist of, by their letter in a format.
const (
	digit      class = 1 << iota // d
	hexLower                     // h
	hexAny                       // H
	lowerNum                     // a
	upperNum                     // A
	base32                       // U
	letter                       // l
	alphaNum                     // w
	alphaDash                    // k: and -
	urlSafe                      // u: and - _
	base64Char                   // b: and + /
	tokenChar                    // x: and - _ . =
	padding                      // =
	anyBase64                    // q: those of base64 in both alphabets, =
)

var classLetters = map[byte]class{
	'd': digit, 'h': hexLower, 'H': hexAny, 'a': lowerNum, 'A': upperNum, 'U': base32, 'l': letter, 'w': alphaNum,
	'k': alphaDash, 'u': urlSafe, 'b': base64Char, 'x': tokenChar, '=': padding, 'q': anyBase64,
}

// classes tells of each byte to which classes it belongs.
var classes = func() (t [256]class) {
	add := func(chars string, cs class) {
		for i := range len(chars) {
			t[chars[i]] |= cs
		}
	}
	word := alphaNum | alphaDash | urlSafe | base64Char | tokenChar | anyBase64
	add("0123456789", word|digit|hexLower|hexAny|lowerNum|upperNum)
	add("234567", base32)
	add("abcdefghijklmnopqrstuvwxyz", word|lowerNum|letter)
	add("abcdef", hexLower|hexAny)
	add(capitals, word|upperNum|letter|base32)
	add("ABCDEF", hexAny)
	add("-", alphaDash|urlSafe|tokenChar|anyBase64)
	add("_", urlSafe|tokenChar|anyBase64)
	add("+/", base64Char|anyBase64)
	add(".", tokenChar)
	add("=", tokenChar|padding|anyBase64)
	return t
}()

const capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

// parseFormat reads the notation of the table of tokens: "glsa_{w32}_{H8}" is glsa_,
// 32 letters or digits, an underscore and 8 hexadecimal digits. {w8-48} has from 8 to
// 48 characters, and {w20+} 20 or more.
func parseFormat(s string) (format, error) {
	var f format
	for s != "" {
		literal, rest, found := strings.Cut(s, "{")
		if literal != "" {
			f = append(f, run{literal: literal})
		}
		if !found {
			break
		}
		body, after, closed := strings.Cut(rest, "}")
		if !closed || len(body) < 2 || classLetters[body[0]] == 0 {
			return nil, fmt.Errorf("format %q: want {, the letter of a class, a number and }", s)
		}
		r := run{class: classLetters[body[0]]}
		least, most, ranged := strings.Cut(body[1:], "-")
		least, open := strings.CutSuffix(least, "+")
		var err error
		if r.least, err = strconv.Atoi(least); err != nil {
			return nil, fmt.Errorf("format %q: %w", s, err)
		}
		r.most = r.least
		switch {
		case open && r.class&(joined|base64Char) != 0:
			r.most = longestRun
		case open:
			r.most = 1 << 20
		case ranged:
			if r.most, err = strconv.Atoi(most); err != nil {
				return nil, fmt.Errorf("format %q: %w", s, err)
			}
		}
		f = append(f, r)
		s = after
	}
	return f, nil
}

// joined are the classes with characters that join words.
const joined = alphaDash | urlSafe | tokenChar | anyBase64

// longestRun bounds a run in which other tokens may begin, so that a text of nothing
// but beginnings takes linear time.
const longestRun = 768

// match returns the end of the token that begins at i, 0 if there is none. A token
// ends where no letter, digit or underscore follows, unless its last run is open.
func (f format) match(text string, i int) int {
	for _, r := range f {
		if r.literal != "" {
			if !strings.HasPrefix(text[i:], r.literal) {
				return 0
			}
			i += len(r.literal)
			continue
		}
		n := 0
		for n < r.most && i+n < len(text) && classes[text[i+n]]&r.class != 0 {
			n++
		}
		if n < r.least {
			return 0
		}
		i += n
	}
	if i < len(text) && classes[text[i]]&alphaNum != 0 {
		return 0
	}
	return i
}

// payload returns what is random in a token: all of it but the first literal.
func (f format) payload(token string) string { return token[len(f[0].literal):] }

// mayBeCode reports whether the name of a method, behind its object, has this form.
func (f format) mayBeCode() bool { return len(f) == 2 && len(f[0].literal) < 3 }

// mayBeWords reports whether words joined by dashes have this form too.
func (f format) mayBeWords() bool {
	for _, r := range f {
		if r.class&joined != 0 && r.least < 60 {
			return true
		}
	}
	return false
}
