//go:build go1.26

package event

import (
	"os"
	"reflect"
	"strings"
	"testing"
)

// TestDocs keeps docs/events.md true: it has every shape with its example, which
// that shape reads and no shape before it, every field of an event, and every tag of
// reasoning.
func TestDocs(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(data)
	has := func(text string) {
		t.Helper()
		if !strings.Contains(doc, text) {
			t.Errorf("docs/events.md lacks %s", text)
		}
	}
	var rows strings.Builder
	for i, shape := range shapes() {
		rows.WriteString("| " + shape.name + " | `" + shape.example + "` |\n")
		f, ok := fieldsOf([]byte(shape.example))
		if !ok {
			t.Fatalf("%s is no object", shape.example)
		}
		first := -1
		for j, other := range shapes() {
			s := said{role: RoleAssistant}
			if other.read(&s, &f) {
				first = j
				break
			}
		}
		if first != i {
			t.Errorf("%s is read as shape %d; want %s, shape %d", shape.example, first, shape.name, i)
		}
		a := readAnswer([]byte(shape.example))
		if said := a.Text == "Hello." || a.Text == `{"reply":"Hello."}` || a.CallsTools; said == (a.Unread != "") {
			t.Errorf("%s: %+v", shape.example, a)
		}
	}
	if has(rows.String()); t.Failed() {
		t.Logf("its rows are:\n%s", rows.String())
	}
	for _, tag := range reasoningTags() {
		has("`" + tag.open + "`")
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[Event](), reflect.TypeFor[Retrieval](), reflect.TypeFor[Chunk](), reflect.TypeFor[ToolCall]()} {
		for f := range typ.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if f.IsExported() {
				has("`" + name + "`")
			}
		}
	}
}

// TestTraceDocs: each example of the section on traces names the same span.
func TestTraceDocs(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(data), "\n## Trace: ")
	section, _, _ = strings.Cut(section, "\n## ")
	examples := 0
	for i, code := range strings.Split(section, "`") {
		e := &Event{}
		key, value, header := strings.Cut(code, ": ")
		switch {
		case i%2 == 0: // between two pieces of code
			continue
		case strings.HasPrefix(code, "{"):
			if e, err = DecodeStrict([]byte(`{"event":"llm_request_completed","request_id":"r",` + code[1:])); err != nil {
				t.Errorf("%s: %v", code, err)
				continue
			}
		case header:
			e.Join([]Header{{key, []byte(value)}})
		default:
			continue
		}
		examples++
		if trace, span := e.Origin(); trace.String() != "0af7651916cd43dd8448eb211c80319c" || span != 0xb7ad6b7169203331 {
			t.Errorf("%s: trace %s, span %s", code, trace, span)
		}
	}
	if examples != 13 {
		t.Errorf("%d examples", examples)
	}
	for _, fault := range [...]LinkFault{LinkAbsent, LinkZero, LinkTraceMalformed, LinkSpanMalformed, LinkSpanMissing, LinkDiffers} {
		if !strings.Contains(section, "`"+string(fault)+"`") {
			t.Errorf("no reason %s", fault)
		}
	}
	for at := range numPlaces {
		if !strings.Contains(section, "`"+at.String()+"`") {
			t.Errorf("no place %s", at)
		}
	}
}

// TestProviderDocs: each example of the section on what providers give has all that the
// section says, and nothing of it warns.
func TestProviderDocs(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../docs/events.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(data), "\n## What a provider gave")
	section, _, _ = strings.Cut(section, "\n## ")
	examples := 0
	for line := range strings.Lines(section) {
		if !strings.HasPrefix(line, `{"event"`) {
			continue
		}
		examples++
		e, err := DecodeStrict([]byte(line))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if e.Answer().Text != "Hello." || e.InputTokens == nil || *e.OutputTokens != 2 || e.Model == "" || e.Finish() != FinishStop || !strings.HasSuffix(e.Input.Text(), "user: Hi") {
			t.Errorf("%s: %+v, asked %q", line, e, e.Input.Text())
		}
	}
	if examples != 3 {
		t.Errorf("%d examples", examples)
	}
}
