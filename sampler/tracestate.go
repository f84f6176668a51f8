package sampler

import "strings"

// upstream gives the probability with which a tracer kept the trace, from the
// threshold in its tracestate: list member "ot", sub-key "th", one to fourteen
// lower-case hexadecimal digits of which trailing zeros are left out. The
// threshold T is one of rejection, so the probability is (2^56 - T) / 2^56
// (OpenTelemetry specification, TraceState: Probability Sampling). It is 1 when
// there is no threshold, or none that can be read.
func upstream[T ~string | ~[]byte](tracestate T) float64 {
	if len(tracestate) == 0 {
		return 1
	}
	for member := range strings.SplitSeq(string(tracestate), ",") {
		value, ok := strings.CutPrefix(strings.Trim(member, " \t"), "ot=")
		if !ok {
			continue
		}
		for sub := range strings.SplitSeq(value, ";") {
			if th, ok := strings.CutPrefix(sub, "th:"); ok {
				return keptBy(th)
			}
		}
		return 1
	}
	return 1
}

func keptBy(th string) float64 {
	const digits = 14
	if len(th) == 0 || len(th) > digits {
		return 1
	}
	var t uint64
	for i := range digits {
		t <<= 4
		if i >= len(th) {
			continue
		}
		switch c := th[i]; {
		case c >= '0' && c <= '9':
			t |= uint64(c - '0')
		case c >= 'a' && c <= 'f':
			t |= uint64(c-'a') + 10
		default:
			return 1
		}
	}
	return float64(scale-t) / scale
}
