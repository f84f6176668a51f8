package jsonscan

import (
	"math/bits"
	"strings"
)

// Kind is the kind of a token.
type Kind uint8

// The kinds of tokens. A member of an object is a Key and then its value; its
// colon, and the commas between members and items, are not tokens.
const (
	None      Kind = iota
	Object         // {
	Array          // [
	Close          // } or ], of the innermost open value
	Key            // the name of a member, with its quotes
	String         // with its quotes
	Number         // as it is written
	Literal        // true, false or null
	NonFinite      // NaN, Infinity or -Infinity, which JSON does not have; see AllowNonFinite
)

// Token is one token of a text: text[Start:End].
type Token struct {
	Kind       Kind
	Start, End int
}

// Text is a text that can be scanned.
type Text interface{ string | []byte }

// Scanner reads one JSON value.
type Scanner[T Text] struct {
	text  T
	pos   int
	due   due
	flaw  Flaw
	depth int
	most  int      // levels that are allowed; 0: any number
	loose bool     // NonFinite is allowed
	near  [64]byte // the opening brackets that have not been closed
	far   []byte   // the brackets beyond the length of near
}

// due says what may follow at the scanner's position.
type due uint8

const (
	dueValue due = iota
	dueFirst     // the first member or item, or a closing bracket
	dueNext      // a comma or a closing bracket; outside of all brackets: nothing
)

// New returns a scanner for the value that begins at text[at], possibly after white
// space.
func New[T Text](text T, at int) Scanner[T] { return Scanner[T]{text: text, pos: at} }

// LimitDepth makes an array or object below that many others a flaw, FlawDepth.
func (s *Scanner[T]) LimitDepth(most int) { s.most = most }

// AllowNonFinite makes NaN, Infinity and -Infinity tokens instead of flaws. Python's
// json module writes numbers that JSON does not have in this way.
func (s *Scanner[T]) AllowNonFinite() { s.loose = true }

// Pos returns the offset after the last token, or of the flaw.
func (s *Scanner[T]) Pos() int { return s.pos }

// Depth returns the number of open arrays and objects. It includes one whose
// opening bracket was the last token, but not one whose closing bracket was.
func (s *Scanner[T]) Depth() int { return s.depth }

// Flaw returns why the part of the text read so far is not JSON.
func (s *Scanner[T]) Flaw() Flaw { return s.flaw }

// Whole reports whether the value has ended and nothing but white space follows.
func (s *Scanner[T]) Whole() bool {
	if s.flaw == FlawNone {
		s.space()
	}
	return s.pos == len(s.text) && s.flaw == FlawNone && s.due == dueNext && s.depth == 0
}

// Next returns the next token. ok is false when the value has ended and when the
// text is not JSON from here on. In the second case the token's kind is the kind of
// the broken scalar, or None when something else is broken.
func (s *Scanner[T]) Next() (t Token, ok bool) {
	if s.flaw != FlawNone || s.due == dueNext && s.depth == 0 {
		return Token{}, false
	}
	s.space()
	if s.pos < len(s.text) && s.due != dueValue {
		if s.text[s.pos] == s.closing() {
			s.depth--
			s.due, s.pos = dueNext, s.pos+1
			return Token{Close, s.pos - 1, s.pos}, true
		}
		if s.due == dueNext && !s.comma() {
			return Token{}, false
		}
		if s.closing() == '}' {
			return s.key()
		}
	}
	if s.pos >= len(s.text) {
		return s.fail(None, s.pos, FlawTruncated)
	}
	return s.value()
}

// Skip reads to the end of the array or object that t has just opened; for any
// other token it does nothing.
func (s *Scanner[T]) Skip(t Token) {
	if t.Kind != Object && t.Kind != Array {
		return
	}
	for outside, ok := s.depth-1, true; ok && s.depth > outside; {
		_, ok = s.Next()
	}
}

