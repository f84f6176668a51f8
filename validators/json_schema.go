package validators

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/jsonscan"
	"github.com/evalworker/evalworker/internal/base/visible"
)

// Labels of json_schema.
const (
	labelValid         = "valid"
	labelInvalidSchema = "invalid_schema"
	labelWrapped       = "wrapped"
	labelInvalidJSON   = "invalid_json"
	labelTruncated     = "truncated"
	labelUnknownSchema = "unknown_schema"
)

// buildJSONSchema builds a validator of JSON output.
//
// The schema is the configured one, or else the one that the event names. If the
// worker does not have the schema that the event names, the verdict is not applicable
// with the label unknown_schema: the application may have been deployed before the
// worker got the schema, so neither the answer nor the evaluator is at fault.
//
// The whole output has to be one JSON value. JSON inside prose or a code fence, or
// beside anything else that a parser refuses, fails as "wrapped", because a strict
// consumer breaks on it. A byte order mark in front is not part of the output: RFC 8259
// lets parsers ignore it, and files and transports add it.
func buildJSONSchema(b *builder) answer {
	name, schemas := b.Schema, b.schemas
	switch configured, ok := schemas.lookup(name); {
	case name == "" && schemas != nil:
		b.digest = schemas.digest
	case ok:
		b.digest = configured.digest
	case name != "" && !b.checkOnly:
		var names []string
		if schemas != nil {
			names = slices.Sorted(maps.Keys(schemas.byName))
		}
		b.faults.Add("schema", "unknown schema "+strconv.Quote(name), fault.Suggest(name, names, noNames))
	}
	return func(ctx context.Context, e *event.Event) (eval.Verdict, error) {
		wanted := cmp.Or(name, e.OutputSchema)
		if wanted == "" {
			return eval.NotApplicable("output_schema"), nil
		}
		s, ok := schemas.lookup(wanted)
		if !ok {
			return eval.Verdict{Outcome: eval.OutcomeNotApplicable, Label: labelUnknownSchema, Reason: "unknown schema"}, nil
		}
		v, err := s.judge(ctx, e)
		v.Schema = s.name
		return v, err
	}
}

// judge returns the verdict on the output of an event.
func (s *schema) judge(ctx context.Context, e *event.Event) (eval.Verdict, error) {
	out, without, ok := outputOf(e)
	if !ok {
		return without, nil
	}
	text := strings.TrimPrefix(out.text, "\ufeff")
	found, ok := scanWhole(text)
	if !ok {
		return s.judgeProse(ctx, text)
	}
	reason, err := s.check(ctx, trimJSON(text), found)
	if err != nil {
		return eval.Verdict{}, err
	}
	v := pass(labelValid)
	if reason != "" {
		v = fail(labelInvalidSchema, reason)
	}
	v.Measures = map[string]float64{eval.MeasureJSONValid: 1, eval.MeasureJSONWrapped: 0}
	return v, nil
}

// judgeProse returns the verdict on an output that as a whole is not JSON.
func (s *schema) judgeProse(ctx context.Context, text string) (eval.Verdict, error) {
	invalid := func(label, reason string, wrapped float64) (eval.Verdict, error) {
		v := fail(label, reason)
		v.Measures = map[string]float64{eval.MeasureJSONValid: 0, eval.MeasureJSONWrapped: wrapped}
		return v, nil
	}
	if trimJSON(text) == "" {
		return invalid(labelInvalidJSON, "empty output", 0)
	}
	where, reason, attempt, err := s.findAnswer(ctx, text)
	switch {
	case err != nil:
		return eval.Verdict{}, err
	case where != "" && reason != "":
		return invalid(labelWrapped, where+"; "+reason, 1)
	case where != "":
		return invalid(labelWrapped, where, 1)
	case attempt.flaw == jsonscan.FlawTruncated:
		return invalid(labelTruncated, "ends too early", 0)
	case attempt.flaw != jsonscan.FlawNone:
		return invalid(labelInvalidJSON, string(attempt.flaw), 0)
	}
	return invalid(labelInvalidJSON, "no JSON", 0)
}

// maxCandidates bounds how many values of one text are validated against the schema.
const maxCandidates = 64

// findAnswer finds the JSON in prose that was meant as the answer: the first value
// that satisfies the schema, else the first that is an object or in a code fence.
// Any other array that does not satisfy it is a citation or a list, not an answer.
// where says what stands around it, and is empty when there is none; reason says why
// the answer does not satisfy the schema.
func (s *schema) findAnswer(ctx context.Context, text string) (where, reason string, attempt span, err error) {
	candidates := 0
	attempt = findJSON(text, func(v span) bool {
		value := text[v.start:v.end]
		var failure string
		if failure, err = s.check(ctx, value, v); err != nil {
			return false
		}
		candidates++
		if failure == "" || where == "" && (v.fenced || value[0] == '{') {
			where, reason = surroundings(text, v), failure
		}
		return failure != "" && candidates < maxCandidates
	})
	return where, reason, attempt, err
}

// surroundings says what a parser refuses beside a JSON value.
func surroundings(text string, v span) string {
	if v.fenced {
		return "wrapped in a code fence"
	}
	blank := func(r rune) bool { return unicode.IsSpace(r) || !visible.Is(r) }
	before, after := strings.TrimFunc(text[:v.start], blank), strings.TrimFunc(text[v.end:], blank)
	switch {
	case before == "" && after == "":
		return "beside white space that JSON does not have"
	case before == "" && isControlToken(after):
		return "followed by a control token"
	case before == "" && strings.Trim(after, ";,.") == "":
		return "followed by punctuation"
	case before == "" && beginsJSON(after), after == "" && beginsJSON(before):
		return "beside another JSON value"
	case strings.HasPrefix(before, "<") && strings.HasSuffix(before, ">") && strings.HasPrefix(after, "</"):
		return "wrapped in a tag"
	}
	return "wrapped in prose"
}

// beginsJSON reports whether a text begins with a JSON object or array.
func beginsJSON(text string) bool {
	return (text[0] == '{' || text[0] == '[') && scanValue(text, 0).flaw == jsonscan.FlawNone
}

// isControlToken reports whether a text begins with a mark by which a chat template
// ends a message, such as <|im_end|>, and that a server should have removed.
func isControlToken(text string) bool {
	_, ok := afterControlToken(text)
	return ok
}

// isOnlyControlTokens reports whether a text consists of control tokens.
func isOnlyControlTokens(text string) bool {
	rest, any := text, false
	for {
		after, ok := afterControlToken(strings.TrimSpace(rest))
		if !ok {
			return any && strings.TrimSpace(rest) == ""
		}
		rest, any = after, true
	}
}

// afterControlToken returns what follows the control token at the beginning of a text.
func afterControlToken(text string) (rest string, ok bool) {
	for _, token := range [...]struct{ open, end string }{
		{"<|", "|>"}, {"<｜", "｜>"}, {"</s>", ""}, {"<eos>", ""}, {"<end_of_turn>", ""}, {"<end_of_text>", ""}, {"[/INST]", ""},
	} {
		if after, ok := strings.CutPrefix(text, token.open); ok {
			if token.end != "" {
				_, after, _ = strings.Cut(after, token.end)
			}
			return after, true
		}
	}
	return text, false
}
