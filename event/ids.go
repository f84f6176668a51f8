package event

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
)

// RequestID identifies one request to a model, not a session or a user. It is the
// idempotency key of everything that evalworker writes.
type RequestID string

// ID is a trace or span id as an application logged it: decimal, or
// hexadecimal. A JSON number is accepted as well as a string.
type ID string

// TraceID is a 128-bit trace id; zero when there is none.
type TraceID struct{ Hi, Lo uint64 }

// IsZero reports whether the id is absent.
func (t TraceID) IsZero() bool { return t == TraceID{} }

// String returns 32 lower-case hexadecimal digits, zero padded.
func (t TraceID) String() string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], t.Hi)
	binary.BigEndian.PutUint64(raw[8:], t.Lo)
	return hex.EncodeToString(raw[:])
}

// SpanID is a 64-bit span id; zero when there is none.
type SpanID uint64

// String returns the decimal form, which Datadog uses.
func (s SpanID) String() string { return strconv.FormatUint(uint64(s), 10) }

// hex returns 16 lower-case hexadecimal digits, zero padded.
func (s SpanID) hex() string { return fmt.Sprintf("%016x", uint64(s)) }

// ParseTraceID reads a trace id in one of the forms that tracers log: 32 hexadecimal
// digits; the same as a UUID; a decimal number of up to 128 bits, which is how Python's
// tracer returns it; or 16 hexadecimal digits that have a letter or begin with a zero
// (other sixteen digits are decimal). Hexadecimal digits may have the prefix 0x, and
// lack one or two zeros in front when they have a letter. It reports false for anything
// else and for zero.
func ParseTraceID[T ~string | ~[]byte](s T) (TraceID, bool) {
	if len(s) == 32 {
		hi, ok1 := parseHex(s[:16])
		lo, ok2 := parseHex(s[16:])
		if ok1 && ok2 {
			id := TraceID{hi, lo}
			return id, !id.IsZero()
		}
		return parseOdd(s)
	}
	if len(s) >= 20 {
		if id, ok := parseLongDecimal(s); ok {
			return id, !id.IsZero()
		}
		return parseOdd(s)
	}
	if lo, ok := parse64(s); ok {
		return TraceID{Lo: lo}, lo != 0
	}
	return parseOdd(s)
}

// ParseSpanID reads a span id: a decimal 64-bit number, or 16 hexadecimal digits that
// have a letter or begin with a zero, with the same liberties as [ParseTraceID]. It
// reports false for anything else and for zero.
func ParseSpanID[T ~string | ~[]byte](s T) (SpanID, bool) {
	if n, ok := parse64(s); ok {
		return SpanID(n), n != 0
	}
	id, ok := parseOdd(s)
	if id.Hi != 0 {
		return 0, false
	}
	return SpanID(id.Lo), ok
}

// parseOdd reads the less usual forms of ids: a UUID, hexadecimal digits behind 0x, and
// those that a program printed without one or two zeros in front. It allows for white
// space around an id.
func parseOdd[T ~string | ~[]byte](id T) (TraceID, bool) {
	s := strings.TrimSpace(string(id))
	if len(s) < len(id) {
		return ParseTraceID(s)
	}
	const uuid = 36
	switch {
	case len(s) == uuid && s[8] == '-' && s[13] == '-' && s[18] == '-' && s[23] == '-':
		return parseAnyHex(s[:8] + s[9:13] + s[14:18] + s[19:23] + s[24:])
	case len(s) > 2 && s[0] == '0' && s[1]|0x20 == 'x':
		return parseAnyHex(s[2:])
	case len(s) == 14, len(s) == 15, len(s) == 30, len(s) == 31:
		return parseAnyHex(s)
	}
	return TraceID{}, false
}

// parseAnyHex reads up to 32 hexadecimal digits.
func parseAnyHex[T ~string | ~[]byte](s T) (TraceID, bool) {
	var padded [32]byte
	if len(s) == 0 || len(s) > len(padded) {
		return TraceID{}, false
	}
	for i := range padded[:len(padded)-len(s)] {
		padded[i] = '0'
	}
	copy(padded[len(padded)-len(s):], s)
	hi, ok1 := parseHex(padded[:16])
	lo, ok2 := parseHex(padded[16:])
	if !ok1 || !ok2 {
		return TraceID{}, false
	}
	id := TraceID{hi, lo}
	return id, !id.IsZero()
}

