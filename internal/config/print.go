package config

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"slices"

	"github.com/goccy/go-yaml"
)

// Print writes the effective configuration as YAML: every key with its value,
// whether it came from the file, the environment or a default. Of an evaluator
// only the options of its type are written. Secrets are [REDACTED], and so are
// passwords in URLs; loaded again, a key that is [REDACTED] counts as absent.
func (c *Config) Print(w io.Writer) error {
	b, err := yaml.MarshalWithOptions(tree(reflect.ValueOf(*c)), yaml.IndentSequence(true))
	if err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	if _, err := w.Write(b); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return nil
}

// tree turns a value into what the encoder writes in the order of the fields.
func tree(v reflect.Value) any {
	if v.Type() == reflect.TypeFor[Evaluator]() {
		return evaluatorTree(v.Interface().(Evaluator))
	}
	if isLeaf(v.Type()) {
		return plain(v)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return nil
		}
		return tree(v.Elem())
	case reflect.Map:
		out := yaml.MapSlice{}
		keys := v.MapKeys()
		slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(a.String(), b.String()) })
		for _, k := range keys {
			out = append(out, yaml.MapItem{Key: k.String(), Value: tree(v.MapIndex(k))})
		}
		return out
	case reflect.Slice:
		out := make([]any, v.Len())
		for i := range out {
			out[i] = tree(v.Index(i))
		}
		return out
	}
	out := yaml.MapSlice{}
	for _, f := range fieldsOf(v.Type(), nil) {
		out = append(out, yaml.MapItem{Key: f.key, Value: tree(v.FieldByIndex(f.index))})
	}
	return out
}

// evaluatorTree leaves out what is not set: an evaluator has few of many
// options, and most of these have no default to show.
func evaluatorTree(e Evaluator) yaml.MapSlice {
	if e.Judge() {
		e.JudgeOptions = e.JudgeConfig()
	}
	out := yaml.MapSlice{}
	for _, f := range fieldsOf(reflect.TypeFor[Evaluator](), nil) {
		if v := f.of(e); !v.IsZero() {
			out = append(out, yaml.MapItem{Key: f.key, Value: tree(v)})
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
