package strictyaml

import (
	"cmp"
	"encoding"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// Document is a decoded file; it finds the places of faults in the file.
type Document struct {
	file   string
	lines  [][]rune
	root   *node           // nil when the file is empty or unreadable
	broken map[string]bool // paths whose value could not be read
}

// Decode reads one YAML document into v, a pointer to a struct whose defaults
// are set: keys that the document does not set keep their values. Keys are the
// names in the yaml tags, else the lower-case field names. An entry that a map in v
// already holds is the default for the entry with that key; a list replaces its
// default as a whole.
//
// It returns all faults with their places, in the order of the file; a value
// with a fault keeps its default. The document is never nil.
func Decode(file string, data []byte, v any) (*Document, fault.List) {
	var faults fault.List
	d := &Document{file: file, broken: map[string]bool{}}
	text := normalize(data)
	d.root = parse(text, &faults)
	for line := range strings.SplitSeq(text, "\n") {
		d.lines = append(d.lines, []rune(line))
	}
	dec := decoder{doc: d, reporter: reporter{&faults}}
	unreadable := d.root == nil && len(faults) > 0
	if d.root != nil && d.root.kind != kindNull {
		before := len(faults)
		dec.value(d.root, reflect.ValueOf(v).Elem(), "")
		unreadable = d.root.kind != kindMap && len(faults) > before
	}
	for i := range faults {
		faults[i].File = file
		d.broken[faults[i].Path] = true
	}
	d.broken[""] = unreadable
	slices.SortStableFunc(faults, func(a, b fault.Fault) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return d, faults
}

// Has reports whether the document sets the value at path, such as
// sampling.rules[0].rate.
func (d *Document) Has(path string) bool {
	_, exact := d.find(path)
	return exact
}

// Broken reports whether the value at path, or one that contains it, could not be
// read; for the empty path, whether nothing could. A fault that a later check finds
// there only follows from that.
func (d *Document) Broken(path string) bool {
	if d.broken[""] {
		return true
	}
	for p := path; ; {
		if d.broken[p] {
			return true
		}
		i := strings.LastIndexAny(p, ".[")
		if i < 0 {
			return false
		}
		p = p[:i]
	}
}

// Text parses the text of one value, as in an environment variable or a flag, into
// *v under the rules of [Decode]: a string, a number, true or false, a duration, or
// a comma-separated list. The faults have no file and an empty path.
func Text(text string, v any) fault.List {
	var faults fault.List
	dec := decoder{doc: &Document{broken: map[string]bool{}}, reporter: reporter{&faults}}
	target := reflect.ValueOf(v).Elem()
	n := scalarFor(target, text)
	if target.Kind() == reflect.Slice {
		n = &node{kind: kindList}
		for item := range strings.SplitSeq(text, ",") {
			n.items = append(n.items, scalarFor(reflect.New(target.Type().Elem()).Elem(), strings.TrimSpace(item)))
		}
	}
	dec.value(n, target, "")
	for i := range faults {
		faults[i].Line, faults[i].Column = 0, 0
	}
	return faults
}

// scalarFor returns a text as the kind of scalar that v expects: if v is a string,
// digits are text too.
func scalarFor(v reflect.Value, text string) *node {
	n := &node{kind: kindString, text: text}
	if v.Kind() == reflect.Pointer {
		v = reflect.New(v.Type().Elem()).Elem()
	}
	_, ownText := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr())
	if v.Kind() == reflect.String || v.Type() == durationType || ownText {
		return n
	}
	digits, base := literal(text)
	if _, err := strconv.ParseInt(digits, base, 64); err == nil {
		n.kind = kindInt
	} else if _, err := strconv.ParseFloat(text, 64); err == nil && startsNumber(text) {
		n.kind = kindFloat
	} else if text == "true" || text == "false" {
		n.kind = kindBool
	}
	return n
}
