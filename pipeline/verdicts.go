package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/policy"
)

// verdicts runs the evaluators that the plan picked: those without a network
// first, in order, then the judges in parallel. released says that a judge stopped waiting
// for its model because another policy is in use, or the pipeline stops.
func (p *Pipeline) verdicts(ctx context.Context, rev *revision, r *eval.Report, red *redaction) (out []eval.Verdict, released bool) {
	pol := rev.policy
	out = make([]eval.Verdict, len(r.Plan.Picks))
	var toJudge []int
	for i, pick := range r.Plan.Picks {
		switch {
		case pick.Evaluator < 0:
			out[i] = eval.Feedback(r.Event, pol.RatingScale)
			out[i].Started, out[i].Duration = r.Started, time.Since(r.Started)
		case pol.Evaluators[pick.Evaluator].Judge():
			toJudge = append(toJudge, i)
		default:
			out[i], _ = p.verdict(ctx, rev, pol.Evaluators[pick.Evaluator], r.Event)
		}
	}
	var calls sync.WaitGroup
	var anyReleased atomic.Bool
	for _, i := range toJudge {
		calls.Go(func() {
			var released bool
			if out[i], released = p.judge(ctx, rev, pol.Evaluators[r.Plan.Picks[i].Evaluator], red); released {
				anyReleased.Store(true)
			}
		})
	}
	calls.Wait()
	for i, pick := range r.Plan.Picks {
		out[i].Probability, out[i].Rule = pick.Probability, pick.Rule
	}
	return out, anyReleased.Load()
}

// judge returns a judge's verdict on redacted content. Content that cannot be
// redacted is not shown to it.
func (p *Pipeline) judge(ctx context.Context, rev *revision, ev policy.Evaluator, red *redaction) (v eval.Verdict, released bool) {
	e, err := red.redacted()
	if err != nil {
		p.logFailure(ctx, red.event, ev, err)
		return failed(ev, time.Now(), err), false
	}
	return p.verdict(ctx, rev, ev, e)
}

// verdict runs one evaluator, again while it says so, and turns an error into a verdict.
// Each run has the evaluator's time limit, which the waits between them do not use up.
// released says that the evaluator did not run again because another policy is in use, or
// the pipeline stops.
func (p *Pipeline) verdict(ctx context.Context, rev *revision, ev policy.Evaluator, e *event.Event) (v eval.Verdict, released bool) {
	var again policy.Again
	var usage *eval.Usage // of the runs that failed
	for {
		started := time.Now()
		v, err := p.run(ctx, ev, e)
		v.Usage = policy.AddUsage(usage, v.Usage)
		if err == nil {
			v.Eval, v.Type, v.Version = ev.Name(), ev.Type(), ev.Version()
			v.Started, v.Duration = started, time.Since(started)
			return v, false
		}
		if ev.Again != nil {
			if again == nil {
				again = ev.Again()
			}
			released := rev.replaced
			if p.stopped.Load() { // it does not wait then
				released = p.atOnce
			}
			if again(ctx, released, err) {
				usage = v.Usage
				if p.stopped.Load() || rev != p.current.Load() {
					return v, true
				}
				continue
			}
		}
		p.logFailure(ctx, e, ev, err)
		f := failed(ev, started, err)
		f.Usage = v.Usage // failed calls cost money too
		return f, false
	}
}

// run runs one evaluator within its time limit.
func (p *Pipeline) run(ctx context.Context, ev policy.Evaluator, e *event.Event) (eval.Verdict, error) {
	if ev.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, ev.Timeout)
		defer cancel()
	}
	v, err := guarded(ctx, ev, e)
	if err == nil && v.Outcome == eval.OutcomeError {
		err = eval.WithReason(eval.ReasonInternal, errors.New("no outcome"))
	}
	return v, err
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
