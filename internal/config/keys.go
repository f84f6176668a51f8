package config

import (
	"reflect"
	"strings"

	"github.com/evalworker/evalworker/judges/model"
)

// Key is one key of the file.
type Key struct {
	// Path as faults write it; NAME stands for any name, [] for any item.
	Path string
	// Type is what a person writes: string, integer, number, boolean, duration,
	// secret, a list of these; or section, which holds keys of its own.
	Type string
	// Default in YAML; empty for a section and for what has none.
	Default string
	// Doc says in one line what the key is for.
	Doc string
	// Env is the environment variable that sets the key, if one does.
	Env string
}

// Section reports whether the key holds keys of its own.
func (k Key) Section() bool { return k.Type == "section" }

// Name gives the last part of the path.
func (k Key) Name() string { return k.Path[strings.LastIndexByte(k.Path, '.')+1:] }

// Keys gives every key of the file, in the order of the types: a section stands
// before the keys that it holds.
func Keys() []Key {
	w := keyWalker{docs: docs()}
	w.walk(reflect.ValueOf(Default()), "")
	env := settings()
	for i := range w.keys {
		if name := variable(w.keys[i].Path); env[name].path == w.keys[i].Path {
			w.keys[i].Env = name
		}
	}
	return w.keys
}

type keyWalker struct {
	docs map[string]string
	keys []Key
}

func (w *keyWalker) walk(v reflect.Value, path string) {
	for _, f := range fieldsOf(v.Type(), nil) {
		where := f.key
		if path != "" {
			where = path + "." + f.key
		}
		w.value(v.FieldByIndex(f.index), where)
	}
}

func (w *keyWalker) value(v reflect.Value, path string) {
	t := v.Type()
	if isLeaf(t) {
		w.keys = append(w.keys, Key{Path: path, Type: typeName(t), Default: byDefault(path, v), Doc: w.docs[path]})
		return
	}
	w.keys = append(w.keys, Key{Path: path, Type: "section", Doc: w.docs[path]})
	switch t.Kind() {
	case reflect.Pointer:
		w.walk(reflect.Zero(t.Elem()), path)
	case reflect.Map:
		elem := reflect.Zero(t.Elem())
		if t.Elem() == reflect.TypeFor[model.Config]() {
			elem = reflect.ValueOf(model.DefaultConfig())
		}
		w.walk(elem, path+".NAME")
	case reflect.Slice:
		w.walk(reflect.Zero(t.Elem()), path+"[]")
	default:
		w.walk(v, path)
	}
}

// byDefault gives a leaf's default as YAML. An item of a list has none: what is
// not written is not set.
func byDefault(path string, v reflect.Value) string {
	if v.IsZero() && (strings.Contains(path, "[]") || strings.Contains(path, "NAME.price.")) {
		return ""
	}
	switch p := plain(v).(type) {
	case nil:
		return "null"
	case []any:
		parts := make([]string, len(p))
		for i := range p {
			parts[i] = scalar(p[i])
		}
		return "[" + strings.Join(parts, ", ") + "]"
	default:
		return scalar(p)
	}
}