// ParseTraceparent reads the ids of a W3C traceparent header
// (https://www.w3.org/TR/trace-context/#traceparent-header).
func ParseTraceparent[T ~string | ~[]byte](s T) (TraceID, SpanID, bool) {
	// 00-<32 hex>-<16 hex>-<2 hex>; a later version may append fields.
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' || s[0] == 'f' && s[1] == 'f' || len(s) > 55 && s[55] != '-' {
		return TraceID{}, 0, false
	}
	h1, h2, l1, l2 := loadEight(s[3:11]), loadEight(s[11:19]), loadEight(s[19:27]), loadEight(s[27:35])
	s1, s2 := loadEight(s[36:44]), loadEight(s[44:52])
	id := TraceID{unhex(h1)<<32 | unhex(h2), unhex(l1)<<32 | unhex(l2)}
	span := unhex(s1)<<32 | unhex(s2)
	if notHex(h1)|notHex(h2)|notHex(l1)|notHex(l2)|notHex(s1)|notHex(s2) != 0 || id.IsZero() || span == 0 {
		return TraceID{}, 0, false
	}
	return id, SpanID(span), true
}

// parse64 reads decimal, or 16 hexadecimal digits. Numbers are not padded with zeros,
// and hexadecimal ids are.
func parse64[T ~string | ~[]byte](s T) (uint64, bool) {
	if len(s) == 16 && s[0] == '0' {
		return parseHex(s)
	}
	if n, ok := parseDecimal(s); ok {
		return n, true
	}
	return parseHex(s)
}

// parseLongDecimal reads a decimal number of up to 128 bits.
func parseLongDecimal[T ~string | ~[]byte](s T) (id TraceID, ok bool) {
	const most = 39 // digits of the largest one
	if len(s) > most {
		return TraceID{}, false
	}
	for i := range len(s) {
		d := uint64(s[i] - '0')
		if d > 9 {
			return TraceID{}, false
		}
		carry, lo := bits.Mul64(id.Lo, 10)
		over, hi := bits.Mul64(id.Hi, 10)
		var c uint64
		lo, c = bits.Add64(lo, d, 0)
		hi, c = bits.Add64(hi, carry, c)
		if over != 0 || c != 0 {
			return TraceID{}, false
		}
		id = TraceID{hi, lo}
	}
	return id, true
}

func parseDecimal[T ~string | ~[]byte](s T) (uint64, bool) {
	if len(s) == 0 || len(s) > 20 {
		return 0, false
	}
	var n uint64
	for i := range len(s) {
		d := uint64(s[i] - '0')
		if d > 9 {
			return 0, false
		}
		if n > (1<<64-1-d)/10 {
			return 0, false
		}
		n = n*10 + d
	}
	return n, true
}

// parseHex reads sixteen hexadecimal digits.
func parseHex[T ~string | ~[]byte](s T) (uint64, bool) {
	if len(s) != 16 {
		return 0, false
	}
	hi, lo := loadEight(s[:8]), loadEight(s[8:])
	if notHex(hi)|notHex(lo) != 0 {
		return 0, false
	}
	return unhex(hi)<<32 | unhex(lo), true
}

// loadEight returns eight characters as a number, the first in the highest byte, so
// that they are parsed together. Ids are parsed for every message; digit by digit,
// a decision on headers would cost a third more (80 ns instead of 61).
func loadEight[T ~string | ~[]byte](s T) uint64 {
	_ = s[7]
	return uint64(s[0])<<56 | uint64(s[1])<<48 | uint64(s[2])<<40 | uint64(s[3])<<32 |
		uint64(s[4])<<24 | uint64(s[5])<<16 | uint64(s[6])<<8 | uint64(s[7])
}

// ones has the lowest bit of each byte set.
const ones = 0x0101010101010101

// notHex returns 0 when all eight characters of x are hexadecimal digits. Adding
// 0x80-c to a byte below 0x80 sets its highest bit exactly when the byte is at
// least c, for all eight bytes at once. A byte above 0x7f makes the sums carry into
// its neighbour, but then the result is not 0 anyway.
func notHex(x uint64) uint64 {
	lower := x | 0x20*ones
	digit := (x + (0x80-'0')*ones) &^ (x + (0x80-'9'-1)*ones)
	letter := (lower + (0x80-'a')*ones) &^ (lower + (0x80-'f'-1)*ones)
	return (^(digit | letter) | x) & (0x80 * ones)
}

// unhex returns the value of eight hexadecimal digits, the first of them in the
// highest byte. A letter has bit 0x40 set, and its low four bits are 9 below its
// value.
func unhex(x uint64) uint64 {
	n := x&(0x0f*ones) + x>>6&ones*9
	n = (n | n>>4) & 0x00ff00ff00ff00ff
	n = (n | n>>8) & 0x0000ffff0000ffff
	return (n | n>>16) & 0xffffffff
}

func isInteger(b []byte) bool {
	digits := bytes.TrimPrefix(b, []byte{'-'})
	return len(digits) > 0 && len(bytes.Trim(digits, "0123456789")) == 0
}

// jsonKind names the JSON type of a value in the words of the specification.
func jsonKind(b []byte) string {
	if len(b) == 0 {
		return "nothing"
	}
	switch b[0] {
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	case 't', 'f':
		return "bool"
	case 'n':
		return "null"
	default:
		return "number"
	}
}
