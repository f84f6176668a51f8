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
	"github.com/evalworker/evalworker/policy"
)

// verdicts runs the evaluators that the plan picked: those without a network
// first, in order, then the judges in parallel.
func (p *Pipeline) verdicts(ctx context.Context, pol *policy.Policy, r *eval.Report, red *redaction) []eval.Verdict {
	out := make([]eval.Verdict, len(r.Plan.Picks))
	var judges []int
	for i, pick := range r.Plan.Picks {
		switch {
		case pick.Evaluator < 0:
			out[i] = eval.Feedback(r.Event, pol.RatingScale)
			out[i].Started, out[i].Duration = r.Started, time.Since(r.Started)
		case pol.Evaluators[pick.Evaluator].Judge():
			judges = append(judges, i)
		default:
			out[i] = p.verdict(ctx, pol.Evaluators[pick.Evaluator], r.Event)
		}
	}
	var calls sync.WaitGroup
	for _, i := range judges {
		calls.Go(func() { out[i] = p.judge(ctx, pol.Evaluators[r.Plan.Picks[i].Evaluator], red) })
	}
	calls.Wait()
	for i, pick := range r.Plan.Picks {
		out[i].Probability, out[i].Rule = pick.Probability, pick.Rule
	}
	return out
}

// judge returns a judge's verdict on redacted content. Content that cannot be
// redacted is not shown to it.
func (p *Pipeline) judge(ctx context.Context, ev policy.Evaluator, red *redaction) eval.Verdict {
	e, err := red.redacted()
	if err != nil {
		p.logFailure(ctx, red.event, ev, err)
		return failed(ev, time.Now(), err)
	}
	return p.verdict(ctx, ev, e)
}

// verdict runs one evaluator and turns an error into a verdict.
func (p *Pipeline) verdict(ctx context.Context, ev policy.Evaluator, e *event.Event) eval.Verdict {
	if ev.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, ev.Timeout)
		defer cancel()
	}
	started := time.Now()
	v, err := guarded(ctx, ev, e)
	if err == nil && v.Outcome == eval.OutcomeError {
		err = eval.WithReason(eval.ReasonInternal, errors.New("no outcome"))
	}
	if err != nil {
		p.logFailure(ctx, e, ev, err)
		f := failed(ev, started, err)
		f.Usage = v.Usage // failed calls cost money too
		return f
	}
	v.Eval, v.Type, v.Version = ev.Name(), ev.Type(), ev.Version()
	v.Started, v.Duration = started, time.Since(started)
	return v
}

// guarded turns a panic of an evaluation into an error: one bad rule must not stop
// the worker, and then each replica that takes over the partition.
func guarded(ctx context.Context, ev policy.Evaluator, e *event.Event) (v eval.Verdict, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = eval.Verdict{}, eval.WithReason(eval.ReasonPanic, panicked(r))
		}
	}()
	return ev.Evaluate(ctx, e)
}

// panicked describes a panic by its type and stack: its value may hold content.
func panicked(value any) error { return fmt.Errorf("panic of type %T\n%s", value, debug.Stack()) }

func failed(ev policy.Evaluator, started time.Time, err error) eval.Verdict {
	return eval.Verdict{
		Eval: ev.Name(), Type: ev.Type(), Version: ev.Version(),
		Outcome: eval.OutcomeError, Reason: string(eval.ReasonOf(err)),
		Started: started, Duration: time.Since(started),
	}
}

// redaction redacts one event, at most once and only when needed: most events pass
// every validator and reach no judge.
type redaction struct {
	redactor Redactor
	event    *event.Event

	once sync.Once
	out  *event.Event
	err  error
}

func (r *redaction) redacted() (*event.Event, error) {
	r.once.Do(func() { r.out, r.err = r.redact() })
	return r.out, r.err
}

// redact redacts the event and turns a panic into an error: judges call it from
// their own goroutines, where a panic would end the process.
func (r *redaction) redact() (out *event.Event, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = panicked(v)
		}
		if err != nil {
			out, err = nil, eval.WithReason(eval.ReasonRedaction, err)
		}
	}()
	return r.redactor.Event(r.event)
}
