package config

import (
	"cmp"
	"encoding"
	"fmt"
	"io"
	"math"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
	"github.com/evalworker/evalworker/policy"
)

// Print writes the effective configuration as YAML: every key with its value,
// whether it came from the file, the environment or a default. Of an evaluator it
// writes only the keys that are set. Secrets and passwords in URLs are [REDACTED];
// when loaded again, a key that is [REDACTED] counts as absent.
func (c *Config) Print(w io.Writer) error {
	var b strings.Builder
	emit(&b, fieldsTree(reflect.ValueOf(*c)), "")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return nil
}

// tree turns a value into the form that emit writes.
func tree(v reflect.Value) any {
	if v.Type() == reflect.TypeFor[policy.EvaluatorConfig]() {
		return evaluatorTree(v.Interface().(policy.EvaluatorConfig))
	}
	if isLeaf(v.Type()) {
		return leafValue(v)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return tree(v.Elem())
	case reflect.Map:
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
		out := section{}
		for _, k := range keys {
			out = append(out, entry{k.String(), tree(v.MapIndex(k))})
		}
		return out
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = tree(v.Index(i))
		}
		return out
	}
	return fieldsTree(v)
}

func fieldsTree(v reflect.Value) section {
	out := section{}
	for _, f := range strictyaml.Fields(v.Type()) {
		out = append(out, entry{f.Key, tree(v.FieldByIndex(f.Index))})
	}
	return out
}

// evaluatorTree omits keys that are not set: an evaluator has few of the many
// options, and most have no default to show.
func evaluatorTree(e policy.EvaluatorConfig) section {
	if e.Judge() {
		e.JudgeOptions = e.JudgeConfig()
	}
	out := section{}
	for _, f := range strictyaml.Fields(reflect.TypeFor[policy.EvaluatorConfig]()) {
		if v := f.Of(e); !v.IsZero() {
			out = append(out, entry{f.Key, tree(v)})
		}
	}
	return out
}

// withoutPassword hides the password of a URL.
func withoutPassword(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.User == nil {
		return s
	}
	if _, has := u.User.Password(); !has {
		return s
	}
	return u.Redacted()
}

// leafValue returns a leaf in a Go type that emit can write.
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

// number returns whole numbers as integers, so that 5 is not written as 5.0.
func number(v reflect.Value) any {
	const exact = 1 << 53 // a float holds every integer up to here
	switch f := v.Float(); {
	case f == math.Trunc(f) && math.Abs(f) < exact:
		return int64(f)
	case v.Kind() == reflect.Float32:
		return float32(f)
	default:
		return f
	}
}

// shortDuration writes 1m instead of 1m0s.
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
