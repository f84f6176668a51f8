package datadog

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Field is one difference between what Datadog has and what it should have.
type Field struct {
	Path   string `json:"path"`   // such as options.thresholds.critical or widgets[2].definition.title
	Before any    `json:"before"` // nil: Datadog has none
	After  any    `json:"after"`  // nil: it should have none
}

// compare returns the differences of a body. Only keys that ours sets count, because
// Datadog adds defaults, ids and times; and what it is known to write another way is no
// difference: the order of tags, 3 as 3.0, and an empty value as an absent one.
func compare(ours, theirs map[string]any) []Field {
	var d difference
	d.object("", ours, theirs)
	return d.fields
}

type difference struct{ fields []Field }

func (d *difference) add(path string, before, after any) {
	d.fields = append(d.fields, Field{path, before, after})
}

func (d *difference) object(path string, ours, theirs map[string]any) {
	for _, key := range slices.Sorted(maps.Keys(ours)) {
		d.value(below(path, key), ours[key], theirs[key])
	}
	if path != "options.thresholds" {
		return
	}
	// A threshold that somebody added changes when the monitor warns or recovers.
	for _, key := range slices.Sorted(maps.Keys(theirs)) {
		if _, ok := ours[key]; !ok && theirs[key] != nil {
			d.add(below(path, key), theirs[key], nil)
		}
	}
}

func (d *difference) value(path string, ours, theirs any) {
	switch a := ours.(type) {
	case map[string]any:
		if b, ok := theirs.(map[string]any); ok {
			d.object(path, a, b)
			return
		}
	case []any:
		if b, ok := theirs.([]any); ok {
			d.list(path, a, b)
			return
		}
	case json.Number:
		x, _ := numberOf(a)
		if y, ok := numberOf(theirs); ok && x == y {
			return
		}
	case string:
		if b, ok := theirs.(string); ok && sameText(path, a, b) {
			return
		}
	default:
		if ours == theirs {
			return
		}
	}
	if empty(ours) && empty(theirs) {
		return
	}
	d.add(path, theirs, ours)
}

func (d *difference) list(path string, ours, theirs []any) {
	if path == "tags" {
		if !slices.Equal(sortedTags(ours), sortedTags(theirs)) {
			d.add(path, theirs, ours)
		}
		return
	}
	for i := range max(len(ours), len(theirs)) {
		item := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case i >= len(ours):
			d.add(item, theirs[i], nil)
		case i >= len(theirs):
			d.add(item, nil, ours[i])
		default:
			d.value(item, ours[i], theirs[i])
		}
	}
}

func sortedTags(tags []any) []string {
	return slices.Compact(slices.Sorted(slices.Values(tagsOf(map[string]any{"tags": tags}))))
}

// sameText reports whether two texts mean the same at a path.
func sameText(path, a, b string) bool {
	switch path {
	case "query":
		return strings.Join(strings.Fields(a), " ") == strings.Join(strings.Fields(b), " ")
	case "type": // Datadog keeps a metric monitor under either name
		alike := strings.NewReplacer("metric alert", "query alert")
		return alike.Replace(a) == alike.Replace(b)
	}
	plain := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	return plain(a) == plain(b)
}

// empty reports whether Datadog may leave a value out.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

func below(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
