package strictyaml_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
)

// level is a type that reads itself from text.
type level int

func (l *level) UnmarshalText(b []byte) error {
	switch string(b) {
	case "low":
		*l = 1
	case "high":
		*l = 2
	default:
		return errors.New("want low or high")
	}
	return nil
}

type limits struct {
	Small int8    `yaml:"small"`
	Count uint16  `yaml:"count"`
	Big   int64   `yaml:"big"`
	Share float64 `yaml:"share"`
}

type model struct {
	Name    string        `yaml:"name"`
	Timeout time.Duration `yaml:"timeout"`
	Heat    *float32      `yaml:"heat"`
}

type document struct {
	Title   string           `yaml:"title"`
	On      bool             `yaml:"on"`
	Key     secret.String    `yaml:"key"`
	Level   level            `yaml:"level"`
	Timeout time.Duration    `yaml:"timeout"`
	Names   []string         `yaml:"names"`
	Models  map[string]model `yaml:"models"`
	List    []model          `yaml:"list"`
	Inner   *limits          `yaml:"inner"`
	Any     any              `yaml:"any"`
	Hidden  string           `yaml:"-"`
	limits2
	limits `yaml:",inline"`
}

// limits2 is embedded without a tag and is no part of the document.
type limits2 struct{ Private string }

func defaults() document {
	return document{
		Title: "default", Timeout: time.Second, Names: []string{"a", "b"},
		Models: map[string]model{"main": {Name: "main", Timeout: 5 * time.Second}},
		limits: limits{Share: 0.5},
	}
}

