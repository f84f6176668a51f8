package validators

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/evalworker/evalworker/eval"
)

// Bounds of a document that is validated against a schema.
const (
	// maxDepth bounds the nesting: the time and memory of recursive schemas grow
	// with its square.
	maxDepth = 128
	// maxValues bounds the values: the library reports each wrong one, in half a
	// kilobyte. No model writes that many in one answer.
	maxValues = 1 << 15
	// maxPaths bounds the bytes of the paths to all values: each wrong value is
	// reported with its path, and one long key may be part of many paths.
	maxPaths = 32 << 20
)

// check validates a scanned JSON text against the schema. It returns the reason of
// the failure, empty when the text is valid. An error means that the check could
// not be completed: the document has too many values or too long keys, or the
// schema needs too many steps.
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
	if s.quick.accepts(text) {
		return "", nil
	}
	document := decode(text)
	if countMembers(document) != found.members {
		return "duplicate key", nil
	}
	steps := baseSteps + valueSteps*found.values
	if s.meter != nil && s.meter.patterns {
		steps += len(text) // patterns are charged by the length of the text
	}
	err := s.validate(ctx, document, steps, 1+found.onePath(s.location)/stepBytes)
	if invalid, ok := errors.AsType[*jsonschema.ValidationError](err); ok {
		return s.reason(invalid, document), nil
	}
	return "", err
}

// onePath bounds the bytes of the path to one value: every level adds a key of the
// document and the keywords that lead to it. allPaths bounds the paths to all values.
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
	return eval.WithReason(eval.ReasonInternal, fmt.Errorf("validate: %w", err)) // the error names places of the schema
}

// Bounds of a reason about a schema.
const (
	maxPathTokens = 8
	maxTokenBytes = 40
)

// leaves returns the leaves of a tree of failures; the inner nodes only say that
// something below them failed. Of the branches of an anyOf or oneOf it follows the
// one that came nearest to fitting.
func leaves(ve *jsonschema.ValidationError) []*jsonschema.ValidationError {
	switch {
	case len(ve.Causes) == 0:
		return []*jsonschema.ValidationError{ve}
	case isChoice(ve):
		return nearestBranch(ve)
	}
	var all []*jsonschema.ValidationError
	for _, c := range ve.Causes {
		all = append(all, leaves(c)...)
	}
	return all
}

// isChoice reports whether one valid branch or item would have satisfied the keyword
// that failed. A failure without a message does not count: in it the library wraps
// several failures of one schema, and its location may end in anything.
func isChoice(ve *jsonschema.ValidationError) bool {
	keyword := ve.KeywordLocation[strings.LastIndexByte(ve.KeywordLocation, '/')+1:]
	return ve.Message != "" && slices.Contains([]string{"anyOf", "oneOf", "minContains"}, keyword)
}

// nearestBranch returns the failures of the branch that fails deepest inside the
// value, then in the fewest places, then first in the schema. When every branch
// fails at the value itself, the choice as a whole failed.
func nearestBranch(ve *jsonschema.ValidationError) []*jsonschema.ValidationError {
	best := []*jsonschema.ValidationError{ve}
	deepest := strings.Count(ve.InstanceLocation, "/")
	for _, c := range ve.Causes {
		branch := leaves(c)
		depth := strings.Count(shallowest(branch).InstanceLocation, "/")
		if depth > deepest || depth == deepest && len(branch) < len(best) {
			best, deepest = branch, depth
		}
	}
	return best
}

// shallowest returns the failure nearest to the root of the value, then first by
// location and keyword. The library reports the members of an object in random
// order; this choice is deterministic.
func shallowest(all []*jsonschema.ValidationError) *jsonschema.ValidationError {
	return slices.MinFunc(all, func(a, b *jsonschema.ValidationError) int {
		return cmp.Or(
			cmp.Compare(strings.Count(a.InstanceLocation, "/"), strings.Count(b.InstanceLocation, "/")),
			cmp.Compare(a.InstanceLocation, b.InstanceLocation),
			cmp.Compare(a.AbsoluteKeywordLocation, b.AbsoluteKeywordLocation),
		)
	})
}

// reason describes a failure as "keyword at /path" and repeats nothing of the
// document: a name that the schema does not define becomes *, and so does every
// index.
func (s *schema) reason(invalid *jsonschema.ValidationError, document any) string {
	ve := shallowest(leaves(invalid))
	keyword, at := s.keyword(ve)
	value := document
	var path []string
	for _, t := range pointerTokens(pointerOf(ve)) {
		shown := "*"
		if _, isObject := value.(map[string]any); isObject && s.names[t] {
			shown = maskName(t)
		}
		path = append(path, shown)
		value, _ = child(value, t)
	}
	switch object, isObject := value.(map[string]any); {
	case !isObject || at == nil:
	case keyword == "required":
		for _, name := range at.Required {
			if _, ok := object[name]; !ok {
				path = append(path, maskName(name))
				break
			}
		}
	case keyword == "additionalProperties":
		path = append(path, "*")
	}
	where := "/" + strings.Join(path[:min(len(path), maxPathTokens)], "/")
	if len(path) > maxPathTokens {
		where += "/..."
	}
	return keyword + " at " + where
}

// pointerOf returns the place of a failure as a JSON pointer. The library escapes
// names for use in a URI as well, so it undoes that.
func pointerOf(ve *jsonschema.ValidationError) string {
	pointer, _ := url.PathUnescape(ve.InstanceLocation)
	return pointer
}

// keyword returns the keyword that failed and the schema that it belongs to. A
// schema that is just false has no keyword: it is "not allowed".
func (s *schema) keyword(ve *jsonschema.ValidationError) (string, *jsonschema.Schema) {
	location := ve.AbsoluteKeywordLocation
	for i := len(location); ; {
		i = strings.LastIndexByte(location[:i], '/')
		if i < 0 {
			return "not allowed", nil
		}
		at, ok := s.places[location[:i]]
		if !ok {
			continue
		}
		keyword, _, _ := strings.Cut(location[i+1:], "/")
		if namesSchemas(keyword) && keyword != "dependencies" || keyword == "prefixItems" {
			keyword = "not allowed"
		}
		return keyword, at
	}
}

// maskName returns a name of the schema if it is short and plain, else *.
func maskName(name string) string {
	if !isPlain(name, maxTokenBytes) {
		return "*"
	}
	return name
}

// isPlain reports whether a name has only letters, digits and a few marks, and at
// most most bytes.
func isPlain(name string, most int) bool {
	return name != "" && len(name) <= most && !strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && !strings.ContainsRune("_-.$@:", c)
	})
}
