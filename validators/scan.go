package validators

import "strings"

// flaw says why a text is no JSON. It is a small set, so that it may stand in a
// reason.
type flaw uint8

const (
	flawNone flaw = iota
	flawTruncated
	flawTrailingComma
	flawComment
	flawQuotes
	flawWord
	flawControl
	flawEscape
	flawNumber
	flawSyntax
)

var flawTexts = [...]string{
	flawNone:          "",
	flawTruncated:     "ends too early",
	flawTrailingComma: "trailing comma",
	flawComment:       "comment",
	flawQuotes:        "quotes other than \"",
	flawWord:          "bare word",
	flawControl:       "control character in a string",
	flawEscape:        "invalid escape in a string",
	flawNumber:        "invalid number",
	flawSyntax:        "comma, colon or bracket missing or misplaced",
}

func (f flaw) String() string { return flawTexts[f] }

// scanned is what a scan of one JSON value found out.
type scanned struct {
	start, end int  // the value is text[start:end]; end is the place of the flaw when there is one
	flaw       flaw // flawNone: the value is JSON (RFC 8259)
	depth      int  // of nested arrays and objects
	values     int  // values in all, the outermost included
	members    int  // members of objects in all
	longest    int  // bytes of the longest key, as it is written
	wide       bool // a number is beyond what a double holds, or absurdly long
}

// maxDigits bounds the digits of a number and maxExponent its exponent. Every
// double can be written within them. A number beyond them would make exact
// arithmetic on it a way to keep a worker busy.
const (
	maxDigits   = 1100
	maxExponent = 400
)

// scan reads the JSON value that starts at text[i], in one pass and without
// recursion. It accepts exactly what [encoding/json.Valid] accepts, but for the
// depth, which is the caller's to judge; and it says what is wrong and where.
func scan(text string, i int) scanned {
	s := scanner{text: text, scanned: scanned{start: i}}
	s.end, s.flaw = s.run(i)
	return s.scanned
}

type scanner struct {
	scanned
	text string
	open []byte // brackets that wait for their partner
	buf  [32]byte
}

func (s *scanner) run(i int) (int, flaw) {
	s.open = s.buf[:0]
	for {
		// A value is due at i.
		i = s.space(i)
		if i >= len(s.text) {
			return i, flawTruncated
		}
		s.values++
		var bad flaw
		switch c := s.text[i]; c {
		case '{', '[':
			s.open = append(s.open, c)
			s.depth = max(s.depth, len(s.open))
			i = s.space(i + 1)
			if i < len(s.text) && s.text[i] == c+2 { // '{'+2 is '}', '['+2 is ']'
				break // empty: closed below
			}
			if c == '{' {
				if i, bad = s.key(i); bad != flawNone {
					return i, bad
				}
			}
			continue
		default:
			if i, bad = s.scalar(i); bad != flawNone {
				return i, bad
			}
		}
		// A value, or an opening bracket of nothing, has ended before i.
		again := false
		for len(s.open) > 0 && !again {
			if i, again, bad = s.after(i); bad != flawNone {
				return i, bad
			}
		}
		if !again {
			return i, flawNone
		}
	}
}

// after reads what follows a value inside an array or object: a closing bracket,
// or a comma and what stands before the next value.
func (s *scanner) after(i int) (next int, again bool, bad flaw) {
	i = s.space(i)
	if i >= len(s.text) {
		return i, false, flawTruncated
	}
	top := s.open[len(s.open)-1]
	switch s.text[i] {
	case top + 2:
		s.open = s.open[:len(s.open)-1]
		return i + 1, false, flawNone
	case ',':
		comma := i
		i = s.space(i + 1)
		if i < len(s.text) && s.text[i] == top+2 {
			return comma, false, flawTrailingComma
		}
		if top == '{' {
			i, bad = s.key(i)
		}
		return i, true, bad
	}
	return i, false, s.wrong(i, flawSyntax)
}