func TestDecodeGood(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     func(d *document)
	}{
		{"empty", "", func(*document) {}},
		{"comment only", "# nothing\n---\n", func(*document) {}},
		{"scalars", "title: x\non: true\nkey: k\nlevel: high\ntimeout: 1m30s\nsmall: -8\ncount: 0x10\nbig: 1_000\nshare: 1e-3\n", func(d *document) {
			d.Title, d.On, d.Key, d.Level, d.Timeout = "x", true, "k", 2, 90*time.Second
			d.limits = limits{Small: -8, Count: 16, Big: 1000, Share: 0.001}
		}},
		{"zero duration needs no unit", "timeout: 0", func(d *document) { d.Timeout = 0 }},
		{"list replaces its default", "names: [c]", func(d *document) { d.Names = []string{"c"} }},
		{"empty list", "names: []", func(d *document) { d.Names = nil }},
		{"list of nothing", "names:", func(d *document) { d.Names = nil }},
		{"map entry keeps its default", "models:\n  main: {heat: 0.5}\n  other: {name: o}\n", func(d *document) {
			d.Models = map[string]model{"main": {Name: "main", Timeout: 5 * time.Second, Heat: new(float32(0.5))}, "other": {Name: "o"}}
		}},
		{"pointer to struct", "inner: {share: 1}", func(d *document) { d.Inner = &limits{Share: 1} }},
		{"null pointer", "list: [{heat: null}]", func(d *document) { d.List = []model{{}} }},
		{"empty struct keeps its defaults", "models: {main: }", func(*document) {}},
		{"anchor, alias, merge", "list:\n  - &m {name: a, timeout: 2s}\n  - *m\n  - <<: *m\n    name: b\n", func(d *document) {
			a := model{Name: "a", Timeout: 2 * time.Second}
			d.List = []model{a, a, {Name: "b", Timeout: 2 * time.Second}}
		}},
		{"tags", "title: !!str 12\nbig: !!int 3", func(d *document) { d.Title, d.Big = "12", 3 }},
		{"any", "any: {a: [1, 0.5, true, x, null]}", func(d *document) {
			d.Any = map[string]any{"a": []any{int64(1), 0.5, true, "x", nil}}
		}},
		{"addresses in brackets in braces", "any: {a: [localhost:9092, b:1:2, c: 3, http://d/e, 'f':4], g: h:1}", func(d *document) {
			d.Any = map[string]any{
				"a": []any{"localhost:9092", "b:1:2", map[string]any{"c": int64(3)}, "http://d/e", map[string]any{"f": int64(4)}}, "g": "h:1",
			}
		}},
		{"JSON", `{"title": "x", "names": ["y"]}`, func(d *document) { d.Title, d.Names = "x", []string{"y"} }},
		{"directive and end", "%YAML 1.2\n---\ntitle: x\n...\n", func(d *document) { d.Title = "x" }},
		{"CRLF and a byte order mark", "\uFEFFtitle: x\r\non: true\r\n", func(d *document) { d.Title, d.On = "x", true }},
		{"block text", "title: |\n  one\n  two\n", func(d *document) { d.Title = "one\ntwo\n" }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, want := defaults(), defaults()
			tt.want(&want)
			if _, faults := strictyaml.Decode("f.yaml", []byte(tt.in), &got); len(faults) > 0 {
				t.Fatal(faults)
			}
			if d := cmp.Diff(want, got, cmp.AllowUnexported(document{})); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func TestDecodeFaults(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, in string
		want     []string
	}{
		{"all of one file", "titel: x\non: maybe\ntimeout: 30\nlist:\n  - {name: 1, tiemout: 3s}\n  - just text\nlevel: mid\n", []string{
			`f.yaml:1:1: titel: unknown key; did you mean "title"?`,
			`f.yaml:2:5: on: got a string; want true or false`,
			`f.yaml:3:10: timeout: a number without a unit; want a duration with its unit, such as 500ms, 30s or 5m`,
			`f.yaml:5:12: list[0].name: got an integer; want a string: put it in quotes`,
			`f.yaml:5:15: list[0].tiemout: unknown key; did you mean "timeout"?`,
			`f.yaml:6:5: list[1]: got a string; want a mapping of keys`,
			`f.yaml:7:8: level: want low or high`,
		}},
		{"far from every key", "inner:\n  xyzzy: 1\n", []string{`f.yaml:2:3: inner.xyzzy: unknown key; want one of small, count, big, share`}},
		{"key set twice", "title: a\non: true\ntitle: b\n", []string{`f.yaml:3:1: title: key set twice; it is already set on line 1: remove one`}},
		{"duration without sense", "timeout: soon", []string{`f.yaml:1:10: timeout: "soon" is not a duration; want a duration with its unit, such as 500ms, 30s or 5m`}},
		{"integers out of range", "small: 300\ncount: -1\nbig: 9223372036854775808\ninner: {big: 99999999999999999999}\n", []string{
			`f.yaml:1:8: small: the integer is out of range; want one from -128 to 127`,
			`f.yaml:2:8: count: the integer is out of range; want one from 0 to 65535`,
			`f.yaml:3:6: big: the integer is out of range; want one from -9223372036854775808 to 9223372036854775807`,
			`f.yaml:4:14: inner.big: the integer is out of range; want one from -9223372036854775808 to 9223372036854775807`,
		}},
		{"not a number", "share: .nan\nsmall: 1.5\n", []string{
			`f.yaml:1:8: share: not a finite number; want a number such as 0.5`,
			`f.yaml:2:8: small: got a number; want an integer`,
		}},
		{"words that Go takes for numbers", "share: infinity", []string{`f.yaml:1:8: share: got a string; want a number`}},
		{"number in quotes", "share: '0.5'", []string{`f.yaml:1:8: share: got a string; want a number`}},
		{"nothing where a value belongs", "title:\non:\n", []string{
			`f.yaml:1:1: title: got nothing; want a string`,
			`f.yaml:2:1: on: got nothing; want true or false`,
		}},
		{"list and mapping mixed up", "names: a\nmodels: [a]\ntitle: {a: b}\n", []string{
			`f.yaml:1:8: names: got a string; want a list, such as [a, b]`,
			`f.yaml:2:9: models: got a list; want a mapping of names`,
			`f.yaml:3:8: title: got a mapping; want a string`,
		}},
		{"no mapping at all", "- a\n- b\n", []string{`f.yaml:1:1: got a list; want a mapping of keys`}},
		{"two documents", "title: a\n---\ntitle: b\n", []string{`f.yaml:3:1: more than one document; want a single one: remove the line --- or what follows it`}},
		{"syntax", "title: [a\non: true\n", []string{`f.yaml:1:8: [ is not closed; want ] after its last entry, or a comma between two, before line 2 column 1`}},
		{"tab", "models:\n\tmain: {}\n", []string{`f.yaml:2:1: found character '\t' that cannot start any token; indent with spaces, not with tabs`}},
		{"colon in a text", "title: who: me\n", []string{`f.yaml:1:8: mapping value is not allowed in this context; put a text that holds a colon in quotes`}},
		{"alias without anchor", "title: *x\n", []string{
			`f.yaml:1:8: title: alias *x has no anchor before it; want &x on an earlier value`,
			`f.yaml:1:8: title: got nothing; want a string`,
		}},
		{"alias inside its anchor", "any: &x [*x]\n", []string{`f.yaml:1:10: any[0]: alias *x is inside its own anchor; want a value that does not hold itself`}},
		{"merge of no mapping", "inner: {<<: 3}\n", []string{`f.yaml:1:9: inner.<<: merges an integer; want the alias of a mapping`}},
		{"unknown tag", "title: !env HOME\n", []string{`f.yaml:1:8: title: tag !env means nothing here; want the value without a tag`}},
		{"characters count, not bytes", "names: [日本, {é: 1}, 2]\n", []string{
			`f.yaml:1:13: names[1]: got a mapping; want a string`,
			`f.yaml:1:21: names[2]: got an integer; want a string: put it in quotes`,
		}},
		{"one path twice", "key: 1", []string{`f.yaml:1:6: key: got an integer; want a string: put it in quotes`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := defaults()
			_, faults := strictyaml.Decode("f.yaml", []byte(tt.in), &v)
			if d := cmp.Diff(tt.want, lines(faults)); d != "" {
				t.Errorf("faults (-want +got):\n%s", d)
			}
		})
	}
}

func lines(fs fault.List) []string {
	var out []string
	for _, f := range fs {
		out = append(out, f.String())
	}
	return out
}

// TestFaultyValueKeepsDefault: an unreadable value must not look like zero.
func TestFaultyValueKeepsDefault(t *testing.T) {
	t.Parallel()
	got := defaults()
	_, faults := strictyaml.Decode("f.yaml", []byte("title: 1\ntimeout: x\nnames: 3\nshare: yes\n"), &got)
	if len(faults) != 4 {
		t.Fatal(faults)
	}
	if d := cmp.Diff(defaults(), got, cmp.AllowUnexported(document{})); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	laughs := "any:\n  a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		laughs += fmt.Sprintf("  a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 10), ", "))
	}
	tests := []struct{ name, in, want string }{
		{"too large", "# " + strings.Repeat("x", strictyaml.MaxBytes), "bytes are too many"},
		{"aliases of aliases", laughs, "more than 100000 values"},
		{"brackets", "any: " + strings.Repeat("[", 200_000), "nested more than 64 deep"},
		{"braces", "any: " + strings.Repeat("{a: ", 100_000), "nested more than 64 deep"},
		{"dashes", strings.Repeat("- ", 200_000) + "x", "nested more than 64 deep"},
		{"question marks", strings.Repeat("? ", 200_000) + "x", "nested more than 64 deep"},
		{"indentation", indented(100), "nested more than 64 deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := defaults()
			_, faults := strictyaml.Decode("f.yaml", []byte(tt.in), &v)
			if len(faults) == 0 || !strings.Contains(faults[0].Problem, tt.want) {
				t.Errorf("faults = %v, want one that says %q", faults, tt.want)
			}
		})
	}
}