// closing returns the bracket that closes the innermost open value: in ASCII, '}' is
// '{'+2 and ']' is '['+2.
func (s *Scanner[T]) closing() byte {
	if s.depth <= len(s.near) {
		return s.near[s.depth-1] + 2
	}
	return s.far[s.depth-1-len(s.near)] + 2
}

func (s *Scanner[T]) push(opening byte) {
	if s.depth < len(s.near) {
		s.near[s.depth] = opening
	} else {
		s.far = append(s.far[:s.depth-len(s.near)], opening)
	}
	s.depth++
}

// comma reads the comma before a member or an item.
func (s *Scanner[T]) comma() bool {
	comma := s.pos
	if !s.mark(',') {
		return false
	}
	s.space()
	if s.pos < len(s.text) && s.text[s.pos] == s.closing() {
		s.fail(None, comma, FlawTrailingComma)
		return false
	}
	return true
}

// mark reads a comma, a colon or a quote.
func (s *Scanner[T]) mark(c byte) bool {
	switch s.space(); {
	case s.pos >= len(s.text):
		s.fail(None, s.pos, FlawTruncated)
	case s.text[s.pos] != c:
		s.fail(None, s.pos, s.nameFlaw(s.pos, FlawSyntax))
	default:
		s.pos++
	}
	return s.flaw == FlawNone
}

func (s *Scanner[T]) key() (t Token, ok bool) {
	start := s.pos
	if !s.mark('"') {
		return Token{}, false
	}
	end, flaw := s.quoted(start)
	if flaw != FlawNone {
		return s.fail(None, end, flaw)
	}
	s.pos, s.due = end, dueValue
	if !s.mark(':') {
		return Token{}, false
	}
	return Token{Key, start, end}, true
}

// value reads a scalar or an opening bracket.
func (s *Scanner[T]) value() (t Token, ok bool) {
	t = Token{Start: s.pos, End: s.pos + 1}
	s.due = dueNext
	var flaw Flaw
	switch c := s.text[s.pos]; {
	case c == '{':
		t.Kind, s.due = Object, dueFirst
		s.push(c)
	case c == '[':
		t.Kind, s.due = Array, dueFirst
		s.push(c)
	case c == '"':
		t.Kind = String
		t.End, flaw = s.quoted(s.pos)
	case s.loose && s.nonFinite() > 0:
		t.Kind, t.End = NonFinite, s.pos+s.nonFinite()
	case c == '-' || isDigit(c):
		t.Kind = Number
		t.End, flaw = s.number(s.pos)
	default:
		t.Kind = Literal
		t.End, flaw = s.literal(s.pos)
	}
	if flaw != FlawNone {
		return s.fail(t.Kind, t.End, flaw)
	}
	if s.most > 0 && s.depth > s.most {
		return s.fail(None, t.End, FlawDepth)
	}
	s.pos = t.End
	return t, true
}

// nonFinite returns the length of the NonFinite at the scanner's position, 0 when
// there is none.
func (s *Scanner[T]) nonFinite() int {
	switch s.text[s.pos] {
	case 'N', 'I', '-':
	default:
		return 0
	}
	for _, word := range [...]string{"NaN", "Infinity", "-Infinity"} {
		if len(s.text)-s.pos >= len(word) && string(s.text[s.pos:s.pos+len(word)]) == word {
			return len(word)
		}
	}
	return 0
}

func (s *Scanner[T]) fail(kind Kind, at int, flaw Flaw) (Token, bool) {
	s.pos, s.flaw = at, flaw
	return Token{Kind: kind}, false
}

// quoted returns the end of the string or key at i, or the place of its flaw;
// number and literal do the same for their kinds.
func (s *Scanner[T]) quoted(i int) (int, Flaw) {
	for i = plain(s.text, i+1); i < len(s.text); i = plain(s.text, i+1) {
		switch c := s.text[i]; {
		case c == '"':
			return i + 1, FlawNone
		case c != '\\':
			return i, FlawControl
		}
		if i++; i >= len(s.text) {
			return i, FlawTruncated
		}
		switch s.text[i] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			for range 4 {
				if i++; i >= len(s.text) {
					return i, FlawTruncated
				}
				if !isHex(s.text[i]) {
					return i, FlawEscape
				}
			}
		default:
			return i, FlawEscape
		}
	}
	return i, FlawTruncated
}

