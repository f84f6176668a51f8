package event

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// depthOf returns the depth of valid JSON, computed with encoding/json.
func depthOf(t *testing.T, data []byte) int {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	depth, most := 0, 0
	for {
		token, err := dec.Token()
		if err != nil {
			return most
		}
		switch token {
		case json.Delim('{'), json.Delim('['):
			depth++
			most = max(most, depth)
		case json.Delim('}'), json.Delim(']'):
			depth--
		}
	}
}

// FuzzDepth compares the bound of Decode with depthOf.
func FuzzDepth(f *testing.F) {
	f.Add([]byte(`{"a":"\\\"[[["}`), 0)
	f.Add([]byte(`[{"[":"\\"},"]"]`), 511)
	f.Add([]byte(`["\\\\",[[1]]]`), 512)
	f.Fuzz(func(t *testing.T, data []byte, around int) {
		around &= 0x3ff
		data = []byte(strings.Repeat("[", around) + string(data) + strings.Repeat("]", around))
		_, err := Decode(data)
		if err == nil || !json.Valid(data) {
			return
		}
		if deep := strings.Contains(err.Error(), "nested more than"); deep != (depthOf(t, data) > MaxDepth) {
			t.Errorf("%v, and the depth is %d", err, depthOf(t, data))
		}
	})
}
