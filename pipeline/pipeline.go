package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/outage"
	"github.com/evalworker/evalworker/policy"
)

// Redactor takes secrets and personal data out of events. Event returns a copy
// without any in its content; an error means that the content must not be shown at
// all. Names returns the event, or a copy without any in the names of its prompt,
// feature and the like.
type Redactor interface {
	Event(e *event.Event) (*event.Event, error)
	Names(e *event.Event) *event.Event
}

// CaseKeeper keeps failing reports. Offer returns once the report is durable, with
// the number of failures that are new, and may be repeated. A nil redacted event
// means that the content must be withheld. Every error means that the store is down.
type CaseKeeper interface {
	Offer(ctx context.Context, r *eval.Report, redacted *event.Event) (int, error)
}

// Recorder records how events ended. Its methods neither block nor fail. A report
// must not be changed once it has been recorded.
type Recorder interface {
	Report(r *eval.Report)
	// Skipped counts n events that no evaluator runs for.
	Skipped(d eval.Disposition, n int)
	// Cases records how many new failures of a report were kept.
	Cases(r *eval.Report, n int)
}

// Deps are a pipeline's dependencies.
type Deps struct {
	Redactor Redactor
	Keeper   CaseKeeper
	Recorder Recorder
	Log      *slog.Logger
}

// ErrStopped ends an event that would have to wait for a model although [Pipeline.Stop] was
// called. It has no end yet, and is to be evaluated by another worker.
var ErrStopped = errors.New("pipeline: stopped while the event waits for a model")

// Pipeline evaluates events. It is safe for concurrent use.
type Pipeline struct {
	current  atomic.Pointer[revision]
	stopped  atomic.Bool
	atOnce   chan struct{} // closed
	redactor Redactor
	keeper   CaseKeeper
	recorder Recorder
	log      *slog.Logger
	stall    stall
	requests requests
	failures sync.Map       // failureKind -> *outage.Limiter
	ids      sync.Map       // event.LinkFault -> *outage.Limiter
	withheld outage.Limiter // lines about cases without content
}

// revision is a policy while it is in use.
type revision struct {
	policy   *policy.Policy
	replaced chan struct{} // closed when another one is in use
}

// New returns a pipeline. All dependencies are required.
func New(p *policy.Policy, deps Deps) (*Pipeline, error) {
	if p == nil || p.Sampler == nil {
		return nil, errors.New("pipeline: no policy")
	}
	if deps.Redactor == nil || deps.Keeper == nil || deps.Recorder == nil || deps.Log == nil {
		return nil, errors.New("pipeline: redactor, keeper, recorder and log are required")
	}
	pl := &Pipeline{redactor: deps.Redactor, keeper: deps.Keeper, recorder: deps.Recorder, log: deps.Log, atOnce: make(chan struct{})}
	close(pl.atOnce)
	pl.current.Store(&revision{p, make(chan struct{})})
	return pl, nil
}

// Policy returns the policy in use.
func (p *Pipeline) Policy() *policy.Policy { return p.current.Load().policy }

// Replace replaces the policy. Events in flight finish under the policy with which
// they began, except those that wait for a model: they are evaluated anew.
func (p *Pipeline) Replace(next *policy.Policy) {
	close(p.current.Swap(&revision{next, make(chan struct{})}).replaced)
}

// Stop makes events that wait for a model, now and later, return [ErrStopped] at once.
// Other events go on.
func (p *Pipeline) Stop() {
	p.stopped.Store(true)
	for {
		rev := p.current.Load()
		if p.current.CompareAndSwap(rev, &revision{rev.policy, make(chan struct{})}) {
			close(rev.replaced)
			return
		}
	}
}

// RememberRequests makes the pipeline remember the requests that it is given from now on,
// for feedback on them. Otherwise it begins to with the first feedback that lacks its
// prompt or its question.
func (p *Pipeline) RememberRequests() { p.requests.begin() }

// Skip reports whether the headers alone show that no evaluator wants the
// message, and counts it if so. Handle decides by the same headers, unless the body is
// another kind of event than they say. It allocates nothing.
func (p *Pipeline) Skip(m *event.Message) bool {
	plan, ok := p.Policy().Sampler.Skip(m.Headers)
	if !ok {
		return false
	}
	p.recorder.Skipped(plan.Skipped(), 1)
	return true
}

// Handle evaluates one message. A permanent error asks for a dead letter. Any
// other error is the context's, or [ErrStopped]: the message has to be handed over again.
func (p *Pipeline) Handle(ctx context.Context, m event.Message) error {
	_, err := p.evaluate(ctx, m.Value, m.Headers)
	return err
}

// Evaluate is Handle for a caller that needs the report, and for an event without
// headers. The report has no picks when no evaluator ran; the names of its event are
// redacted then, too.
func (p *Pipeline) Evaluate(ctx context.Context, value []byte) (*eval.Report, error) {
	r, err := p.evaluate(ctx, value, nil)
	if err == nil && len(r.Plan.Picks) == 0 {
		r.Event = p.redactor.Names(r.Event)
	}
	return r, err
}

func (p *Pipeline) evaluate(ctx context.Context, value []byte, headers []event.Header) (*eval.Report, error) {
	started := time.Now()
	e, err := event.Decode(value)
	if err != nil {
		return nil, err
	}
	e.Join(headers)
	p.logIDs(ctx, e)
	rev := p.current.Load()
	plan := decide(rev.policy, e, headers)
	original := e
	if e.Kind == event.KindUserFeedback {
		e = p.requests.complete(e)
	} else {
		p.requests.add(e)
	}
	r := &eval.Report{Event: e, Plan: plan, Started: started}
	red := redaction{redactor: p.redactor}
	for {
		if len(r.Plan.Picks) == 0 {
			p.recorder.Skipped(r.Plan.Skipped(), 1)
			return r, nil
		}
		if red.event == nil {
			r.Event = p.redactor.Names(e) // the plan is that of the original: the headers are not redacted
			red.event = r.Event
		}
		var released bool
		if r.Verdicts, released = p.verdicts(ctx, rev, r, &red); !released || ctx.Err() != nil {
			break
		}
		if p.stopped.Load() {
			return nil, ErrStopped
		}
		rev = p.current.Load()
		r.Plan = decide(rev.policy, original, headers)
	}
	r.Duration = time.Since(started)
	if err := ctx.Err(); err != nil {
		return nil, err // the stop may have cut verdicts short: another worker evaluates the event
	}
	if r.Failed() {
		n, err := p.keep(ctx, r, &red)
		if err != nil {
			return nil, err
		}
		p.recorder.Cases(r, n)
	}
	p.recorder.Report(r)
	return r, nil
}

// decide returns which evaluators of a policy are to run on an event.
func decide(pol *policy.Policy, e *event.Event, headers []event.Header) eval.Plan {
	if areOf(headers, e.Kind) {
		if plan, ok := pol.Sampler.DecideHeaders(headers); ok {
			return plan
		}
	}
	env := e.Envelope()
	return pol.Sampler.Decide(&env)
}

// areOf reports whether headers are those of an event of the kind. A rating is no request
// to judge, nor the other way round, whatever the headers of a message say.
func areOf(headers []event.Header, kind event.Kind) bool {
	var value []byte // of several headers the last counts
	for i := range headers {
		if h := &headers[i]; h.Key == event.HeaderEvent {
			value = h.Value
		}
	}
	return string(value) == string(kind)
}