// plain returns the offset of the first byte from i on that is a quote, a backslash
// or a control character; the length of the text when there is none. It looks at
// eight bytes at once, because most bytes of most events are a string's.
func plain[T Text](text T, i int) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(text); i += 8 {
		t := text[i : i+8]
		x := uint64(t[0]) | uint64(t[1])<<8 | uint64(t[2])<<16 | uint64(t[3])<<24 |
			uint64(t[4])<<32 | uint64(t[5])<<40 | uint64(t[6])<<48 | uint64(t[7])<<56
		// Subtracting c from a byte below c borrows, which sets the top bit of the
		// difference but not that of the byte. A borrow can also reach the bytes above
		// it, so only the lowest bit that is set is sure.
		quote, slash := x^'"'*ones, x^'\\'*ones
		found := ((x-' '*ones)&^x | (quote-ones)&^quote | (slash-ones)&^slash) & tops
		if found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(text) && text[i] >= ' ' && text[i] != '"' && text[i] != '\\' {
		i++
	}
	return i
}

func (s *Scanner[T]) number(i int) (int, Flaw) {
	if s.text[i] == '-' {
		i++
	}
	whole := i
	i, flaw := s.digits(i)
	switch {
	case flaw == FlawNumber:
		return i, s.nameFlaw(i, flaw)
	case flaw == FlawNone && s.text[whole] == '0' && i > whole+1:
		return whole, FlawNumber
	}
	if flaw == FlawNone && i < len(s.text) && s.text[i] == '.' {
		i, flaw = s.digits(i + 1)
	}
	if flaw == FlawNone && i < len(s.text) && s.text[i]|0x20 == 'e' {
		if i++; i < len(s.text) && (s.text[i] == '+' || s.text[i] == '-') {
			i++
		}
		i, flaw = s.digits(i)
	}
	return i, flaw
}

// digits returns the end of the digits at i; there must be at least one.
func (s *Scanner[T]) digits(i int) (int, Flaw) {
	first := i
	for i < len(s.text) && isDigit(s.text[i]) {
		i++
	}
	switch {
	case i > first:
		return i, FlawNone
	case i == len(s.text):
		return i, FlawTruncated
	}
	return i, FlawNumber
}

func (s *Scanner[T]) literal(i int) (int, Flaw) {
	for _, word := range [...]string{"true", "false", "null"} {
		n := min(len(word), len(s.text)-i)
		switch {
		case string(s.text[i:i+n]) != word[:n]:
		case n == len(word):
			return i + n, FlawNone
		default:
			return i + n, FlawTruncated
		}
	}
	return i, s.nameFlaw(i, FlawSyntax)
}

func (s *Scanner[T]) space() {
	for s.pos < len(s.text) {
		switch s.text[s.pos] {
		case ' ', '\n', '\r', '\t':
			s.pos++
		default:
			return
		}
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

// Flaw says why a text is not JSON, in words that repeat nothing of the text. It is
// one of the constants below.
type Flaw string

// The flaws.
const (
	FlawNone          Flaw = ""
	FlawTruncated     Flaw = "ends too early"
	FlawTrailingComma Flaw = "trailing comma"
	FlawComment       Flaw = "comment"
	FlawQuotes        Flaw = `quotes other than "`
	FlawWord          Flaw = "bare word"
	FlawControl       Flaw = "control character in a string"
	FlawEscape        Flaw = "invalid escape in a string"
	FlawNumber        Flaw = "invalid number"
	FlawDepth         Flaw = "nested too deep"
	FlawSyntax        Flaw = "comma, colon or bracket missing or misplaced"
)

// nameFlaw returns the flaw for the text at i if models and people often write it
// by mistake, else otherwise.
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
