package config

import (
	"encoding"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
	"github.com/evalworker/evalworker/policy"
)

// Key is one key of the file.
type Key struct {
	// Path as faults write it, with NAME for any name and [] for any item.
	Path string
	// Type is string, integer, number, boolean, duration, secret, a list of these,
	// numbers by name, or section, which holds further keys.
	Type string
	// Default in YAML; empty for a section and for a key without one.
	Default string
	// Doc says in one line what the key is for.
	Doc string
	// Env is the environment variable that sets the key, if one does.
	Env string

	index []int // of the field in a Config; nil inside lists and maps
}

// Section reports whether the key holds further keys.
func (k Key) Section() bool { return k.Type == "section" }

// Name returns the last part of the path.
func (k Key) Name() string { return k.Path[strings.LastIndexByte(k.Path, '.')+1:] }

// section returns the path up to the name.
func (k Key) section() string { return strings.TrimSuffix(k.Path, k.Name()) }

// Keys returns every key of the file, in the order of the fields: a section
// precedes the keys that it holds. Doc is the doc tag of the field.
func Keys() []Key {
	var keys []Key
	walkKeys(reflect.ValueOf(Default()), "", []int{}, &keys)
	return keys
}

func walkKeys(v reflect.Value, under string, index []int, keys *[]Key) {
	for _, f := range strictyaml.Fields(v.Type()) {
		k := Key{Path: join(under, f.Key), Type: "section", Doc: f.Tag.Get("doc")}
		if index != nil {
			k.index = slices.Concat(index, f.Index)
		}
		value := v.FieldByIndex(f.Index)
		if isLeaf(f.Type) {
			k.Type, k.Default = typeName(f.Type), defaultYAML(k.Path, value)
			if k.index != nil {
				k.Env = variable(k.Path)
			}
			*keys = append(*keys, k)
			continue
		}
		if f.Type.Kind() == reflect.Map && isLeaf(f.Type.Elem()) {
			k.Type, k.Default = typeName(f.Type.Elem())+"s by name", "{}"
			*keys = append(*keys, k)
			continue
		}
		*keys = append(*keys, k)
		switch f.Type.Kind() {
		case reflect.Pointer:
			walkKeys(reflect.Zero(f.Type.Elem()), k.Path, nil, keys)
		case reflect.Map: // with the defaults of the entry that exists by default
			walkKeys(value.MapIndex(reflect.ValueOf(policy.DefaultModel)), k.Path+".NAME", nil, keys)
		case reflect.Slice:
			walkKeys(reflect.Zero(f.Type.Elem()), k.Path+"[]", nil, keys)
		default:
			walkKeys(value, k.Path, k.index, keys)
		}
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// defaultYAML returns a leaf's default as YAML. Keys inside list items have none: an
// absent key is not set.
func defaultYAML(path string, v reflect.Value) string {
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

var (
	typeDuration = reflect.TypeFor[time.Duration]()
	typeSecret   = reflect.TypeFor[secret.String]()
	typeText     = reflect.TypeFor[encoding.TextMarshaler]()
)

// isLeaf reports whether a type is written as one scalar or a list of scalars.
func isLeaf(t reflect.Type) bool {
	switch {
	case t.Implements(typeText):
		return true
	case t.Kind() == reflect.Pointer:
		return isLeaf(t.Elem())
	case t.Kind() == reflect.Slice:
		return isLeaf(t.Elem())
	}
	return t.Kind() != reflect.Struct && t.Kind() != reflect.Map
}

// typeName names a type for people who write the file.
func typeName(t reflect.Type) string {
	switch {
	case t == typeDuration:
		return "duration"
	case t == typeSecret:
		return "secret"
	case t.Implements(typeText):
		return "string"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return typeName(t.Elem())
	case reflect.Slice:
		return "list of " + typeName(t.Elem()) + "s"
	case reflect.Bool:
		return "boolean"
	case reflect.String:
		return "string"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Int, reflect.Int64:
		return "integer"
	}
	return t.Kind().String()
}
