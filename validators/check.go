package validators

import (
	"context"
	"errors"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/evalworker/evalworker/eval"
)

// Bounds of a document that is held against a schema.
const (
	// maxDepth bounds the nesting: recursive schemas take time and memory by the
	// square of it.
	maxDepth = 128
	// maxValues bounds the values: the library reports every single one that is
	// wrong, in half a kilobyte. No model says that much in one answer.
	maxValues = 1 << 15
	// maxPaths bounds the bytes of the paths to all values: each that is wrong is
	// reported with its own, and one long key may stand above many of them.
	maxPaths = 32 << 20
)

// check holds a scanned JSON text against the schema. It returns the reason of the
// failure, empty when the text is valid. An error means that the question could
// not be decided: the document has too many values or too long keys, or the schema
// asks for too many steps.
func (s *schema) check(ctx context.Context, text string, found span) (string, error) {
	switch {
	case found.depth > maxDepth:
		return "nested too deep", nil
	case found.wide:
		return "number out of range", nil
	case found.values > maxValues:
		return "", eval.WithReason(eval.ReasonTooLarge, fmt.Errorf("validate: more than %d values", maxValues))
	case found.allPaths(s.location) > maxPaths:
		return "", eval.WithReason(eval.ReasonTooLarge, fmt.Errorf("validate: paths of more than %d bytes", maxPaths))
	}
	document := decode(text)
	if countMembers(document) != found.members {
		return "duplicate key", nil
	}
	steps := baseSteps + valueSteps*found.values
	if s.meter != nil && s.meter.patterns {
		steps += len(text) // which patterns are charged by
	}
	err := s.validate(ctx, document, steps, 1+found.onePath(s.location)/stepBytes)
	if invalid, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		return s.reason(invalid, document), nil
	}
	return "", err
}

// onePath bounds the bytes of the path to one value: every level adds a key of the
// document, and the keywords that lead to it. allPaths bounds those to all values.
func (v span) onePath(location int) int  { return v.depth * (v.longest + location) }
func (v span) allPaths(location int) int { return v.values * v.onePath(location) }

// validate runs the library within the bounds of the meter. Each step is charged
// place times. Every error but a [jsonschema.ValidationError] has a reason.
func (s *schema) validate(ctx context.Context, document any, steps, place int) error {
	if m := s.meter; m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.ctx, m.left, m.place, m.spent = ctx, steps, place, false
		defer func() { m.ctx = nil }()
	}
	err := s.compiled.Validate(document)
	switch _, invalid := errors.AsType[*jsonschema.ValidationError](err); {
	case s.meter != nil && s.meter.spent && ctx.Err() != nil:
		return fmt.Errorf("validate: %w", ctx.Err())
	case s.meter != nil && s.meter.spent:
		return eval.WithReason(eval.ReasonTimeout, errors.New("validate: the schema asks for too many steps"))
	case err == nil || invalid:
		return err
	}
	return eval.WithReason(eval.ReasonInternal, fmt.Errorf("validate: %w", err)) // its text names places of the schema
}
