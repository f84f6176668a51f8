package datasets

import (
	"encoding/json"
	"io"
)

// JSONL returns the format with one exemplar per line, as JSON.
func JSONL() Format {
	return Format{Name: "jsonl", Description: "JSON lines", Ending: ".jsonl", newWriter: func(w io.Writer) rowWriter {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		return jsonlWriter{enc}
	}}
}

type jsonlWriter struct{ enc *json.Encoder }

func (w jsonlWriter) write(r Row) error { return w.enc.Encode(r) }

func (jsonlWriter) end() error { return nil }
