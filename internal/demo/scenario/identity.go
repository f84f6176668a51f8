package scenario

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/evalworker/evalworker/event"
)

// traceContext draws the propagation headers of a sampled span.
func traceContext(r *rand.Rand) event.TraceContext {
	trace := event.TraceID{Hi: r.Uint64(), Lo: r.Uint64() | 1} // never zero
	return event.TraceContext{
		event.HeaderTraceparent: "00-" + trace.String() + "-" + hex(r.Uint64()|1) + "-01",
		event.HeaderTracestate:  "dd=s:1",
	}
}

// hex gives 16 hexadecimal digits.
func hex(n uint64) string {
	const digits = "0123456789abcdef"
	var b [16]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i] = digits[n&15]
		n >>= 4
	}
	return string(b[:])
}

// personalData is what a customer gives away without being asked: an address
// that reaches nobody, or a number that has the form of a card's.
func personalData(r *rand.Rand, name string) string {
	if chance(r, 0.6) {
		return fmt.Sprintf("You can write to me at %s.%d%cexample.com.", strings.ToLower(name), 10+r.IntN(90), '@')
	}
	return "I paid with the card " + cardNumber(r) + "."
}

// cardNumber draws sixteen digits, in groups of four, that pass the check of
// Luhn (ISO/IEC 7812-1, annex B).
func cardNumber(r *rand.Rand) string {
	var d [16]int
	d[0] = 4
	for i := 1; i < 15; i++ {
		d[i] = r.IntN(10)
	}
	sum := 0
	for i := range 15 {
		n := d[i]
		if i%2 == 0 {
			if n *= 2; n > 9 {
				n -= 9
			}
		}
		sum += n
	}
	d[15] = (10 - sum%10) % 10
	var b strings.Builder
	for i, n := range d {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteByte(byte('0' + n))
	}
	return b.String()
}
