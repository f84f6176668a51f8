package validators

import (
	"context"
	"encoding/json"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// buildEquals builds a validator that compares the output with a configured text,
// or else with the event's expected answer. White space at the ends is ignored and
// runs of it count as one space; case counts only when case_sensitive is set. JSON
// objects or arrays on both sides are compared as JSON values, so that neither the
// order of members nor the spelling of a number counts.
func buildEquals(b *builder) answer {
	value, caseSensitive := b.Value, b.CaseSensitive
	return onOutput(func(_ context.Context, e *event.Event, out output) (eval.Verdict, error) {
		want := value
		switch {
		case want != "":
		case e.Expected.IsZero():
			return eval.NotApplicable("expected"), nil
		case e.Expected.IsText():
			want = e.Expected.Reply()
		default:
			want = string(e.Expected.Raw())
		}
		if sameText(out.text, want, caseSensitive) || sameDocument(out.text, want) {
			return pass("equal"), nil
		}
		return fail("different", "output differs"), nil
	})
}

func sameText(a, b string, caseSensitive bool) bool {
	a, b = strings.Join(strings.Fields(a), " "), strings.Join(strings.Fields(b), " ")
	if caseSensitive {
		return a == b
	}
	return strings.EqualFold(a, b)
}

// sameDocument reports whether both texts are the same JSON object or array.
func sameDocument(a, b string) bool {
	x, xok := decodeDocument(a)
	y, yok := decodeDocument(b)
	return xok && yok && sameValue(x, y)
}

// decodeDocument decodes a JSON object or array. A document with a duplicate key
// can be read in more than one way, so it is rejected and equals only its own text.
func decodeDocument(text string) (any, bool) {
	found, ok := scanWhole(text)
	text = trimJSON(text)
	if !ok || found.wide || found.depth == 0 || found.depth > maxDepth {
		return nil, false
	}
	decoded := decode(text)
	return decoded, countMembers(decoded) == found.members
}

func sameValue(a, b any) bool {
	switch a := a.(type) {
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, sameValue)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, sameValue)
	case json.Number:
		b, ok := b.(json.Number)
		return ok && sameNumber(string(a), string(b))
	}
	return a == b
}

// sameNumber compares the values of two numbers that are not wide.
func sameNumber(a, b string) bool {
	if a == b {
		return true
	}
	x, xok := new(big.Rat).SetString(a)
	y, yok := new(big.Rat).SetString(b)
	return xok && yok && x.Cmp(y) == 0
}
