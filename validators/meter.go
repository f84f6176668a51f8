package validators

import (
	"context"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// meter bounds the work of one validation. Schemas that apply several schemas to
// the same value, or to the same member of it, can ask for work that is exponential in
// their own size; the library has neither a limit nor a context. The meter
// is attached as an extension to exactly those schemas and counts their visits. A
// schema without them needs none: its work is linear in the value.
//
// One compiled schema has one meter, so validations by a metered schema take
// turns. That costs nothing that can be measured at the rates of an event stream:
// a turn is some twenty microseconds.
type meter struct {
	used     bool // some schema is metered; fixed once compiled
	patterns bool // schemas with a pattern are metered too, by its size

	mu    sync.Mutex      // held for the whole of a validation
	left  int             // guarded by mu
	spent bool            // guarded by mu; the limit, or the context, ended the validation
	ctx   context.Context // guarded by mu; that of the validation that holds it
}

// Work that a validation may do: a fixed part, and a part for every value in
// the document.
const (
	baseSteps  = 10_000
	valueSteps = 16
	checkEvery = 256 // steps between two looks at the context; a power of two
)

// errSpent ends a validation. The library recovers from a panic with this type
// and no other of ours.
const errSpent = jsonschema.InfiniteLoopError("validation takes too many steps")

// Compile attaches the meter to a schema that can multiply work.
func (m *meter) Compile(_ jsonschema.CompilerContext, keywords map[string]any) (jsonschema.ExtSchema, error) {
	if m.patterns {
		values := patternSize(map[string]any{"pattern": keywords["pattern"]})
		names := patternSize(map[string]any{"patternProperties": keywords["patternProperties"]})
		if values+names > 0 {
			m.used = true
			return patternMeter{m, values, names}, nil
		}
	}
	for _, k := range [...]string{
		"$ref", "$dynamicRef", "$recursiveRef", "allOf", "anyOf", "oneOf", "not", "if",
		"dependencies", "dependentSchemas", "patternProperties", "contains",
	} {
		if _, ok := keywords[k]; ok {
			m.used = true
			return m, nil
		}
	}
	return nil, nil
}

// Validate counts one visit.
func (m *meter) Validate(jsonschema.ValidationContext, any) error {
	m.left--
	if m.left <= 0 || m.left%checkEvery == 0 && m.ctx.Err() != nil {
		m.spent = true
		panic(errSpent)
	}
	return nil
}
