package redact

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/evalworker/evalworker/internal/base/visible"
)

// Bounds of what is read for one text. Each reading is searched on its own.
const (
	maxTexts          = 24
	maxDepthOfReading = 4 // how often the result of a reading is read again, as for a percent sign that is itself percent-encoded
)

// reading is a way to read a text. All fold the digits, letters, spaces, quotes and
// dashes of Unicode that stand for ASCII, and resolve the escapes of quotes and line
// breaks, so that a card number in full-width digits is found too.
//
// They differ in what can both part and join words: "card\u200b4111..." holds a number
// if an invisible character parts words, and "41\u200b11..." if it does not. A text is
// read in all of the [readings], and what was read once more.
type reading uint8

const (
	joins        reading = 1 << iota // invisible characters are dropped, instead of parting words
	expands                          // escaped characters are expanded, instead of parting words
	joinsEscaped                     // escaped invisible characters are dropped, instead of parting words
	resolves                         // percent-encoding and references of HTML are resolved
)

// readings are the ways in which a text may be shown, the simplest first.
var readings = [...]reading{
	0, joins,
	expands, joins | expands,
	expands | joinsEscaped, joins | expands | joinsEscaped,
	expands | joinsEscaped | resolves, joins | expands | joinsEscaped | resolves,
}

// part is what stands in the place of a character that parts words.
const part = "\x01"

// ascii holds the characters of ASCII in order, for strings of one byte.
const ascii = "\x00\x01\x02\x03\x04\x05\x06\x07\x08\t\n\x0b\x0c\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f" +
	" !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~\x7f"

// read returns the text in this reading; the text itself if nothing in it differs.
func (as reading) read(text string) string {
	var b strings.Builder
	done := 0 // what is before it has been written
	for i := 0; i < len(text); {
		if !special[text[i]] {
			i++
			continue
		}
		piece, size := as.piece(text, i)
		if piece != text[i:i+size] {
			b.WriteString(text[done:i])
			b.WriteString(piece)
			done = i + size
		}
		i += size
	}
	if done == 0 {
		return text
	}
	b.WriteString(text[done:])
	return b.String()
}

// version is what one reading of a text gave.
type version struct {
	text  string
	from  int // the version that was read; -1: none
	as    reading
	depth int
}

// versions returns the text, if nothing in it is read differently, or else what it may
// look like to a reader. The text as it is comes first.
func versions(text string) []version {
	out := []version{{text: text, from: -1}}
	for at := 0; at < len(out); at++ {
		v := out[at]
		if v.depth == maxDepthOfReading {
			break
		}
		useful := usefulIn(v.text)
		for _, as := range readings {
			if as&^useful != 0 && as&useful&resolves == 0 || as == 0 && v.depth > 0 && useful&expands == 0 {
				continue // the same as a simpler one
			}
			read := as.read(v.text)
			if slices.ContainsFunc(out, func(o version) bool { return o.text == read }) {
				continue
			}
			if out = append(out, version{read, at, as, v.depth + 1}); len(out) == maxTexts {
				return out
			}
		}
	}
	return out
}

// usefulIn returns in which ways a text can be read differently.
func usefulIn(text string) (useful reading) {
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case !special[c]:
		case c == '\\':
			useful |= expands | joinsEscaped
		case c == '%', c == '&':
			useful |= resolves
		case c < utf8.RuneSelf:
			useful |= joins
		case useful&joins == 0 && mayBeInvisible(c):
			if r, _ := utf8.DecodeRuneInString(text[i:]); !visible.Is(r) {
				useful |= joins
			}
		}
	}
	return useful
}

// mayBeInvisible reports whether an invisible character beyond ASCII may begin with a
// byte.
func mayBeInvisible(c byte) bool {
	switch c {
	case 0xc2, 0xcd, 0xd8, 0xe1, 0xe2, 0xe3, 0xef, 0xf0, 0xf3:
		return true
	}
	return false
}

// origin maps matches in the result of read, which are in order and without overlap,
// to their places in the text that was read.
func (as reading) origin(text string, found []Match) {
	i, at := 0, 0 // the same place in the text and in the result
	piece, size := "", 0
	for k := range found {
		m := &found[k]
		for piece, size = as.piece(text, i); at+len(piece) <= m.Start; piece, size = as.piece(text, i) {
			i, at = i+size, at+len(piece)
		}
		start := i
		for at < m.End {
			piece, size = as.piece(text, i)
			i, at = i+size, at+len(piece)
		}
		m.Start, m.End = start, i
	}
}

