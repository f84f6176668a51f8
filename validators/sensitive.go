package validators

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/redact"
)

func buildPII(b *builder) answer     { return buildSensitive(b, redact.ClassPII) }
func buildSecrets(b *builder) answer { return buildSensitive(b, redact.ClassSecret) }

// buildSensitive builds a validator that fails when the output holds sensitive text
// of a class. The reason names the kinds that were found, never the text. With
// allow_in_input, the output may repeat literally what the input holds.
func buildSensitive(b *builder, class redact.Class) answer {
	var ofClass, others []string
	for _, k := range redact.Kinds() {
		if k.Class == class {
			ofClass = append(ofClass, k.Name)
		} else {
			others = append(others, k.Name)
		}
	}
	for i, k := range b.Kinds {
		if slices.Contains(ofClass, k) {
			continue
		}
		problem := "unknown kind " + strconv.Quote(k)
		if slices.Contains(others, k) {
			problem = strconv.Quote(k) + " is a kind of the other validator, not of " + b.Type
		}
		b.faults.Add("kinds["+strconv.Itoa(i)+"]", problem, fault.Suggest(k, ofClass, noNames))
	}
	if len(b.faults) > 0 {
		return nil
	}
	kinds, allowInInput := b.Kinds, b.AllowInInput
	if len(kinds) == 0 {
		kinds = ofClass
	}
	b.digest = strings.Join(kinds, ",")
	detector, err := redact.NewDetector(kinds)
	if err != nil {
		b.faults.Add("kinds", err.Error(), "")
	}
	const maxShown = 6 // kinds that a reason names
	return onOutput(func(_ context.Context, e *event.Event, out output) (eval.Verdict, error) {
		input := ""
		if allowInInput {
			input = e.Input.Text()
		}
		var found []string
		for _, m := range detector.Find(out.text) {
			if input == "" || !strings.Contains(input, out.text[m.Start:m.End]) {
				found = append(found, m.Kind)
			}
		}
		if len(found) == 0 {
			return pass("clean"), nil
		}
		slices.Sort(found)
		found = slices.Compact(found)
		return fail("found", strings.Join(found[:min(len(found), maxShown)], ", ")), nil
	})
}
