package validators

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// decode gives a JSON text that has been scanned, with numbers as they are
// written.
func decode(text string) any {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil { // the scan has accepted it
		return nil
	}
	return v
}

// countMembers counts the members of all objects. The scan counts them too, so
// that a smaller number here tells of a key that stands twice in one object: of
// those the decoder keeps the last, and others may keep the first.
func countMembers(v any) int {
	n := 0
	switch v := v.(type) {
	case map[string]any:
		n = len(v)
		for _, child := range v {
			n += countMembers(child)
		}
	case []any:
		for _, child := range v {
			n += countMembers(child)
		}
	}
	return n
}

// countSchemas counts what may be a schema in a document: objects and booleans.
func countSchemas(v any) int {
	n := 0
	switch v := v.(type) {
	case bool:
		n = 1
	case map[string]any:
		n = 1
		for _, child := range v {
			n += countSchemas(child)
		}
	case []any:
		for _, child := range v {
			n += countSchemas(child)
		}
	}
	return n
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func itoa(i int) string { return strconv.Itoa(i) }