func indented(depth int) string {
	var b strings.Builder
	b.WriteString("any:\n")
	for i := range depth {
		fmt.Fprintf(&b, "%sa:\n", strings.Repeat(" ", i+1))
	}
	return b.String()
}

// TestNoValueInFaults: a secret in the wrong place must not be shown.
func TestNoValueInFaults(t *testing.T) {
	t.Parallel()
	canary := strings.Repeat("canary", 2)
	v := defaults()
	in := "on: " + canary + "\nsmall: " + canary + "\nshare: " + canary + "\nlist: " + canary + "\nlevel: " + canary + "\nkey: [" + canary + "]\ninner: " + canary + "\n"
	_, faults := strictyaml.Decode("f.yaml", []byte(in), &v)
	if len(faults) != 7 {
		t.Errorf("%d faults, want 7: %v", len(faults), faults)
	}
	if strings.Contains(faults.Error(), canary) {
		t.Errorf("a value is shown: %v", faults)
	}
}

func TestHasAndBroken(t *testing.T) {
	t.Parallel()
	v := defaults()
	doc, _ := strictyaml.Decode("f.yaml", []byte("titel: x\nlist: [{name: 1}]\nmodels: {gpt-4.1: {name: a}}\nnames: []\n"), &v)
	for path, want := range map[string]struct{ has, broken bool }{
		"title":               {false, true}, // the near name of an unknown key
		"titel":               {true, true},
		"list":                {true, false},
		"list[0].name":        {true, true},
		"list[0].timeout":     {false, false},
		"list[1]":             {false, false},
		"models.gpt-4.1.name": {true, false},
		"names":               {true, false},
		"on":                  {false, false},
	} {
		if got := doc.Has(path); got != want.has {
			t.Errorf("Has(%s) = %t", path, got)
		}
		if got := doc.Broken(path); got != want.broken {
			t.Errorf("Broken(%s) = %t", path, got)
		}
	}
	doc, _ = strictyaml.Decode("f.yaml", []byte("title: ["), &v)
	if !doc.Broken("") || !doc.Broken("on") {
		t.Error("an unreadable document is not broken")
	}
}

// TestSyntaxMends: a broken document is told where it is broken, with the mend.
func TestSyntaxMends(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a: {b: 1\nc: 2\n":          "f.yaml:1:4: { is not closed; want } after its last entry, or a comma between two, before line 2 column 1",
		"a: [{b: 1}\nc: 2\n":        "f.yaml:1:4: [ is not closed; want ]",
		"a:\n  b: \"text\n  c: 1\n": "close the text with the quote",
		"a:\n  b: 1\n c: 2\n":       "f.yaml:3:2: value is not allowed in this context; indent the line as one above",
		"a:\n  b 1\n  c: 2\n":       "f.yaml:2:3: unexpected key name; want a colon and a blank",
		"a:\n  - {b: 1}\n  c: 2\n":  "f.yaml:3:3: value is not allowed in this context; want an entry of the list",
		"a:\n\tb: 1\n":              "indent with spaces, not with tabs",
		"a:\n  b: c: d\n":           "put a text that holds a colon in quotes",
	} {
		var v map[string]any
		_, faults := strictyaml.Decode("f.yaml", []byte(text), &v)
		if len(faults) != 1 || !strings.Contains(faults[0].String(), want) {
			t.Errorf("%q: %v, want %q", text, faults, want)
		}
	}
}