// special tells the bytes with which something begins that a reading changes.
var special = func() (t [256]bool) {
	for c := range t {
		t[c] = c < ' ' && c != '\t' && c != '\n' && c != '\r' || c >= 0x7f
	}
	t['\\'], t['%'], t['&'] = true, true, true
	return t
}()

// piece returns what is read for the character or the escape at i, and its length in
// the text.
func (as reading) piece(text string, i int) (piece string, size int) {
	switch c := text[i]; {
	case !special[c]:
	case c == '\\':
		return as.escape(text, i)
	case c == '%' && as&resolves != 0:
		if r, n := percent(text[i:]); n > 0 {
			return folded(r), n
		}
	case c == '&' && as&resolves != 0:
		if r, n := reference(text[i:]); n > 0 {
			return folded(r), n
		}
	case c == '%', c == '&':
	case c >= utf8.RuneSelf:
		return as.character(text, i)
	default: // a control
		return as.hidden(text, i), 1
	}
	return text[i : i+1], 1
}

// hidden returns what is read for an invisible character. Behind another character
// than ASCII, such as an emoji, it parts no words.
func (as reading) hidden(text string, i int) string {
	if as&joins == 0 && i > 0 && text[i-1] > ' ' && text[i-1] < utf8.RuneSelf {
		return part
	}
	return ""
}

