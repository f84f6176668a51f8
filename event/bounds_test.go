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

// FuzzTooDeep compares tooDeep with depthOf.
func FuzzTooDeep(f *testing.F) {
	f.Add([]byte(`{"a":"\\\"[[["}`), 0)
	f.Add([]byte(`[{"[":"\\"},"]"]`), 511)
	f.Add([]byte(`["\\\\",[[1]]]`), 512)
	f.Fuzz(func(t *testing.T, data []byte, around int) {
		around &= 0x3ff
		data = []byte(strings.Repeat("[", around) + string(data) + strings.Repeat("]", around))
		if !json.Valid(data) {
			_, _ = tooDeep(data) // must not panic
			return
		}
		if _, deep := tooDeep(data); deep != (depthOf(t, data) > MaxDepth) {
			t.Errorf("deep %v, and the depth is %d", deep, depthOf(t, data))
		}
	})
}

func BenchmarkTooDeep(b *testing.B) {
	for name, data := range map[string][]byte{
		"prose":    []byte(`{"output":"` + strings.Repeat("some words of an answer ", 1400) + `"}`),
		"brackets": []byte(`{"output":[` + strings.Repeat(`{"id":"a1","text":"words"},`, 1200) + `1]}`),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, deep := tooDeep(data); deep {
					b.Fatal("deep")
				}
			}
		})
	}
}
