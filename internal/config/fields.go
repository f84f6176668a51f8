package config

import (
	"encoding"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/config/secret"
)

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

// leafValue returns a leaf as YAML writes it, in Go types that emit knows.
func leafValue(v reflect.Value) any {
	switch {
	case v.Kind() == reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return leafValue(v.Elem())
	case v.Type() == typeDuration:
		return shortDuration(time.Duration(v.Int()))
	case v.Type() == typeSecret:
		return v.Interface().(secret.String).String()
	case v.Type().Implements(typeText):
		text, err := v.Interface().(encoding.TextMarshaler).MarshalText()
		if err != nil {
			return nil
		}
		return string(text)
	}
	switch v.Kind() {
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = leafValue(v.Index(i))
		}
		return out
	case reflect.String:
		return withoutPassword(v.String())
	case reflect.Bool:
		return v.Bool()
	case reflect.Float32, reflect.Float64:
		return number(v)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return v.Int()
	}
	return fmt.Sprint(v.Interface())
}

// number writes 5 and not 5.0, as a person would.
func number(v reflect.Value) any {
	const exact = 1 << 53 // up to here a float holds every integer
	switch f := v.Float(); {
	case f == math.Trunc(f) && math.Abs(f) < exact:
		return int64(f)
	case v.Kind() == reflect.Float32:
		return float32(f)
	default:
		return f
	}
}

// shortDuration writes 1m0s as 1m, as a person would.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
