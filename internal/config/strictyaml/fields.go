package strictyaml

import (
	"reflect"
	"strings"

	"github.com/evalworker/evalworker/internal/config/fault"
)

// field is one key that a struct takes.
type field struct {
	key   string
	index []int
}

// fieldsOf gives the keys of a struct, those of inlined structs included. Where
// a key occurs twice the outer and then the earlier one has it, as in Go.
func fieldsOf(t reflect.Type) []field {
	var own, inlined []field
	for i := range t.NumField() {
		f := t.Field(i)
		tag, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		inline := options == "inline" && f.Type.Kind() == reflect.Struct
		switch {
		case tag == "-", !f.IsExported() && (!inline || !f.Anonymous):
		case inline:
			for _, g := range fieldsOf(f.Type) {
				inlined = append(inlined, field{g.key, append([]int{i}, g.index...)})
			}
		case tag == "":
			own = append(own, field{strings.ToLower(f.Name), []int{i}})
		default:
			own = append(own, field{tag, []int{i}})
		}
	}
	seen := map[string]bool{}
	out := own[:0:0]
	for _, f := range append(own, inlined...) {
		if !seen[f.key] {
			seen[f.key] = true
			out = append(out, f)
		}
	}
	return out
}

func (d *decoder) structure(n *node, v reflect.Value, path string) {
	if n.kind == kindNull {
		return
	}
	if n.kind != kindMap {
		d.wrong(n, path, "a mapping of keys")
		return
	}
	fields := fieldsOf(v.Type())
	known := make(map[string][]int, len(fields))
	names := make([]string, 0, len(fields))
	for _, f := range fields {
		known[f.key] = f.index
		names = append(names, f.key)
	}
	for _, p := range n.pairs {
		where := join(path, p.key)
		if i, ok := known[p.key]; ok {
			d.value(p.value, v.FieldByIndex(i), where)
			continue
		}
		expected := "want one of " + strings.Join(names, ", ")
		if near := fault.Nearest(p.key, names); near != "" {
			expected = `did you mean "` + near + `"?`
			d.doc.broken[join(path, near)] = true
		}
		d.fault(p.pos, where, "unknown key", expected)
	}
}
