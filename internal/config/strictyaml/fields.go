package strictyaml

import (
	"cmp"
	"reflect"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// Field is one key that a struct accepts.
type Field struct {
	Key   string
	Index []int // for [reflect.Value.FieldByIndex]
	Type  reflect.Type
	Tag   reflect.StructTag
}

// Of returns the field's value in a struct.
func (f Field) Of(v any) reflect.Value { return reflect.ValueOf(v).FieldByIndex(f.Index) }

// Fields returns the keys of a struct in the order of its fields, with the keys of
// inlined structs in their place. For a key that occurs twice the outermost field
// counts, else the first, as in Go.
func Fields(t reflect.Type) []Field {
	var all []Field
	best := map[string]int{} // key -> place in all
	add := func(f Field) {
		if i, ok := best[f.Key]; !ok || len(f.Index) < len(all[i].Index) {
			best[f.Key] = len(all)
		}
		all = append(all, f)
	}
	for i := range t.NumField() {
		f := t.Field(i)
		key, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		inline := options == "inline" && f.Type.Kind() == reflect.Struct
		switch {
		case key == "-", !f.IsExported() && (!inline || !f.Anonymous):
		case inline:
			for _, inner := range Fields(f.Type) {
				inner.Index = append([]int{i}, inner.Index...)
				add(inner)
			}
		default:
			add(Field{cmp.Or(key, strings.ToLower(f.Name)), []int{i}, f.Type, f.Tag})
		}
	}
	var out []Field
	for i, f := range all {
		if best[f.Key] == i {
			out = append(out, f)
		}
	}
	return out
}

// Adviser is a struct that knows better than the list of all its keys what may stand in
// place of an unknown one. It is asked when its known keys have been read, and returns
// the key's new name, or else the keys that are possible; nil means all.
type Adviser interface {
	Advice(key string) (renamed string, possible []string)
}

func (d *decoder) structure(n *node, v reflect.Value, path string) {
	if n.kind == kindNull {
		return
	}
	if n.kind != kindMap {
		d.wrong(n, path, "a mapping of keys")
		return
	}
	known := map[string][]int{}
	var names []string
	fields := Fields(v.Type())
	// A struct's own keys precede those of an inlined struct at its beginning.
	own := max(0, slices.IndexFunc(fields, func(f Field) bool { return len(f.Index) == 1 }))
	for _, f := range slices.Concat(fields[own:], fields[:own]) {
		known[f.Key] = f.Index
		names = append(names, f.Key)
	}
	var unknown []pair
	for _, p := range n.pairs {
		if i, ok := known[p.key]; ok {
			d.value(p.value, v.FieldByIndex(i), join(path, p.key))
		} else {
			unknown = append(unknown, p)
		}
	}
	for _, p := range unknown {
		where := join(path, p.key)
		names := names
		if adviser, ok := reflect.TypeAssert[Adviser](v); ok {
			renamed, possible := adviser.Advice(p.key)
			if renamed != "" {
				d.doc.broken[join(path, renamed)] = true
				d.fault(p.pos, where, "unknown key", "its name is "+renamed+" now")
				continue
			}
			if possible != nil {
				names = possible
			}
		}
		expected := "want one of " + strings.Join(names, ", ")
		if near := fault.Nearest(p.key, names); near != "" {
			expected = `did you mean "` + near + `"?`
			d.doc.broken[join(path, near)] = true
		}
		d.fault(p.pos, where, "unknown key", expected)
	}
}
