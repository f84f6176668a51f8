package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
)

func TestExpandEscapes(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"r\u00e9ponse":"d\u00E9sol\u00e9"}`:      `{"réponse":"désolé"}`,
		`["\u003cb\u003e R\u0026D","a\/b"]`:        `["<b> R&D","a/b"]`,
		`"\ud83d\udc4d \u2028"`:                    "\"👍 \u2028\"",
		`"\ud83d \udc4d \ud83dx \ud83d\u0041"`:     `"\ud83d \udc4d \ud83dx \ud83dA"`, // surrogates without their other half
		`"\u0022\u005c\u0000\n\t\"\\"`:             `"\u0022\u005c\u0000\n\t\"\\"`,
		`"\\u00e9 \\\u00e9"`:                       `"\\u00e9 \\é"`,
		`{"b": 1.50, "a": 12345678901234567890e0}`: `{"b": 1.50, "a": 12345678901234567890e0}`,
	} {
		if got := string(expandEscapes([]byte(in))); got != want {
			t.Errorf("%s expands to %s, want %s", in, got, want)
		}
	}
}

// FuzzExpandEscapes: a value with its escapes expanded is the same value.
func FuzzExpandEscapes(f *testing.F) {
	f.Add([]byte(`{"\u00e9":["\ud83d\udc4d","\ud83d","\u005c\u0022",1.50,null]}`))
	f.Add([]byte(`"\\u00e9\/\u001f\u007f\ufffd"`))
	f.Add([]byte(`\u00`))
	f.Fuzz(func(t *testing.T, data []byte) {
		got := expandEscapes(data)
		if json.Valid(data) && tokens(t, data) != tokens(t, got) {
			t.Errorf("%q expands to %q", data, got)
		}
	})
}

func tokens(t *testing.T, data []byte) string {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var out bytes.Buffer
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return out.String()
		}
		if err != nil {
			t.Fatalf("%q: %v", data, err)
		}
		fmt.Fprintf(&out, "%#v ", token)
	}
}

func BenchmarkExpandEscapes(b *testing.B) {
	for name, data := range map[string]string{
		"no escape": `{"answer":"` + strings.Repeat("some words of an answer ", 1400) + `"}`,
		"escapes":   `{"answer":"` + strings.Repeat(`some w\u00f6rds of an answer `, 1400) + `"}`,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				_ = expandEscapes([]byte(data))
			}
		})
	}
}
