package event

import (
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"time"
)

// moment is a time as events carry it: RFC 3339, or a number since 1970, as logs
// often have it.
type timestamp time.Time

// UnmarshalJSON takes a number for seconds below 10^11, which is in the year
// 5138, and from there for milliseconds, which begin in 1973. Zero is no time, as
// software writes one that was not set.
func (m *timestamp) UnmarshalJSON(b []byte) error {
	switch jsonKind(b) {
	case "null":
		return nil
	case "string":
		var t time.Time
		if json.Unmarshal(b, &t) == nil {
			*m = timestamp(t)
			return nil
		}
	case "number":
		const milliseconds = 1e11
		n, err := strconv.ParseFloat(string(b), 64)
		if n >= milliseconds {
			n /= 1000
		}
		if n == 0 && err == nil {
			return nil
		}
		if err == nil && n > 0 && n < milliseconds {
			*m = timestamp(time.UnixMicro(int64(math.Round(n * 1e6))).UTC())
			return nil
		}
	}
	return &json.UnmarshalTypeError{Value: jsonKind(b), Type: reflect.TypeFor[timestamp]()}
}
