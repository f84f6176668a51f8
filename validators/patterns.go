package validators

import "regexp/syntax"

// maxPattern bounds a regular expression of a configuration, in bytes. All are
// RE2, so a search takes time linear in the text; but linear times the size of
// the expression, and a short one can be large: x{1000}.
const maxPattern = 4096

// Bounds of the patterns in the schemas of an event's tools. A schema folder is
// its operator's; tools come with the event, and its sender could have both a
// pattern and a text made to keep a worker busy.
const (
	maxToolPattern      = 1000     // bytes of one pattern
	maxToolInstructions = 1000     // of all patterns of one schema, compiled
	maxToolText         = 64 << 10 // bytes of arguments that are held against a schema with patterns
)

// patternSize gives the instructions of all patterns of a schema document; more
// than maxToolInstructions when they are too many. Values that are data count as
// well: that is a mistake on the safe side. A pattern that does not compile is
// the compiler's to report.
func patternSize(doc any) int {
	size := 0
	add := func(pattern string) {
		if size > maxToolInstructions {
			return
		}
		if len(pattern) > maxToolPattern {
			size = maxToolInstructions + 1
			return
		}
		re, err := syntax.Parse(pattern, syntax.Perl)
		if err != nil {
			return
		}
		if prog, err := syntax.Compile(re.Simplify()); err == nil {
			size += len(prog.Inst)
		}
	}
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			if p, ok := v["pattern"].(string); ok {
				add(p)
			}
			if named, ok := v["patternProperties"].(map[string]any); ok {
				for p := range named {
					add(p)
				}
			}
			if v["format"] == "regex" { // compiles whatever the arguments hold
				size = maxToolInstructions + 1
			}
			for _, child := range v {
				walk(child)
			}
		}
	}
	walk(doc)
	return size
}
