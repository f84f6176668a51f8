package validators

import (
	"context"
	"encoding/json"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// meter bounds the work of one validation, for which the library has neither a
// limit nor a context. A schema that applies several schemas to one value can cause
// work that is exponential in its own size; one with a long list of names or values
// can cause work of that length times the document. The meter is an extension of
// the library that counts steps at every visit of a schema. A light schema needs
// none: its work is linear in the value.
//
// One compiled schema has one meter, so its validations take turns. A turn takes
// some twenty microseconds, which is not measurable at the rates of a stream.
type meter struct {
	used     bool // some schema is not light; fixed once compiled
	patterns bool // patterns are charged too, by their size

	mu    sync.Mutex      // held for the whole of a validation
	left  int             // guarded by mu
	place int             // guarded by mu; factor for steps, from the length of a failure's paths
	spent bool            // guarded by mu; the limit, or the context, ended the validation
	ctx   context.Context // guarded by mu; of the validation that holds it
}

// Steps that a validation may take: a fixed part, and a part for every value in the
// document. A step is about a microsecond, or half a kilobyte: the cost of visiting
// a value, or of reporting a wrong one.
const (
	baseSteps  = 1 << 16
	valueSteps = 8
	checkEvery = 256 // steps between two looks at the context
)

// errSpent ends a validation by panic. Of the panics that the library recovers
// from, this is the only type that this package can create.
const errSpent = jsonschema.InfiniteLoopError("validation takes too many steps")

// Compile attaches the meter to a schema.
func (m *meter) Compile(_ jsonschema.CompilerContext, keywords map[string]any) (jsonschema.ExtSchema, error) {
	w := weigh(keywords)
	if m.patterns {
		text := patternSize(map[string]any{"pattern": keywords["pattern"]})
		names := patternSize(map[string]any{"patternProperties": keywords["patternProperties"]})
		w.text, w.names = w.text+text, w.names+names
		m.used = m.used || text+names > 0
	}
	m.used = m.used || !w.light()
	return meteredSchema{m, w}, nil
}

// meteredSchema is a schema whose visits a meter counts.
type meteredSchema struct {
	*meter
	weight
}

// Validate charges one visit, and ends the validation when no steps are left. The
// library calls it last, so a visit is charged when it is over: after the visits of
// the value's members.
func (s meteredSchema) Validate(_ jsonschema.ValidationContext, v any) error {
	before := s.left
	s.left -= s.stepsOf(v) * s.place
	if s.left <= 0 || s.left/checkEvery != before/checkEvery && s.ctx.Err() != nil {
		s.spent = true
		panic(errSpent)
	}
	return nil
}

// weight is the cost of one visit of a schema. The meter does not see the visits of
// true and false, nor of a schema that rejects the value by its type; the schema
// that applies them is charged for these.
type weight struct {
	fixed    int  // steps, whatever the value is
	numbers  int  // in enum and const; comparing with one takes a step
	each     int  // schemas that are applied to each member or item
	text     int  // instructions that run over a string
	names    int  // instructions that run over each name of an object
	multiply bool // it applies schemas to its own value, or several to a member
}

// How much one step covers, and other costs.
const (
	stepBytes    = 512 // of a failure
	stepLiterals = 32  // comparisons with anything but a number
	stepText     = 256 // instructions, times bytes that they run over
	repeated     = 2   // instructions to repeat one byte in a failure
	missingBytes = 128 // for a missing name, besides its own bytes
	lightSteps   = 8   // of a schema that needs no meter
)

// weigh returns the weight of a schema with these keywords.
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
			failure += countLiterals(value).bytes + missingBytes*len(list)
		case "enum":
			n := countLiterals(value)
			w.numbers, w.fixed = w.numbers+n.numbers, w.fixed+n.values/stepLiterals
		case "const":
			n := countLiterals(value)
			w.numbers, failure = w.numbers+n.numbers, failure+n.bytes
		case "pattern":
			failure += countLiterals(value).bytes
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

// light reports whether the work of a visit is proportional to the value.
func (w weight) light() bool { return !w.multiply && w.fixed+w.numbers <= lightSteps }

// stepsOf returns the steps of a visit to a value.
func (w weight) stepsOf(v any) int {
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

// literals counts the values, numbers and bytes in the value of a keyword.
type literals struct{ values, numbers, bytes int }

func countLiterals(v any) (n literals) {
	walk(v, func(v any) {
		n.values++
		switch v := v.(type) {
		case json.Number:
			n.numbers++
		case string:
			n.bytes += len(v)
		case map[string]any:
			for name := range v {
				n.bytes += len(name)
			}
		}
	})
	return n
}
