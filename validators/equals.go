package validators

import (
	"context"
	"encoding/json"
	"math/big"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// buildEquals makes a validator that compares the output with a configured text, or
// else with the event's expected answer. White space at the ends and runs of it
// count as one space; case counts only when case_sensitive is set. When both
// sides are JSON objects or arrays they are compared as JSON values, so that
// neither the order of members nor the way a number is written counts.
func buildEquals(c Config, _ *Schemas) (made, error) {
	return made{answer: func(_ context.Context, e *event.Event) (eval.Verdict, error) {
		out, missing := outputOf(e)
		if missing != "" {
			return eval.NotApplicable(missing), nil
		}
		want := c.Value
		if want == "" {
			if e.Expected.IsZero() {
				return eval.NotApplicable("expected"), nil
			}
			want = expectedText(e.Expected)
		}
		if sameText(out.text, want, c.CaseSensitive) || sameDocument(out.text, want) {
			return pass("equal"), nil
		}
		return fail("different", "output differs"), nil
	}}, nil
}

// expectedText gives a reference answer: text as it is, any other JSON value
// verbatim.
func expectedText(c event.Content) string {
	if c.IsText() {
		return c.Text()
	}
	return string(c.Raw())
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
	x, xok := document(a)
	y, yok := document(b)
	return xok && yok && sameValue(x, y)
}

// document decodes a JSON object or array. What has a key twice is read in more
// than one way, and so equals nothing but its own text.
func document(text string) (any, bool) {
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
		if !ok || len(a) != len(b) {
			return false
		}
		for name, v := range a {
			w, ok := b[name]
			if !ok || !sameValue(v, w) {
				return false
			}
		}
		return true
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !sameValue(a[i], b[i]) {
				return false
			}
		}
		return true
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
