package config

import (
	"reflect"
	"slices"
)

// live are the keys that may change while the worker runs.
func live() []string { return []string{"schemas", "rubrics", "models", "evaluators", "sampling"} }

// keep puts back what may not change while the worker runs, and gives the paths
// of the keys that it put back.
func (c *Config) keep(running *Config) []string {
	var keys []string
	now, was := reflect.ValueOf(c).Elem(), reflect.ValueOf(running).Elem()
	for _, f := range fieldsOf(now.Type(), nil) {
		if slices.Contains(live(), f.key) {
			continue
		}
		keys = append(keys, differing(now.FieldByIndex(f.index), was.FieldByIndex(f.index), f.key)...)
		now.FieldByIndex(f.index).Set(was.FieldByIndex(f.index))
	}
	return keys
}

// differing gives the paths of the keys that differ between two values of a
// type. A list of sections is one key.
func differing(a, b reflect.Value, path string) []string {
	if a.Kind() != reflect.Struct || isLeaf(a.Type()) {
		if reflect.DeepEqual(a.Interface(), b.Interface()) {
			return nil
		}
		return []string{path}
	}
	var keys []string
	for _, f := range fieldsOf(a.Type(), nil) {
		keys = append(keys, differing(a.FieldByIndex(f.index), b.FieldByIndex(f.index), path+"."+f.key)...)
	}
	return keys
}
