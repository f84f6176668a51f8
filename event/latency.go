package event

import (
	"bytes"
	"math"
	"strconv"
	"time"
)

type timeUnit uint8

const (
	unitNone timeUnit = iota
	unitUnknown
	unitMS
	unitSeconds
	unitMicros
	unitNanos
)

// perMS are the milliseconds of one of a unit.
var perMS = [...]float64{unitMS: 1, unitSeconds: 1000, unitMicros: 1e-3, unitNanos: 1e-6}

// latencyUnit returns the unit of a folded name that is that of a time to an answer, or to
// its first token; unitNone for another name.
func latencyUnit(folded []byte) timeUnit {
	for _, stem := range [...]string{"latency", "llmlatency", "duration", "elapsed", "elapsedtime", "responsetime", "timetofirsttoken", "ttft"} {
		if rest, found := bytes.CutPrefix(folded, []byte(stem)); found {
			switch string(rest) {
			case "":
				return unitUnknown
			case "ms", "msec", "millis", "milliseconds", "inms":
				return unitMS
			case "s", "sec", "secs", "seconds", "inseconds":
				return unitSeconds
			case "us", "micros", "microseconds":
				return unitMicros
			case "ns", "nanos", "nanoseconds":
				return unitNanos
			}
		}
	}
	return unitNone
}

// latencies reads times in any unit. A bare number has none.
func (c *enrichment) latencies() {
	for _, kind := range [...]memberKind{memberLatency, memberFirst} {
		into, own := &c.latency, "llm_latency_ms"
		if kind == memberFirst {
			into, own = &c.first, "first_token_latency_ms"
		}
		c.members(kind, func(m *providerMember) {
			var buf [maxMember]byte
			unit := latencyUnit(foldPlain(buf[:0], m.name))
			ms, ok := milliseconds(m.value, unit)
			switch {
			case ok:
				into.add(ms, shortName(string(m.name)))
			case isPresent(m.value) || m.value == nil:
				problem := "a JSON " + c.d.kindAt(m)
				if unit == unitUnknown && jsonKind(m.value) == "number" {
					problem = "a number without a unit"
				}
				c.d.warn(Warning{Field: shortName(string(m.name)), Problem: problem, want: "write " + own})
				into.bad = true
			}
		})
	}
}

// milliseconds reads a time in a unit, or a text that names its own: "1.4s", "1400 ms".
func milliseconds(value []byte, unit timeUnit) (float64, bool) {
	digits := bytes.Trim(value, `" `)
	n, err := strconv.ParseFloat(string(digits), 64)
	if err == nil && unit != unitUnknown && len(digits) > 0 && digits[0] >= '0' && digits[0] <= '9' {
		n *= perMS[unit]
		return n, !math.IsInf(n, 0)
	}
	if jsonKind(value) != "string" || err == nil {
		return 0, false
	}
	return namedDuration(digits)
}

// namedDuration reads a text such as 1.4s or 1400 ms, in milliseconds.
func namedDuration(text []byte) (float64, bool) {
	at, err := time.ParseDuration(string(bytes.ReplaceAll(text, []byte(" "), nil)))
	if err != nil || at < 0 {
		return 0, false
	}
	return float64(at) / float64(time.Millisecond), true
}
