package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// verdicts runs the evaluators that the plan picked: those without a network
// first, in order, then the judges side by side.
func (p *Pipeline) verdicts(ctx context.Context, suite *Suite, r *eval.Report, red *redaction) []eval.Verdict {
	out := make([]eval.Verdict, len(r.Plan.Picks))
	var judges []int
	for i, pick := range r.Plan.Picks {
		switch {
		case pick.Evaluator < 0:
			out[i] = feedback(r.Event, r.Started)
		case suite.Evaluators[pick.Evaluator].judge():
			judges = append(judges, i)
		default:
			out[i] = p.verdict(ctx, suite.Evaluators[pick.Evaluator], r.Event)
		}
	}
	var calls sync.WaitGroup
	for _, i := range judges {
		calls.Go(func() { out[i] = p.judge(ctx, suite.Evaluators[r.Plan.Picks[i].Evaluator], red) })
	}
	calls.Wait()
	for i, pick := range r.Plan.Picks {
		out[i].Probability, out[i].Rule = pick.Probability, pick.Rule
	}
	return out
}

// judge gives a judge's verdict on redacted content. What cannot be redacted is
// not shown.
func (p *Pipeline) judge(ctx context.Context, entry Entry, red *redaction) eval.Verdict {
	e, err := red.redacted()
	if err != nil {
		p.complain(ctx, red.event, entry, err)
		return failed(entry, time.Now(), err)
	}
	return p.verdict(ctx, entry, e)
}

// verdict runs one evaluator and turns what went wrong into a verdict.
func (p *Pipeline) verdict(ctx context.Context, entry Entry, e *event.Event) eval.Verdict {
	if entry.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, entry.Timeout)
		defer cancel()
	}
	started := time.Now()
	v, err := guarded(ctx, entry, e)
	if err == nil && v.Outcome == eval.OutcomeError {
		err = eval.WithReason(eval.ReasonInternal, errors.New("no outcome"))
	}
	if err != nil {
		p.complain(ctx, e, entry, err)
		f := failed(entry, started, err)
		f.Usage = v.Usage // what was paid stays on the books
		return f
	}
	v.Eval, v.Type, v.Version = entry.Name(), entry.Type(), entry.Version()
	v.Started, v.Duration = started, time.Since(started)
	return v
}

// guarded keeps a panic inside one evaluation: one bad rule must not stop the
// worker, nor make every replica that takes the partition over fall in turn.
func guarded(ctx context.Context, entry Entry, e *event.Event) (v eval.Verdict, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = eval.Verdict{}, eval.WithReason(eval.ReasonPanic, panicked(r))
		}
	}()
	return entry.Evaluate(ctx, e)
}

// panicked tells of a panic. Its value may hold content; its type and the stack
// do not.
func panicked(value any) error { return fmt.Errorf("panic of type %T\n%s", value, debug.Stack()) }

func failed(entry Entry, started time.Time, err error) eval.Verdict {
	return eval.Verdict{
		Eval: entry.Name(), Type: entry.Type(), Version: entry.Version(),
		Outcome: eval.OutcomeError, Reason: string(eval.ReasonOf(err)),
		Started: started, Duration: time.Since(started),
	}
}

// feedback is the verdict that a user gave.
func feedback(e *event.Event, now time.Time) eval.Verdict {
	v := eval.Verdict{Eval: eval.FeedbackEvaluator, Type: eval.TypeUserFeedback, Version: "1", Started: now, Duration: time.Since(now)}
	if e.UserRating == "" {
		n := eval.NotApplicable("user_rating")
		v.Outcome, v.Reason = n.Outcome, n.Reason
		return v
	}
	v.Outcome, v.Score = eval.Feedback(e.UserRating)
	if v.Outcome == eval.OutcomeFail {
		v.Reason = "user_rating"
	}
	return v
}
