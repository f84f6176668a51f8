package sampler

import "strings"

// minUpstream is the smallest probability that is believed from a tracestate: the
// header can come from a browser, and one event must not outweigh all others.
const minUpstream = 1e-6

// upstream returns the probability with which a tracer kept the trace, from the
// threshold in its tracestate: list member "ot", sub-key "th", one to fourteen
// lower-case hexadecimal digits of which trailing zeros are left out. T is a
// rejection threshold, so the probability is (2^56 - T) / 2^56 (OpenTelemetry
// specification, TraceState: Probability Sampling). It is 1 when traces says that
// publishing does not follow the tracer, and when the threshold is absent, malformed
// or implausible.
//
// The tracer compared T with fourteen digits of randomness: the sub-key "rv", or
// else the end of the trace id, of which trace is the lower half, 0 when unknown. A
// trace whose digits are below T was not kept, so such a threshold is implausible.
func upstream[T ~string | ~[]byte](traces bool, tracestate T, trace uint64) float64 {
	if !traces || len(tracestate) == 0 {
		return 1
	}
	for member := range strings.SplitSeq(string(tracestate), ",") {
		value, ok := strings.CutPrefix(strings.Trim(member, " \t"), "ot=")
		if !ok {
			continue
		}
		rejected, ok := parseThreshold(subValue(value, "th:"))
		if !ok {
			return 1
		}
		random, known := trace%scale, trace != 0
		if rv := subValue(value, "rv:"); len(rv) == maxDigits {
			if r, ok := parseThreshold(rv); ok {
				random, known = r, true
			}
		}
		p := float64(scale-rejected) / scale
		if p < minUpstream || known && random < rejected {
			return 1
		}
		return p
	}
	return 1
}

// subValue returns what follows the first occurrence of a key in the member's value.
func subValue(value, key string) string {
	for sub := range strings.SplitSeq(value, ";") {
		if digits, ok := strings.CutPrefix(sub, key); ok {
			return digits
		}
	}
	return ""
}

// maxDigits is the number of hexadecimal digits in 56 bits.
const maxDigits = 14

// parseThreshold parses a 56-bit number whose trailing zeros may be left out.
func parseThreshold(s string) (n uint64, ok bool) {
	if len(s) == 0 || len(s) > maxDigits {
		return 0, false
	}
	for i := range maxDigits {
		n <<= 4
		if i >= len(s) {
			continue
		}
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			n |= uint64(c - '0')
		case c >= 'a' && c <= 'f':
			n |= uint64(c-'a') + 10
		default:
			return 0, false
		}
	}
	return n, true
}
