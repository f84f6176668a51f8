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
