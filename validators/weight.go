package validators

import "encoding/json"

// weight is what one visit of a schema costs. A schema that refuses a value by its
// type, and true and false, never hear of a visit: the schema that applies them
// pays for it.
type weight struct {
	fixed    int  // steps, whatever the value is
	numbers  int  // of enum and const; to compare with one takes a step
	each     int  // schemas that are applied to each member or item
	text     int  // instructions that run over a string
	names    int  // instructions that run over each name of an object
	multiply bool // it applies schemas to its own value, or several to a member
}

// What one step pays for, beside a visit.
const (
	stepBytes    = 512 // of a failure
	stepLiterals = 32  // comparisons of what is no number
	stepText     = 256 // instructions, times bytes that they run over
	repeated     = 2   // instructions that it takes to repeat a byte in a failure
	missingBytes = 128 // what a missing name costs beside its own bytes
	lightSteps   = 8   // of a schema that needs no meter
)

// weigh gives the weight that its keywords make of a schema.
func weigh(keywords map[string]any) weight {
	w := weight{fixed: 1, each: 1}
	failure := 0 // bytes that one may repeat
	for keyword, value := range keywords {
		list, _ := value.([]any)
		named, _ := value.(map[string]any)
		switch keyword {
		case "$ref", "$dynamicRef", "$recursiveRef", "not", "if", "then", "else":
			w.fixed, w.multiply = w.fixed+1, true
		case "allOf", "anyOf", "oneOf":
			w.fixed, w.multiply = w.fixed+len(list), true
		case "contains":
			w.each, w.multiply = w.each+1, true
		case "patternProperties":
			w.each, w.multiply = w.each+len(named), true
		case "propertyNames":
			w.each++
		case "dependencies", "dependentSchemas", "dependentRequired":
			w.multiply = true
			for _, then := range named {
				names, _ := then.([]any) // each of them fails by itself
				w.fixed += 1 + len(names)
			}
		case "required":
			failure += sizeOf(value).bytes + missingBytes*len(list)
		case "enum":
			of := sizeOf(value)
			w.numbers, w.fixed = w.numbers+of.numbers, w.fixed+of.values/stepLiterals
		case "const":
			of := sizeOf(value)
			w.numbers, failure = w.numbers+of.numbers, failure+of.bytes
		case "pattern":
			failure += sizeOf(value).bytes
		case "format":
			w.text += repeated
		case "additionalProperties":
			if value == false {
				w.names += repeated
			}
		}
	}
	w.fixed += failure / stepBytes
	return w
}

// light reports whether the work of a visit is in proportion to the value.
func (w weight) light() bool { return !w.multiply && w.fixed+w.numbers <= lightSteps }

// of gives the steps of a visit to a value.
func (w weight) of(v any) int {
	steps := w.fixed
	switch v := v.(type) {
	case string:
		steps += len(v) * w.text / stepText
	case json.Number:
		steps += w.numbers
	case []any:
		steps += w.numbers + len(v)*w.each
	case map[string]any:
		steps += w.numbers + len(v)*w.each
		if w.names > 0 {
			for name := range v {
				steps += len(name) * w.names / stepText
			}
		}
	}
	return steps
}

// size is how much stands in a value of a schema.
type size struct{ values, numbers, bytes int }

func sizeOf(v any) size {
	s := size{values: 1}
	switch v := v.(type) {
	case json.Number:
		s.numbers++
	case string:
		s.bytes += len(v)
	case []any:
		for _, item := range v {
			s.add(sizeOf(item))
		}
	case map[string]any:
		for name, item := range v {
			s.bytes += len(name)
			s.add(sizeOf(item))
		}
	}
	return s
}

func (s *size) add(t size) {
	s.values, s.numbers, s.bytes = s.values+t.values, s.numbers+t.numbers, s.bytes+t.bytes
}
