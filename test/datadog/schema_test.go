package datadog

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// mismatches returns where a JSON value does not have the form of a type of Datadog's
// client, one line a place. The client itself would keep the whole widget aside and not
// say which of its fields is at fault.
func mismatches(value any, typ reflect.Type, path string) []string {
	fault := func(format string, args ...any) []string {
		return []string{path + ": " + fmt.Sprintf(format, args...)}
	}
	if typ.Kind() == reflect.Pointer {
		return mismatches(value, typ.Elem(), path)
	}
	if inner, ok := nullable(typ); ok {
		if value == nil {
			return nil
		}
		return mismatches(value, inner, path)
	}
	if value == nil && typ.Kind() != reflect.Interface {
		return fault("null, and the field cannot be null")
	}
	if typ == reflect.TypeFor[time.Time]() {
		if s, ok := value.(string); !ok || json.Unmarshal([]byte(`"`+s+`"`), new(time.Time)) != nil {
			return fault("%v is no time", value)
		}
		return nil
	}
	switch typ.Kind() {
	case reflect.Interface:
		return nil
	case reflect.Struct:
		if isUnion(typ) {
			return unionMismatches(value, typ, path)
		}
		return structMismatches(value, typ, path)
	case reflect.Slice:
		list, ok := value.([]any)
		if !ok {
			return fault("%v is no list", value)
		}
		var all []string
		for i, one := range list {
			all = append(all, mismatches(one, typ.Elem(), fmt.Sprintf("%s[%d]", path, i))...)
		}
		return all
	case reflect.Map:
		object, ok := value.(map[string]any)
		if !ok {
			return fault("%v is no object", value)
		}
		var all []string
		for _, key := range slices.Sorted(maps.Keys(object)) {
			all = append(all, mismatches(object[key], typ.Elem(), path+"."+key)...)
		}
		return all
	default:
		b, err := json.Marshal(value)
		if err != nil {
			return fault("%v", err)
		}
		into := reflect.New(typ)
		if err := json.Unmarshal(b, into.Interface()); err != nil {
			return fault("%s is no %s", b, typ.Kind())
		}
		if enum, ok := into.Elem().Interface().(interface{ IsValid() bool }); ok && !enum.IsValid() {
			return fault("%s is no %s", b, typ.Name())
		}
		return nil
	}
}

// nullable returns the type inside one of the client's types of fields that may be null.
func nullable(typ reflect.Type) (reflect.Type, bool) {
	get, ok := typ.MethodByName("Get")
	if !ok || !strings.HasPrefix(typ.Name(), "Nullable") {
		return nil, false
	}
	return get.Type.Out(0).Elem(), true
}

// isUnion reports whether a value of the type is one of several: its fields have no names
// in JSON.
func isUnion(typ reflect.Type) bool {
	return typ.NumField() > 1 && typ.Field(0).Tag.Get("json") == ""
}

func structMismatches(value any, typ reflect.Type, path string) []string {
	object, ok := value.(map[string]any)
	if !ok {
		return []string{fmt.Sprintf("%s: %v is no object", path, value)}
	}
	var all []string
	known := map[string]bool{}
	for _, field := range reflect.VisibleFields(typ) {
		name, option, _ := strings.Cut(field.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		known[name] = true
		switch inner, there := object[name]; {
		case there:
			all = append(all, mismatches(inner, field.Type, path+"."+name)...)
		case option != "omitempty":
			all = append(all, fmt.Sprintf("%s: the required field %s is missing", path, name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if !known[name] {
			all = append(all, fmt.Sprintf("%s.%s: %s has no such field", path, name, typ.Name()))
		}
	}
	return all
}

// deciding are the fields that say which type of a union an object has. One of another
// type is foreign: it is never the one that was meant.
var deciding = []string{"type", "data_source", "response_format", "request_type"}

const foreign = 1000

// unionMismatches returns nothing when the value has one of the union's types, and
// otherwise what separates it from the one that it was most likely meant to have.
func unionMismatches(value any, typ reflect.Type, path string) []string {
	var nearest []string
	least := -1
	for i := range typ.NumField() {
		field := typ.Field(i)
		if field.Name == "UnparsedObject" {
			continue
		}
		found := mismatches(value, field.Type, path)
		distance := len(found)
		for _, f := range found {
			for _, field := range deciding {
				if strings.HasPrefix(f, path+"."+field+": ") {
					distance += foreign
				}
			}
		}
		switch {
		case distance == 0:
			return nil
		case least < 0 || distance < least:
			nearest, least = found, distance
		}
	}
	object, _ := value.(map[string]any)
	for _, field := range deciding {
		if name, ok := object[field]; ok && least >= foreign {
			return []string{fmt.Sprintf("%s.%s: there is no %s with %v", path, field, typ.Name(), name)}
		}
	}
	return nearest
}
