package telemetry

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/outage"
)

// LLMObservability says which verdicts become evaluations in Datadog LLM
// Observability.
type LLMObservability struct {
	Enabled   bool          `yaml:"enabled" doc:"Also send verdicts to Datadog LLM Observability, as evaluations of its spans."`
	MLApp     string        `yaml:"ml_app" doc:"The application's name in LLM Observability (ml_app); one that the request's headers name wins."`
	OTel      bool          `yaml:"otel" doc:"The spans of events that say nothing else come from OpenTelemetry: join by trace_id and span_id."`
	Tag       string        `yaml:"tag" doc:"Tag of spans that holds the request_id, for events without ids; empty: these are not sent."`
	Reasoning bool          `yaml:"reasoning" doc:"Also send the judges' explanations, redacted. They may repeat what a user or a model said."`
	MaxAge    time.Duration `yaml:"max_age" doc:"Age of a request up to which its evaluations are sent; 0: any."`
	Agentless bool          `yaml:"agentless" doc:"Send to the site of DD_SITE with the key of DD_API_KEY, not through the agent."`
	Queue     int           `yaml:"queue" doc:"Evaluations that wait to be sent; more are dropped and counted."`
}

// maxMLApp is the length that Datadog allows for the name of an application.
const maxMLApp = 193

func defaultLLMObservability() LLMObservability {
	return LLMObservability{MaxAge: 24 * time.Hour, Queue: 10_000}
}

func (c LLMObservability) validate() fault.List {
	var fs fault.List
	switch {
	case c.Enabled && strings.TrimSpace(c.MLApp) == "":
		fs.Add("ml_app", "missing", "write the ml_app of the application's spans, such as support-agent")
	case len(c.MLApp) > maxMLApp:
		fs.Add("ml_app", "is too long", "write at most 193 bytes")
	}
	if c.Tag != sanitizeValue(c.Tag) || strings.Contains(c.Tag, ":") {
		fs.Add("tag", "is no key of a tag: "+quote(c.Tag), "write a key such as request_id, in lower case")
	}
	if c.MaxAge < 0 {
		fs.Add("max_age", "is negative", "write a duration such as 24h; 0 sends evaluations of any age")
	}
	if c.Queue < 1 || c.Queue > 1_000_000 {
		fs.Add("queue", "is out of range", "write a number of evaluations from 1 to 1000000")
	}
	return fs
}

// Reasons for which evaluations do not reach LLM Observability; see
// docs/llm-observability.md.
const (
	lostQueueFull   = "queue_full"
	lostClosed      = "closed"
	lostAbandoned   = "abandoned"
	lostNoSpan      = "no_span"
	lostTooOld      = "too_old"
	lostInvalid     = "invalid"
	lostRefused     = "refused"
	lostRateLimited = "rate_limited"
	lostUnavailable = "unavailable"
	lostUnreachable = "unreachable"
)

const (
	// submitSize is the most evaluations in a request; submitEvery is how long they
	// wait for others.
	submitSize  = 1000
	submitEvery = 2 * time.Second
	// submitTimeout bounds a submission. Datadog's client tries three times for five
	// seconds, but waits as long as an answer 429 asks for.
	submitTimeout = 20 * time.Second
)

// evaluationSender is where evaluations are sent. It returns how many were lost, by
// reason. Datadog's client is experimental, so only its adapter knows it.
type evaluationSender interface {
	send(ctx context.Context, rows []evaluation) (lost map[string]int)
	close()
}

// submitter sends evaluations in the background. Its owner closes it.
type submitter struct {
	cfg    LLMObservability
	redact func(string) string
	to     evaluationSender
	drops  *drops
	log    *slog.Logger
	failed outage.Limiter
	panics outage.Limiter

	rows    chan evaluation
	running sync.WaitGroup
	ctx     context.Context //nolint:containedctx // of all submissions; ends when there is no time left to close
	cancel  context.CancelFunc

	intake sync.RWMutex // held for reading while evaluations are queued
	closed bool         // guarded by intake
}

