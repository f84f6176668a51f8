package event

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/evalworker/evalworker/internal/base/jsonscan"
)

// expandDocument returns a text unchanged, unless it is a JSON document, as answers
// that follow a schema are: then its escapes are expanded, as those of a document
// that is not in a string are.
func expandDocument(s string) string {
	if !strings.Contains(s, `\`) || !json.Valid([]byte(s)) {
		return s
	}
	return string(expandEscapes([]byte(s)))
}

// stringOf returns the text of a JSON string, empty for any other value.
func stringOf(raw []byte) string {
	if jsonKind(raw) != "string" {
		return ""
	}
	s, err := jsonscan.Unquote(raw)
	if err != nil {
		return ""
	}
	return s
}

// compact returns a JSON value without the white space between its tokens.
func compact(raw []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, raw) != nil {
		return string(raw)
	}
	return string(expandEscapes(b.Bytes()))
}

func appendText(texts []string, text string) []string {
	if text == "" {
		return texts
	}
	return append(texts, text)
}

func isBlank(s string) bool { return strings.TrimSpace(s) == "" }
