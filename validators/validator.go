package validators

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// answer is the part of a validator that differs from kind to kind: it looks at an
// event and gives outcome, score, label, reason and measures.
type answer func(ctx context.Context, e *event.Event) (eval.Verdict, error)

// validator is an answer with its identity. It is immutable.
type validator struct {
	name    string
	typ     eval.Type
	version string
	answer  answer
}

// New makes the validator that cfg describes. schemas are those that json_schema
// checks with; other kinds need none. The error is an [fault.Faults] whose paths
// are relative to the configuration of this validator.
func New(cfg Config, schemas *Schemas) (eval.Evaluator, error) {
	if faults := cfg.Validate(); len(faults) > 0 {
		return nil, faults
	}
	k, _ := lookup(cfg.Type)
	made, err := k.build(cfg, schemas)
	if err != nil {
		return nil, err
	}
	return &validator{name: cfg.Name, typ: k.Type, version: version(k, cfg, made.digest), answer: made.answer}, nil
}

// Name gives the evaluator's name.
func (v *validator) Name() string { return v.name }

// Type gives json_schema or rule.
func (v *validator) Type() eval.Type { return v.typ }

// Version gives a hash of kind, options and schemas.
func (v *validator) Version() string { return v.version }

// Evaluate answers one event.
func (v *validator) Evaluate(ctx context.Context, e *event.Event) (eval.Verdict, error) {
	if err := ctx.Err(); err != nil {
		return eval.Verdict{}, fmt.Errorf("%s: %w", v.name, err)
	}
	verdict, err := v.answer(ctx, e)
	if err != nil {
		return eval.Verdict{}, fmt.Errorf("%s: %w", v.name, err)
	}
	verdict.Eval, verdict.Type, verdict.Version = v.name, v.typ, v.version
	return verdict, nil
}

// version is a hash of everything that decides a verdict: the kind, the revision
// of its algorithm, the options, and what digest stands for. The name is not part
// of it.
func version(k kind, cfg Config, digest string) string {
	cfg.Name = ""
	options, err := json.Marshal(cfg)
	if err != nil { // numbers have been checked to be finite
		options = nil
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%d\x00%s\x00%s", k.Name, k.revision, options, digest))
	return hex.EncodeToString(sum[:6])
}

// pass is a verdict with full score.
func pass(label string) eval.Verdict {
	return eval.Verdict{Outcome: eval.OutcomePass, Score: 1, Label: label}
}

// fail is a verdict without a score.
func fail(label, reason string) eval.Verdict {
	return eval.Verdict{Outcome: eval.OutcomeFail, Label: label, Reason: reason}
}

// cannotJudge is the verdict of a validator that looked and could not decide.
func cannotJudge(reason string) eval.Verdict {
	return eval.Verdict{Outcome: eval.OutcomeCannotJudge, Reason: reason}
}
