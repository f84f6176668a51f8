package validators

import (
	"context"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v5"
)

// meter bounds the work of one validation. A schema that applies several schemas
// to the same value can ask for work that is exponential in its own size, and one
// with a long list of names or values for work by the size of the list times that
// of the document; the library has neither a limit nor a context. The meter hears
// of every visit of a schema, as an extension, and counts steps. A schema that is
// light needs none: its work is linear in the value.
//
// One compiled schema has one meter, so validations by a metered schema take
// turns. That costs nothing that can be measured at the rates of an event stream:
// a turn is some twenty microseconds.
type meter struct {
	used     bool // some schema is not light; fixed once compiled
	patterns bool // patterns are charged too, by their size

	mu    sync.Mutex      // held for the whole of a validation
	left  int             // guarded by mu
	place int             // guarded by mu; how many steps the paths of a failure make of one
	spent bool            // guarded by mu; the limit, or the context, ended the validation
	ctx   context.Context // guarded by mu; that of the validation that holds it
}

// Work that a validation may do: a fixed part, and a part for every value in
// the document. A step is about a microsecond, or half a kilobyte: what it takes to
// visit a value, or to report one that is wrong.
const (
	baseSteps  = 1 << 16
	valueSteps = 8
	checkEvery = 256 // steps between two looks at the context
)

// errSpent ends a validation. The library recovers from a panic with this type
// and no other of ours.
const errSpent = jsonschema.InfiniteLoopError("validation takes too many steps")

// charge takes the steps of one visit, and ends the validation when none are left.
func (m *meter) charge(steps int) {
	before := m.left
	m.left -= steps * m.place
	if m.left <= 0 || m.left/checkEvery != before/checkEvery && m.ctx.Err() != nil {
		m.spent = true
		panic(errSpent)
	}
}

// Compile attaches the meter to a schema.
func (m *meter) Compile(_ jsonschema.CompilerContext, keywords map[string]any) (jsonschema.ExtSchema, error) {
	g := weigh(keywords)
	if m.patterns {
		text := patternSize(map[string]any{"pattern": keywords["pattern"]})
		names := patternSize(map[string]any{"patternProperties": keywords["patternProperties"]})
		g.text, g.names = g.text+text, g.names+names
		m.used = m.used || text+names > 0
	}
	m.used = m.used || !g.light()
	return charged{m, g}, nil
}

// charged is a schema whose visits a meter counts.
type charged struct {
	*meter
	weight
}

// Validate charges one visit. The library calls it last, so a visit is charged
// when it is over: those of one value's members come before its own.
func (c charged) Validate(_ jsonschema.ValidationContext, v any) error {
	c.charge(c.of(v))
	return nil
}
