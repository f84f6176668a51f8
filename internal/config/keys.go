package config

import (
	"reflect"
	"strings"

	"github.com/evalworker/evalworker/internal/config/strictyaml"
	"github.com/evalworker/evalworker/policy"
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

// Name returns the last part of the path.
func (k Key) Name() string { return k.Path[strings.LastIndexByte(k.Path, '.')+1:] }

// Keys returns every key of the file, in the order of the types: a section stands
// before the keys that it holds. What a key is for stands in the doc tag of its
// field.
func Keys() []Key {
	var keys []Key
	walkKeys(reflect.ValueOf(Default()), "", &keys)
	env := settings()
	for i := range keys {
		if name := variable(keys[i].Path); env[name].path == keys[i].Path {
			keys[i].Env = name
		}
	}
	return keys
}

func walkKeys(v reflect.Value, under string, keys *[]Key) {
	for _, f := range strictyaml.Fields(v.Type()) {
		path, value := join(under, f.Key), v.FieldByIndex(f.Index)
		k := Key{Path: path, Type: "section", Doc: f.Tag.Get("doc")}
		if isLeaf(f.Type) {
			k.Type, k.Default = typeName(f.Type), byDefault(path, value)
			*keys = append(*keys, k)
			continue
		}
		*keys = append(*keys, k)
		switch f.Type.Kind() {
		case reflect.Pointer:
			value = reflect.Zero(f.Type.Elem())
		case reflect.Map: // the defaults are those of the entry that exists by default
			value, path = value.MapIndex(reflect.ValueOf(policy.DefaultModel)), path+".NAME"
		case reflect.Slice:
			value, path = reflect.Zero(f.Type.Elem()), path+"[]"
		}
		walkKeys(value, path, keys)
	}
}

// join returns the path of a key below another one.
func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// byDefault returns a leaf's default as YAML. An item of a list has none: what is
// not written is not set.
func byDefault(path string, v reflect.Value) string {
	if v.IsZero() && (strings.Contains(path, "[]") || strings.Contains(path, "NAME.price.")) {
		return ""
	}
	switch p := leafValue(v).(type) {
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