// key reads a member's name and the colon.
func (s *scanner) key(i int) (int, flaw) {
	if i >= len(s.text) {
		return i, flawTruncated
	}
	if s.text[i] != '"' {
		return i, s.wrong(i, flawSyntax)
	}
	opened := i
	i, bad := s.str(i)
	if bad != flawNone {
		return i, bad
	}
	s.longest = max(s.longest, i-opened)
	i = s.space(i)
	if i >= len(s.text) {
		return i, flawTruncated
	}
	if s.text[i] != ':' {
		return i, s.wrong(i, flawSyntax)
	}
	s.members++
	return i + 1, flawNone
}

func (s *scanner) scalar(i int) (int, flaw) {
	switch c := s.text[i]; {
	case c == '"':
		return s.str(i)
	case c == '-' || c >= '0' && c <= '9':
		return s.number(i)
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s.text[i:], word) {
			return i + len(word), flawNone
		}
		if rest := s.text[i:]; rest != "" && strings.HasPrefix(word, rest) {
			return len(s.text), flawTruncated
		}
	}
	return i, s.wrong(i, flawSyntax)
}

func (s *scanner) str(i int) (int, flaw) {
	for i++; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			return i + 1, flawNone
		case c < ' ':
			return i, flawControl
		case c == '\\':
			if i++; i >= len(s.text) {
				return i, flawTruncated
			}
			if s.text[i] == 'u' {
				for range 4 {
					if i++; i >= len(s.text) {
						return i, flawTruncated
					}
					if !isHex(s.text[i]) {
						return i, flawEscape
					}
				}
			} else if strings.IndexByte(`"\/bfnrt`, s.text[i]) < 0 {
				return i, flawEscape
			}
		}
	}
	return i, flawTruncated
}

func (s *scanner) number(i int) (int, flaw) {
	first := i
	if s.text[i] == '-' {
		i++
	}
	whole := i
	i = s.digits(i)
	switch {
	case i == whole && i >= len(s.text):
		return i, flawTruncated
	case i == whole:
		return i, s.wrong(i, flawNumber)
	case s.text[whole] == '0' && i > whole+1:
		return whole, flawNumber
	}
	if i < len(s.text) && s.text[i] == '.' {
		fraction := i + 1
		if i = s.digits(fraction); i == fraction {
			return i, s.short(i)
		}
	}
	s.wide = s.wide || i-first > maxDigits
	if i < len(s.text) && (s.text[i] == 'e' || s.text[i] == 'E') {
		i++
		if i < len(s.text) && (s.text[i] == '+' || s.text[i] == '-') {
			i++
		}
		exponent := i
		if i = s.digits(exponent); i == exponent {
			return i, s.short(i)
		}
		n := 0
		for _, c := range s.text[exponent:i] {
			n = min(n*10+int(c-'0'), maxExponent+1)
		}
		s.wide = s.wide || n > maxExponent
	}
	return i, flawNone
}

// short is the flaw of a number that lacks digits at i.
func (s *scanner) short(i int) flaw {
	if i >= len(s.text) {
		return flawTruncated
	}
	return flawNumber
}

func (s *scanner) digits(i int) int {
	for i < len(s.text) && s.text[i] >= '0' && s.text[i] <= '9' {
		i++
	}
	return i
}

func (s *scanner) space(i int) int {
	for i < len(s.text) && isSpace(s.text[i]) {
		i++
	}
	return i
}

// wrong gives a nearer name to what stands at i than otherwise would.
func (s *scanner) wrong(i int, otherwise flaw) flaw {
	switch c := s.text[i]; {
	case c == '/' && i+1 < len(s.text) && (s.text[i+1] == '/' || s.text[i+1] == '*'), c == '#':
		return flawComment
	case c == '\'' || c == '`', strings.HasPrefix(s.text[i:], "“"), strings.HasPrefix(s.text[i:], "”"):
		return flawQuotes
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_', c == '$':
		return flawWord
	}
	return otherwise
}

func isSpace(c byte) bool { return c == ' ' || c == '\n' || c == '\r' || c == '\t' }

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// trimJSON cuts the white space that JSON knows, and no other.
func trimJSON(text string) string { return strings.Trim(text, " \t\r\n") }
