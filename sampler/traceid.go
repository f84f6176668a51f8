package sampler

import (
	"encoding/binary"

	"github.com/evalworker/evalworker/event"
)

// lowTrace gives the lower 64 bits of event.HeaderTrace. Reading a traceparent
// digit by digit is half of the cost of a decision, so the usual forms are read
// eight characters at a time here; all others are left to package eval. A fuzz
// test holds the two together.
func lowTrace(traceparent, ddTraceID, traceID []byte) uint64 {
	if lo, ok := lowOfTraceparent(traceparent); ok {
		return lo
	}
	for _, id := range [...][]byte{ddTraceID, traceID} {
		if lo, ok := lowOfID(id); ok {
			return lo
		}
	}
	return event.HeaderTrace(traceparent, ddTraceID, traceID).Lo
}

// lowOfTraceparent is event.ParseTraceparent for the lower half of the trace id.
func lowOfTraceparent(s []byte) (uint64, bool) {
	if len(s) < 55 {
		return 0, false
	}
	p := (*[55]byte)(s)
	if p[2] != '-' || p[35] != '-' || p[52] != '-' || p[0] == 'f' && p[1] == 'f' {
		return 0, false
	}
	h1, h2 := binary.BigEndian.Uint64(p[3:11]), binary.BigEndian.Uint64(p[11:19])
	l1, l2 := binary.BigEndian.Uint64(p[19:27]), binary.BigEndian.Uint64(p[27:35])
	s1, s2 := binary.BigEndian.Uint64(p[36:44]), binary.BigEndian.Uint64(p[44:52])
	if notHex(h1)|notHex(h2)|notHex(l1)|notHex(l2)|notHex(s1)|notHex(s2) != 0 {
		return 0, false
	}
	if h1 == zeros && h2 == zeros && l1 == zeros && l2 == zeros || s1 == zeros && s2 == zeros {
		return 0, false
	}
	return unhex(l1)<<32 | unhex(l2), true
}

// lowOfID is event.ParseTraceID for the lower half.
func lowOfID(s []byte) (uint64, bool) {
	switch {
	case len(s) == 32:
		p := (*[32]byte)(s)
		h1, h2 := binary.BigEndian.Uint64(p[0:8]), binary.BigEndian.Uint64(p[8:16])
		l1, l2 := binary.BigEndian.Uint64(p[16:24]), binary.BigEndian.Uint64(p[24:32])
		if notHex(h1)|notHex(h2)|notHex(l1)|notHex(l2) != 0 || h1 == zeros && h2 == zeros && l1 == zeros && l2 == zeros {
			return 0, false
		}
		return unhex(l1)<<32 | unhex(l2), true
	case len(s) > 0 && len(s) < 20: // decimal, and too short to overflow
		var n uint64
		for _, c := range s {
			d := uint64(c - '0')
			if d > 9 {
				id, ok := event.ParseTraceID(s)
				return id.Lo, ok
			}
			n = n*10 + d
		}
		return n, n != 0
	}
	id, ok := event.ParseTraceID(s)
	return id.Lo, ok
}

// ones has the lowest bit of each byte set, high the highest, and zeros is the
// text "00000000".
const (
	ones  = 0x0101010101010101
	high  = 0x80 * ones
	zeros = '0' * ones
)

// notHex is zero when all eight characters of x are hexadecimal digits. Adding
// 0x80-c to a byte below 0x80 sets its highest bit exactly when the byte is at
// least c, for all eight bytes at once. A byte above 0x7f makes the sums run over
// into its neighbour, but is bad itself.
func notHex(x uint64) uint64 {
	lower := x | 0x20*ones
	digit := (x + (0x80-'0')*ones) &^ (x + (0x80-'9'-1)*ones)
	letter := (lower + (0x80-'a')*ones) &^ (lower + (0x80-'f'-1)*ones)
	return (^(digit | letter) | x) & high
}

// unhex gives the value of eight hexadecimal digits, the first of them in the
// highest byte. A letter has bit 0x40 set, and its low half is nine too small.
func unhex(x uint64) uint64 {
	n := x&(0x0f*ones) + x>>6&ones*9
	n = (n | n>>4) & 0x00ff00ff00ff00ff
	n = (n | n>>8) & 0x0000ffff0000ffff
	return (n | n>>16) & 0xffffffff
}
