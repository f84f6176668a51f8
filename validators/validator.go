package validators

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// answer is the part of a validator that differs from kind to kind: it examines an
// event and returns outcome, score, label, reason and measures.
type answer func(ctx context.Context, e *event.Event) (eval.Verdict, error)

// validator is an answer with its identity. It is immutable.
type validator struct {
	name    string
	kind    string
	typ     eval.Type
	version string
	facts   bool // of its kind
	answer  answer
}

// New returns the validator that cfg describes. schemas are those that json_schema
// checks with; other kinds need none. The error is a [fault.List] whose paths are
// relative to the configuration of this validator.
func New(cfg Config, schemas *Schemas) (eval.Evaluator, error) {
	b := builder{Config: cfg, schemas: schemas}
	k, answer := b.build()
	if err := b.faults.Err(); err != nil {
		return nil, err
	}
	return &validator{name: cfg.Name, kind: k.Name, typ: k.Type, version: version(k, cfg, b.digest), facts: k.facts, answer: answer}, nil
}

func (v *validator) Name() string    { return v.name }
func (v *validator) Type() eval.Type { return v.typ }
func (v *validator) Version() string { return v.version }

// Evaluate answers one event.
func (v *validator) Evaluate(ctx context.Context, e *event.Event) (verdict eval.Verdict, err error) {
	withheld := false
	if !v.facts {
		verdict, withheld = eval.Withheld(e)
	}
	if err = ctx.Err(); err == nil && !withheld {
		verdict, err = v.answer(ctx, e)
	}
	if err != nil {
		return eval.Verdict{}, fmt.Errorf("%s: %w", v.name, err)
	}
	verdict.Eval, verdict.Type, verdict.Version = v.name, v.typ, v.version
	return verdict, nil
}

// version returns a hash of everything that decides a verdict: the kind, the
// revision of its algorithm, those options of the kind that are set, and the digest
// of schemas. The name is not in it, nor are options of other kinds, so that an
// option that a release adds leaves the versions of all other validators as they are.
func version(k kind, cfg Config, digest string) string {
	set := map[string]any{} // encoded in the order of its keys
	for field, value := range reflect.ValueOf(cfg).Fields() {
		if option := field.Tag.Get("yaml"); slices.Contains(k.Options, option) && !value.IsZero() {
			set[option] = value.Interface()
		}
	}
	options, _ := json.Marshal(set) // numbers have been checked to be finite
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%s\x00%s", k.Name, k.revision, options, digest))
	return hex.EncodeToString(sum[:6])
}

// pass returns a verdict with full score.
func pass(label string) eval.Verdict {
	return eval.Verdict{Outcome: eval.OutcomePass, Score: 1, Label: label}
}

// fail returns a verdict without a score.
func fail(label, reason string) eval.Verdict {
	return eval.Verdict{Outcome: eval.OutcomeFail, Label: label, Reason: reason}
}

// cannotJudge returns the verdict of a validator that could not decide.
func cannotJudge(reason string) eval.Verdict {
	return eval.Verdict{Outcome: eval.OutcomeCannotJudge, Reason: reason}
}

// output is what the model said, in the form that validators read.
type output struct {
	text    string
	json    bool // the output is a JSON value, and text is that value
	refusal bool // the provider marked it as a refusal
}

// outputOf returns what the model said, which may be empty text. Otherwise ok is
// false and without is the verdict: not applicable when there is no output, when a
// step only calls tools, and when a refusal is marked but has no words; cannot judge
// when the output is a provider's and cannot be read.
func outputOf(e *event.Event) (out output, without eval.Verdict, ok bool) {
	s := e.Answer()
	switch {
	case s.Unread != "":
		return output{}, cannotJudge(s.Unread), false
	case s.OnlyRefuses(), e.Output.IsZero():
		return output{refusal: s.Refusal}, eval.NotApplicable("output"), false
	case !s.OnlyCallsTools():
		return output{s.Text, s.JSON, s.Refusal}, eval.Verdict{}, true
	case e.Output.Raw()[0] == '"':
		return output{}, eval.NotApplicable("output"), false
	}
	return output{}, eval.NotApplicable("output.content"), false
}

// lastInput returns what the user said last: the text of the last user turn, or the
// whole input.
func lastInput(e *event.Event) string {
	turns, ok := e.Input.Turns()
	if !ok {
		return e.Input.Text()
	}
	for _, turn := range slices.Backward(turns) {
		if turn.Role == event.RoleUser {
			return turn.Content
		}
	}
	return ""
}

// onOutput returns an answer that calls f with the output, and that has the verdict
// of [outputOf] without one.
func onOutput(f func(ctx context.Context, e *event.Event, out output) (eval.Verdict, error)) answer {
	return func(ctx context.Context, e *event.Event) (eval.Verdict, error) {
		out, without, ok := outputOf(e)
		if !ok {
			return without, nil
		}
		return f(ctx, e, out)
	}
}

// onRefusal is onOutput for a validator that also examines refusals without words.
func onRefusal(f func(ctx context.Context, e *event.Event, out output) (eval.Verdict, error)) answer {
	return func(ctx context.Context, e *event.Event) (eval.Verdict, error) {
		out, without, ok := outputOf(e)
		if !ok && !out.refusal {
			return without, nil
		}
		return f(ctx, e, out)
	}
}

// onText returns an answer that needs only the text of the output.
func onText(f func(text string) eval.Verdict) answer {
	return onOutput(func(_ context.Context, _ *event.Event, out output) (eval.Verdict, error) { return f(out.text), nil })
}
