package sampler

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// scale is 2^56: R is in [0, scale).
const scale = 1 << 56

// hasher computes the number R of events. The hashed form never changes, because
// replicas of different builds must agree. Integers are big-endian:
//
//	trace:    xxHash64(xxHash64(salt + "t"), lower 64 bits of the trace id) >> 8
//	request:  xxHash64(xxHash64(salt + "r"), bytes of the request id) >> 8
//
// The salt is hashed on its own first, so that it takes eight bytes whatever its
// length and cannot run into an identity. The letters keep the two kinds of
// identity apart.
type hasher struct{ trace, request uint64 }

func newHasher(salt string) hasher {
	return hasher{trace: xxhash.Sum64String(salt + "t"), request: xxhash.Sum64String(salt + "r")}
}

// number returns R of an event, from the lower half of its trace id, or from its
// request id when the trace is unknown.
func number[T ~string | ~[]byte](h *hasher, trace uint64, request T) uint64 {
	if trace != 0 {
		return h.ofTrace(trace)
	}
	return ofRequest(h, request)
}

func (h *hasher) ofTrace(lo uint64) uint64 {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], h.trace)
	binary.BigEndian.PutUint64(b[8:], lo)
	return xxhash.Sum64(b[:]) >> 8
}

func ofRequest[T ~string | ~[]byte](h *hasher, id T) uint64 {
	var b [128]byte
	binary.BigEndian.PutUint64(b[:8], h.request)
	if len(id) <= len(b)-8 {
		n := copy(b[8:], id)
		return xxhash.Sum64(b[:8+n]) >> 8
	}
	var d xxhash.Digest
	d.Reset()
	_, _ = d.Write(b[:8]) // a digest never fails
	for len(id) > 0 {
		n := copy(b[:], id)
		_, _ = d.Write(b[:n])
		id = id[n:]
	}
	return d.Sum64() >> 8
}

// threshold returns the bound below which an event's R chooses it. It is exact for
// rates 0 and 1; in between its error is at most half of 2^-56, less than 1e-8 of
// the smallest rate.
func threshold(rate float64) uint64 {
	switch {
	case rate <= 0:
		return 0
	case rate >= 1:
		return scale
	}
	return uint64(rate*scale + 0.5)
}
