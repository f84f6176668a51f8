package config

import (
	"cmp"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/config/strictyaml"
	"github.com/evalworker/evalworker/policy"
)

// Print writes the effective configuration as YAML: every key with its value,
// whether it came from the file, the environment or a default. Of an evaluator it
// writes what is set. Secrets and passwords in URLs are [REDACTED]; loaded again, a
// key that is [REDACTED] counts as absent.
func (c *Config) Print(w io.Writer) error {
	var b strings.Builder
	emit(&b, fieldsTree(reflect.ValueOf(*c)), "")
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return nil
}

// tree turns a value into what emit writes.
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

// evaluatorTree leaves out what is not set: an evaluator has few of the many
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