// escape reads a backslash and what follows. In JSON inside of JSON, an escape has
// several.
func (as reading) escape(text string, i int) (string, int) {
	n := i
	for n < len(text) && text[n] == '\\' {
		n++
	}
	if n == len(text) {
		return `\`, n - i
	}
	c := text[n]
	n++
	switch c {
	case 'n', 'r':
		return "\n", n - i
	case 't', 'b', 'f':
		return " ", n - i
	case '"', '\'', '/':
		return text[n-1 : n], n - i
	case 'u', 'U', 'x':
		digits := map[byte]int{'u': 4, 'U': 8, 'x': 2}[c]
		r, ok := hexRune(text, n, digits)
		if !ok {
			break
		}
		n += digits
		if utf16.IsSurrogate(r) {
			j := n
			for j < len(text) && text[j] == '\\' {
				j++
			}
			if low, ok := hexRune(text, j+1, 4); ok && j > n && text[j] == 'u' {
				if pair := utf16.DecodeRune(r, low); pair != utf8.RuneError {
					r, n = pair, j+5
				}
			}
		}
		if as&expands == 0 || as&joinsEscaped == 0 && !visible.Is(r) {
			return part, n - i
		}
		return folded(r), n - i
	}
	return `\`, n - 1 - i // as in the text that was escaped
}

// hexRune reads hexadecimal digits at i.
func hexRune(text string, i, digits int) (rune, bool) {
	if i+digits > len(text) {
		return 0, false
	}
	v, err := strconv.ParseUint(text[i:i+digits], 16, 32)
	return rune(v), err == nil && v <= unicode.MaxRune //nolint:gosec // bounded by MaxRune
}

// percent reads a percent-encoded character; n is 0 if there is none.
func percent(s string) (r rune, n int) {
	var b [utf8.UTFMax]byte
	for k := range b {
		if len(s) < n+3 || s[n] != '%' {
			return 0, 0
		}
		c, ok := hexRune(s, n+1, 2)
		if !ok {
			return 0, 0
		}
		b[k] = byte(c)
		n += 3
		if utf8.FullRune(b[:k+1]) {
			r, size := utf8.DecodeRune(b[:k+1])
			if r == utf8.RuneError || size != k+1 {
				return 0, 0
			}
			return r, n
		}
	}
	return 0, 0
}

// reference reads a character reference of HTML, a number or one of a few names; n is
// 0 if there is none.
func reference(s string) (r rune, n int) {
	end := strings.IndexByte(s[:min(len(s), 12)], ';')
	if end < 3 {
		return 0, 0
	}
	name := s[1:end]
	if name[0] == '#' {
		base, digits := 10, name[1:]
		if digits[0]|0x20 == 'x' {
			base, digits = 16, digits[1:]
		}
		v, err := strconv.ParseUint(digits, base, 32)
		if err != nil || v > unicode.MaxRune {
			return 0, 0
		}
		return rune(v), end + 1 //nolint:gosec // bounded by MaxRune
	}
	switch name {
	case "commat":
		r = '@'
	case "period":
		r = '.'
	case "amp":
		r = '&'
	case "quot":
		r = '"'
	case "apos":
		r = '\''
	case "lt":
		r = '<'
	case "gt":
		r = '>'
	case "nbsp":
		r = ' '
	case "hyphen", "dash", "shy", "zwj", "zwnj":
		if r = '-'; name != "hyphen" && name != "dash" {
			r = '\u00ad'
		}
	case "colon":
		r = ':'
	case "equals":
		r = '='
	case "plus":
		r = '+'
	case "sol":
		r = '/'
	case "lowbar":
		r = '_'
	default:
		return 0, 0
	}
	return r, end + 1
}

// character reads a character beyond ASCII.
func (as reading) character(text string, i int) (string, int) {
	r, size := utf8.DecodeRuneInString(text[i:])
	switch {
	case r >= 0x3400 && r < 0xa000 || r >= 0xac00 && r < 0xd7a4: // most of Chinese, Japanese and Korean
	case isDash(r):
		// Only inside of numbers and words: elsewhere a dash separates them
		// ("call ...—or write").
		before, _ := utf8.DecodeLastRuneInString(text[:i])
		after, _ := utf8.DecodeRuneInString(text[i+size:])
		if unicode.IsDigit(before) && unicode.IsDigit(after) || isHyphen(r) && isWord(before) && isWord(after) {
			return "-", size
		}
	case !visible.Is(r):
		return as.hidden(text, i), size
	default:
		if piece, ok := asciiOf(r); ok {
			return piece, size
		}
	}
	return text[i : i+size], size
}

func isWord(r rune) bool   { return unicode.IsLetter(r) || unicode.IsDigit(r) }
func isHyphen(r rune) bool { return r == '\u2010' || r == '\u2011' || r == '\uff0d' || r == '\ufe63' }
func isDash(r rune) bool   { return r >= '\u2010' && r <= '\u2015' || r == '\u2212' || isHyphen(r) }

// folded returns what is read for a character that was escaped.
func folded(r rune) string {
	if piece, ok := asciiOf(r); ok {
		return piece
	}
	return string(r)
}

// asciiOf returns the ASCII for which a character stands, and nothing for an invisible
// one. It reports false for any other character.
func asciiOf(r rune) (string, bool) {
	switch {
	case !visible.Is(r):
		return "", true
	case r < utf8.RuneSelf:
		return ascii[r : r+1], true
	case r == '\u00a0', r >= '\u2000' && r <= '\u200a', r == '\u202f', r == '\u205f', r == '\u3000':
		return " ", true
	case r == '\u2028', r == '\u2029':
		return "\n", true
	case r >= '\u2018' && r <= '\u201b':
		return "'", true
	case r >= '\u201c' && r <= '\u201f', r == '\u00ab', r == '\u00bb':
		return `"`, true
	case r == '\u3002', r == '\uff61': // full stops, which separate the labels of a domain too
		return ".", true
	case r >= '\uff01' && r <= '\uff5e':
		return ascii[r-'\uff01'+'!' : r-'\uff01'+'!'+1], true
	case unicode.IsDigit(r):
		d := digitValue(r)
		return ascii['0'+d : '1'+d], true
	case r == '\u00aa', r == '\u00b2', r == '\u00b3', r == '\u00b9', r == '\u00ba', // the other forms that Unicode has of letters, digits and marks
		r >= '\u2024' && r <= '\u2026', r >= '\u2044' && r <= '\u214f', r >= '\u2460' && r <= '\u24ff',
		r >= '\ufb00' && r <= '\ufb06', r >= '\ufe50' && r <= '\ufe6f', r >= 0x1d400 && r <= 0x1d7ff, r >= 0x1f100 && r <= 0x1f1ff:
		if d := norm.NFKC.PropertiesString(string(r)).Decomposition(); len(d) > 0 && isASCII(d) {
			return string(d), true
		}
	}
	return "", false
}

// digitValue returns the value of a decimal digit of any script: each script has them
// in a row, from zero to nine.
func digitValue(r rune) int {
	zero := r
	for unicode.IsDigit(zero - 1) {
		zero--
	}
	return int(r-zero) % 10
}

func isASCII[T string | []byte](b T) bool {
	for i := range len(b) {
		if b[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
