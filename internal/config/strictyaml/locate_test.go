package strictyaml_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
)

func TestLocate(t *testing.T) {
	t.Parallel()
	const in = `title: x
models:
  gpt-4.1:
    name: a
list:
  - name: b
  - {name: c}
inner: {share: 1}
`
	var v document
	doc, faults := strictyaml.Decode("f.yaml", []byte(in), &v)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	got := doc.Locate(fault.List{
		{Path: "title", Problem: "value"},
		{Path: "models.gpt-4.1.name", Problem: "key with a dot"},
		{Path: "models.gpt-4.1.timeout", Problem: "absent in a mapping"},
		{Path: "list[1].name", Problem: "in a list"},
		{Path: "list[1].timeout", Problem: "absent in an item"},
		{Path: "list[7]", Problem: "absent item"},
		{Path: "inner.share", Line: 3, Column: 9, Problem: "inside what is no text"},
		{Path: "on", Problem: "absent at the top"},
		{Path: "", Problem: "whole"},
		{File: "other.yaml", Line: 9, Column: 9, Problem: "elsewhere"},
	})
	want := []string{
		"f.yaml:1:8: title: value",
		"f.yaml:4:11: models.gpt-4.1.name: key with a dot",
		"f.yaml:3:3: models.gpt-4.1.timeout: absent in a mapping",
		"f.yaml:7:12: list[1].name: in a list",
		"f.yaml:7:5: list[1].timeout: absent in an item",
		"f.yaml:5:1: list[7]: absent item",
		"f.yaml:8:16: inner.share: inside what is no text",
		"f.yaml:1:1: on: absent at the top",
		"f.yaml:1:1: whole",
		"other.yaml:9:9: elsewhere",
	}
	if d := cmp.Diff(want, lines(got)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestLocateInEmptyFile(t *testing.T) {
	t.Parallel()
	var v document
	doc, _ := strictyaml.Decode("f.yaml", nil, &v)
	if got := doc.Locate(fault.List{{Path: "a.b", Problem: "missing"}}).Error(); got != "f.yaml:1:1: a.b: missing" {
		t.Error(got)
	}
}

// TestLocateInScalar compares the located place of the letter Z in the text with
// its place in the file.
func TestLocateInScalar(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"plain":                      "title: abc == Z\n",
		"plain, wide characters":     "title: é日 == Z\n",
		"plain, folded":              "title: abc\n  def   \n\n  ghi Z j\n",
		"single quotes":              "title: 'it''s ''x'' Z'\n",
		"single quotes, folded":      "title: 'it''s\n    so\n\n\n    Z'\n",
		"double quotes":              `title: "\x41 \u00e9 \"q\" \n Z"` + "\n",
		"double quotes, folded":      "title: \"a b\n   c \\\n   d Z\"\n",
		"literal":                    "title: |\n    one\n\n      two\n    Z three\n",
		"literal, stripped":          "title: |-\n  Z\n",
		"literal, blank line first":  "title: |\n\n  one\n  a Z\n",
		"folded":                     "title: >-\n  one\n  two\n\n  three Z\n",
		"folded, more indented":      "title: >\n  one\n    two\n  a Z\n",
		"in a flow mapping":          "inner: {share: 1}\ntitle: 'user == \"x\" && Z'\n",
		"after an anchor and a tag":  "title: !!str &a abc Z\n",
		"literal with a longer head": "title: | # why\n  x\n  yy Z\n",
		"CRLF":                       "title: |\r\n  one\r\n  two Z\r\n",
	}
	for name, in := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var v document
			doc, faults := strictyaml.Decode("f.yaml", []byte(in), &v)
			if len(faults) > 0 {
				t.Fatal(faults)
			}
			line, column := where(t, v.Title)
			wantLine, wantColumn := where(t, in)
			f := doc.Locate(fault.List{{Path: "title", Line: line, Column: column}})[0]
			if f.Line != wantLine || f.Column != wantColumn {
				t.Errorf("%d:%d of the text is %d:%d of the file, want %d:%d", line, column, f.Line, f.Column, wantLine, wantColumn)
			}
		})
	}
}

// where returns line and column of the letter Z, from 1.
func where(t *testing.T, s string) (line, column int) {
	t.Helper()
	before, _, ok := strings.Cut(s, "Z")
	if !ok {
		t.Fatalf("no Z in %q", s)
	}
	last := before[strings.LastIndexByte(before, '\n')+1:]
	return strings.Count(before, "\n") + 1, len([]rune(last)) + 1
}

func TestNearest(t *testing.T) {
	t.Parallel()
	names := []string{"rate", "rubric", "requests_per_minute", "model", "max_chars", "min_chars", "temperature", "a"}
	for word, want := range map[string]string{
		"rat": "rate", "raet": "rate", "RATE": "rate", "rubrics": "rubric", "requests-per-minute": "requests_per_minute",
		"requests_per_min": "requests_per_minute", "temp": "temperature", "modle": "model", "mx_chars": "max_chars",
		"m_n_chars": "min_chars", "xyz": "", "": "", "b": "", "threshold": "", strings.Repeat("rate", 100): "",
	} {
		if got := fault.Nearest(word, names); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
	if got := fault.Nearest("ac", []string{"ad", "ab"}); got != "ab" {
		t.Errorf("of two equally near names %q is given, want the first in the alphabet", got)
	}
}