func newSubmitter(cfg LLMObservability, redact func(string) string, to evaluationSender, d *drops, log *slog.Logger) *submitter {
	s := &submitter{cfg: cfg, redact: redact, to: to, drops: d, log: log, rows: make(chan evaluation, cfg.Queue)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.running.Go(s.run)
	return s
}

// startEvaluations starts to send evaluations, unless to is nil.
func (t *Telemetry) startEvaluations(cfg Config, to evaluationSender, deps Deps) {
	if to != nil {
		t.llmobs = newSubmitter(cfg.LLMObservability, deps.Redact, to, t.drops, deps.Log)
	}
}

// closeEvaluations sends what is queued within half of the time that ctx has left. The
// error says what was abandoned.
func (t *Telemetry) closeEvaluations(ctx context.Context) error {
	if t.llmobs == nil {
		return nil
	}
	before := t.Stats().Dropped(SinkLLMObs)
	sending, stop := context.WithTimeout(ctx, partOf(ctx, 0.5))
	defer stop()
	if !closesWithin(ctx, partOf(ctx, 0.8), t.llmobs.close(sending)) {
		return errors.New("telemetry: evaluations abandoned: their sending does not end")
	}
	if lost := t.Stats().Dropped(SinkLLMObs) - before; lost > 0 {
		return fmt.Errorf("telemetry: %d evaluations abandoned: LLM Observability does not accept them", lost)
	}
	return nil
}

// report queues the evaluations of a report. It does not block: when the queue is full
// they are dropped and counted. A nil submitter discards them.
func (s *submitter) report(r *eval.Report) {
	if s == nil {
		return
	}
	rows := s.evaluations(r)
	s.intake.RLock()
	defer s.intake.RUnlock()
	if s.closed {
		s.drops.add(SinkLLMObs, lostClosed, int64(len(rows)))
		return
	}
	for i, row := range rows {
		select {
		case s.rows <- row:
		default:
			s.drops.add(SinkLLMObs, lostQueueFull, int64(len(rows)-i))
			return
		}
	}
}

// close sends what is queued until ctx ends, and abandons and counts the rest. The
// channel is closed when that is done.
func (s *submitter) close(ctx context.Context) <-chan struct{} {
	return inBackground(func() {
		s.intake.Lock()
		if !s.closed {
			s.closed = true
			close(s.rows)
		}
		s.intake.Unlock()
		stop := context.AfterFunc(ctx, s.cancel)
		defer stop()
		s.running.Wait()
		s.cancel()
		s.to.close()
	})
}

func (s *submitter) run() {
	tick := time.NewTicker(submitEvery)
	defer tick.Stop()
	batch := make([]evaluation, 0, submitSize)
	for {
		select {
		case row, open := <-s.rows:
			if !open {
				s.submit(batch)
				return
			}
			if batch = append(batch, row); len(batch) == submitSize {
				s.submit(batch)
				batch = batch[:0]
			}
		case <-tick.C:
			s.submit(batch)
			batch = batch[:0]
		}
	}
}

// submit sends one request, and counts and logs what is lost.
func (s *submitter) submit(batch []evaluation) {
	if len(batch) == 0 {
		return
	}
	if s.ctx.Err() != nil {
		s.drops.add(SinkLLMObs, lostAbandoned, int64(len(batch)))
		return
	}
	ctx, cancel := context.WithTimeout(s.ctx, submitTimeout)
	defer cancel()
	defer func() { // Datadog's client is experimental
		if p := recover(); p != nil {
			s.drops.add(SinkLLMObs, string(eval.ReasonPanic), int64(len(batch)))
			if seen, ok := s.panics.Allow(); ok {
				s.log.Error("evaluations dropped", slog.String("panic", fmt.Sprintf("%T", p)), slog.String("stack", string(debug.Stack())), seen.Attr())
			}
		}
	}()
	lost := s.to.send(ctx, batch)
	for reason, n := range lost {
		if s.ctx.Err() != nil && reason == lostUnreachable {
			reason = lostAbandoned
		}
		s.drops.add(SinkLLMObs, reason, int64(n))
		if seen, ok := s.failed.AllowCause(reason); ok {
			s.log.Warn("evaluations are not accepted by LLM Observability", slog.String("reason", reason), slog.Int("evaluations", n), seen.Attr())
		}
	}
	if len(lost) == 0 {
		if since, told := s.failed.Over(); told {
			s.log.Info("evaluations are accepted by LLM Observability again", slog.Duration("after", time.Since(since)))
		}
	}
}
