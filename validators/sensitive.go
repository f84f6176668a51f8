package validators

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/redact"
)

func checkPII(c Config) fault.List     { return checkKindsOf(c, redact.ClassPII) }
func checkSecrets(c Config) fault.List { return checkKindsOf(c, redact.ClassSecret) }

// checkKindsOf reports kinds that do not exist in a class.
func checkKindsOf(c Config, class redact.Class) fault.List {
	var faults fault.List
	names := kindsOf(class)
	for i, k := range c.Kinds {
		if slices.Contains(names, k) {
			continue
		}
		problem := "unknown kind " + strconv.Quote(k)
		if all := redact.Kinds(); slices.ContainsFunc(all, func(o redact.Kind) bool { return o.Name == k }) {
			problem = strconv.Quote(k) + " is a kind of the other validator, not of " + c.Type
		}
		faults.Add("kinds["+itoa(i)+"]", problem, meant(k, names))
	}
	return faults
}

// kindsOf gives the names of the kinds of a class.
func kindsOf(class redact.Class) []string {
	var names []string
	for _, k := range redact.Kinds() {
		if k.Class == class {
			names = append(names, k.Name)
		}
	}
	return names
}

func buildPII(c Config, _ *Schemas) (made, error) { return buildSensitive(c, redact.ClassPII) }
func buildSecrets(c Config, _ *Schemas) (made, error) {
	return buildSensitive(c, redact.ClassSecret)
}

// buildSensitive makes a validator that fails when the output holds something of
// a class. The reason names the kinds that were found, never what was found. With
// allow_in_input, what stands in the input in the same words may be repeated.
func buildSensitive(c Config, class redact.Class) (made, error) {
	kinds := c.Kinds
	if len(kinds) == 0 {
		kinds = kindsOf(class)
	}
	detector, err := redact.NewDetector(kinds)
	if err != nil {
		return made{}, err
	}
	return made{answer: func(_ context.Context, e *event.Event) (eval.Verdict, error) {
		out, missing := outputOf(e)
		if missing != "" {
			return eval.NotApplicable(missing), nil
		}
		input := ""
		if c.AllowInInput {
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
		return fail("found", strings.Join(found[:min(len(found), maxShownKinds)], ", ")), nil
	}, digest: strings.Join(kinds, ",")}, nil
}

// maxShownKinds bounds the kinds that a reason names.
const maxShownKinds = 6
