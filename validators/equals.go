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

// Labels of equals.
const (
	labelEqual     = "equal"
	labelDifferent = "different"
)

// buildEquals builds a validator that compares the output with a configured text,
// or else with the event's expected answer.
//
// Texts are compared in the form that [plain] returns. White space at the ends is
// ignored and runs of it count as one space; a full stop at the end does not count;
// case counts only when case_sensitive is set. JSON values are compared by value, so
// that neither the order of members nor the spelling of a number counts; a code
// fence around the output does not count there.
func buildEquals(b *builder) answer {
	value, caseSensitive := b.Value, b.CaseSensitive
	return onOutput(func(_ context.Context, e *event.Event, out output) (eval.Verdict, error) {
		want, isText := value, true
		switch {
		case want != "":
		case e.Expected.IsZero():
			return eval.NotApplicable("expected"), nil
		case e.Expected.IsText():
			want = e.Expected.Reply()
		default:
			want, isText = string(e.Expected.Raw()), false
		}
		exact := out.json || !isText // the number of one side is a number, and no word that looks like one
		if sameText(out.text, want, caseSensitive) || sameNumbers(out.text, want, exact) || sameDocument(out.text, want) {
			return pass(labelEqual), nil
		}
		return fail(labelDifferent, "output differs"), nil
	})
}

func sameText(a, b string, caseSensitive bool) bool {
	a, b = sentence(a), sentence(b)
	if caseSensitive {
		return a == b
	}
	return strings.EqualFold(a, b)
}

// sentence returns a text as it is compared: in plain form, with single spaces and
// without a full stop at the end.
func sentence(text string) string {
	text = strings.Join(strings.Fields(plain(text)), " ")
	for _, stop := range [...]string{".", "。"} {
		if cut, ok := strings.CutSuffix(text, stop); ok && cut != "" && !strings.HasSuffix(cut, stop) {
			return cut
		}
	}
	return text
}

// sameNumbers reports whether both texts are the same number. When both are texts,
// they may be versions or codes as well, such as 1.10 and 1.1; so then only a
// fraction of zeros may make the difference, as in 42 and 42.0.
func sameNumbers(a, b string, exact bool) bool {
	a, b = trimJSON(a), trimJSON(b)
	if !isNumber(a) || !isNumber(b) {
		return false
	}
	return sameNumber(a, b) && (exact || isDigits(strings.TrimPrefix(a, "-")) || isDigits(strings.TrimPrefix(b, "-")))
}

// isNumber reports whether a text is a JSON number that is not wide.
func isNumber(text string) bool {
	found, ok := scanWhole(text)
	return ok && !found.wide && strings.ContainsAny(text[:1], "-0123456789")
}

// sameDocument reports whether both texts are the same JSON object or array.
func sameDocument(a, b string) bool {
	y, yok := decodeDocument(b)
	if !yok {
		return false
	}
	x, xok := decodeDocument(withoutFence(a))
	return xok && sameValue(x, y)
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
	case string:
		b, ok := b.(string)
		return ok && (a == b || plain(a) == plain(b))
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
