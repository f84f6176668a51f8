package pipeline

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Redactor gives a copy of the event without secrets and personal data. An
// error means that the content must not be shown to anybody.
type Redactor interface {
	Event(e *event.Event) (*event.Event, error)
}

// Archive keeps failing reports. Offer returns once the report is durable, is
// safe to repeat, and gives the number of failures that it newly recorded. A
// nil redacted event means that the content has to be withheld. Every error
// means that the archive is down.
type Archive interface {
	Offer(ctx context.Context, r *eval.Report, redacted *event.Event) (int, error)
}

// Recorder is told what became of events. Its methods neither block nor fail.
// A report must not be changed by anybody once it has been recorded.
type Recorder interface {
	Report(r *eval.Report)
	SampledOut(n int)
	// Cases says how many new failures of a report the archive has taken.
	Cases(r *eval.Report, n int)
}

// Deps are what a pipeline works with.
type Deps struct {
	Redactor Redactor
	Archive  Archive
	Recorder Recorder
	Log      *slog.Logger
}

// Pipeline evaluates events. It is safe for concurrent use.
type Pipeline struct {
	suite    atomic.Pointer[Suite]
	redactor Redactor
	archive  Archive
	recorder Recorder
	log      *slog.Logger
	stall    stall

	complaints complaints
}

// New makes a pipeline. All dependencies are required.
func New(suite *Suite, deps Deps) (*Pipeline, error) {
	if suite == nil || suite.Sampler == nil {
		return nil, errors.New("pipeline: no suite")
	}
	if deps.Redactor == nil || deps.Archive == nil || deps.Recorder == nil || deps.Log == nil {
		return nil, errors.New("pipeline: redactor, archive, recorder and log are required")
	}
	p := &Pipeline{redactor: deps.Redactor, archive: deps.Archive, recorder: deps.Recorder, log: deps.Log}
	p.suite.Store(suite)
	return p, nil
}

// Suite gives the suite in use.
func (p *Pipeline) Suite() *Suite { return p.suite.Load() }

// Replace puts another suite in place. Events that are in flight finish under the
// suite with which they began.
func (p *Pipeline) Replace(s *Suite) { p.suite.Store(s) }

// Skip reports whether the headers alone show that no evaluator wants the
// message, and counts it as sampled out if so. It allocates nothing.
func (p *Pipeline) Skip(m *event.Message) bool {
	plan, ok := p.suite.Load().Sampler.DecideHeaders(m.Headers)
	if !ok || len(plan.Picks) > 0 {
		return false
	}
	p.recorder.SampledOut(1)
	return true
}

// Handle evaluates one message. A permanent error asks for a dead letter. Any
// other error is that of ctx: the message has to be handed over again.
func (p *Pipeline) Handle(ctx context.Context, m event.Message) error {
	_, err := p.Evaluate(ctx, m.Value)
	return err
}

// Evaluate is Handle for a caller that wants to see the report. The report of
// an event that nobody wants has no picks.
func (p *Pipeline) Evaluate(ctx context.Context, value []byte) (*eval.Report, error) {
	started := time.Now()
	e, err := event.Decode(value)
	if err != nil {
		return nil, err
	}
	suite := p.suite.Load()
	env := e.Envelope()
	r := &eval.Report{Event: e, Plan: suite.Sampler.Decide(&env), Started: started}
	if len(r.Plan.Picks) == 0 {
		p.recorder.SampledOut(1)
		return r, nil
	}
	red := redaction{redactor: p.redactor, event: e}
	r.Verdicts = p.verdicts(ctx, suite, r, &red)
	r.Duration = time.Since(started)
	if err := ctx.Err(); err != nil {
		return nil, err // the verdicts may be those of a stopped worker: somebody else evaluates the event
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
