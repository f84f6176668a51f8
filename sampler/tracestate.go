package sampler

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
	if !traces {
		return 1
	}
	for rest := tracestate; len(rest) > 0; {
		var member T
		member, rest = cut(rest, ',')
		value, ok := after(trim(member), "ot=")
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
func subValue[T ~string | ~[]byte](value T, key string) T {
	for len(value) > 0 {
		var sub T
		sub, value = cut(value, ';')
		if digits, ok := after(sub, key); ok {
			return digits
		}
	}
	var none T
	return none
}

// The functions below do not copy, as a conversion of headers to strings would: they are
// called for every message.

// cut splits s at the first separator.
func cut[T ~string | ~[]byte](s T, separator byte) (before, rest T) {
	for i := range len(s) {
		if s[i] == separator {
			return s[:i], s[i+1:]
		}
	}
	return s, s[len(s):]
}

// trim returns s without blanks and tabs at its ends.
func trim[T ~string | ~[]byte](s T) T {
	blank := func(b byte) bool { return b == ' ' || b == '\t' }
	for len(s) > 0 && blank(s[0]) {
		s = s[1:]
	}
	for len(s) > 0 && blank(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

// after returns what follows a prefix.
func after[T ~string | ~[]byte](s T, prefix string) (T, bool) {
	if len(s) < len(prefix) || string(s[:len(prefix)]) != prefix {
		return s, false
	}
	return s[len(prefix):], true
}

// maxDigits is the number of hexadecimal digits in 56 bits.
const maxDigits = 14

// parseThreshold parses a 56-bit number whose trailing zeros may be left out.
func parseThreshold[T ~string | ~[]byte](s T) (n uint64, ok bool) {
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
