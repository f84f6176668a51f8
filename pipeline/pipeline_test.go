package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/testkit/leaks"
	"github.com/evalworker/evalworker/pipeline"
	"github.com/evalworker/evalworker/policy"
	"github.com/evalworker/evalworker/sampler"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// evaluator answers with a function.
type evaluator struct {
	name string
	typ  eval.Type
	fn   func(context.Context, *event.Event) (eval.Verdict, error)
}

func (e evaluator) Name() string    { return e.name }
func (e evaluator) Type() eval.Type { return e.typ }
func (e evaluator) Version() string { return "v1" }

func (e evaluator) Evaluate(ctx context.Context, ev *event.Event) (eval.Verdict, error) {
	return e.fn(ctx, ev)
}

func rule(name string, v eval.Verdict) evaluator {
	return evaluator{name, eval.TypeRule, func(context.Context, *event.Event) (eval.Verdict, error) { return v, nil }}
}

func judge(name string, fn func(context.Context, *event.Event) (eval.Verdict, error)) evaluator {
	return evaluator{name, eval.TypeLLMJudge, fn}
}

var (
	pass = eval.Verdict{Outcome: eval.OutcomePass, Score: 1}
	fail = eval.Verdict{Outcome: eval.OutcomeFail, Reason: "because"}
)

// world records what a pipeline did; all fields are guarded by mu.
type world struct {
	mu         sync.Mutex
	reports    []*eval.Report
	sampledOut int
	unwanted   int
	cases      int
	offers     []*event.Event // redacted events as they were offered
	down       int            // offers that still fail
	fault      func() error   // of redaction
}

func (w *world) Report(r *eval.Report) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reports = append(w.reports, r)
}

func (w *world) Skipped(d eval.Disposition, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if d == eval.DispositionUnwanted {
		w.unwanted += n
	} else {
		w.sampledOut += n
	}
}

func (w *world) Cases(_ *eval.Report, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cases += n
}

func (w *world) Offer(_ context.Context, _ *eval.Report, redacted *event.Event) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.offers = append(w.offers, redacted)
	if w.down > 0 {
		w.down--
		return 0, errors.New("disk full")
	}
	return 1, nil
}

// Names takes "jane" out of the prompt's name.
func (w *world) Names(e *event.Event) *event.Event {
	if !strings.Contains(e.PromptName, "jane") {
		return e
	}
	c := *e
	c.PromptName = strings.ReplaceAll(e.PromptName, "jane", "[name]")
	return &c
}

func (w *world) Event(e *event.Event) (*event.Event, error) {
	if w.fault != nil {
		return nil, w.fault()
	}
	c := *e
	c.Output = event.Text("[redacted]")
	return &c, nil
}

func newPipeline(t *testing.T, w *world, cfg sampler.Config, evs ...evaluator) *pipeline.Pipeline {
	t.Helper()
	p, err := pipeline.New(newPolicy(t, cfg, evs...), pipeline.Deps{Redactor: w, Keeper: w, Recorder: w, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func newPolicy(t *testing.T, cfg sampler.Config, evs ...evaluator) *policy.Policy {
	t.Helper()
	s := &policy.Policy{}
	var list []sampler.Evaluator
	for _, e := range evs {
		s.Evaluators = append(s.Evaluators, policy.Evaluator{Evaluator: e, Timeout: time.Second})
		list = append(list, sampler.Evaluator{Name: e.name, Judge: e.typ == eval.TypeLLMJudge})
	}
	var err error
	if s.Sampler, err = sampler.New(cfg, list); err != nil {
		t.Fatal(err)
	}
	return s
}

func all() sampler.Config { return sampler.Config{DefaultRate: 1, Salt: "test"} }

const body = `{"event":"llm_request_completed","request_id":"r1","output":"secret words"}`

func message(s string) event.Message { return event.Message{Value: []byte(s)} }

func TestVerdictsInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testVerdictsInOrder) // one evaluator waits for its timeout
}

func testVerdictsInOrder(t *testing.T) {
	w := &world{}
	seen := make(chan string, 1)
	p := newPipeline(t, w, all(),
		judge("correctness", func(_ context.Context, e *event.Event) (eval.Verdict, error) {
			seen <- e.Output.Text()
			return pass, nil
		}),
		rule("format", fail),
		judge("broken", func(context.Context, *event.Event) (eval.Verdict, error) {
			return eval.Verdict{Usage: &eval.Usage{InputTokens: 7}}, eval.WithReason(eval.ReasonUnparsable, errors.New("x"))
		}),
		judge("panics", func(context.Context, *event.Event) (eval.Verdict, error) { panic("content") }),
		judge("slow", func(ctx context.Context, _ *event.Event) (eval.Verdict, error) {
			<-ctx.Done()
			return eval.Verdict{}, ctx.Err()
		}),
		rule("forgot", eval.Verdict{}),
		rule("lacks", eval.NotApplicable("expected")),
	)
	if err := p.Handle(t.Context(), message(body)); err != nil {
		t.Fatal(err)
	}
	if got := <-seen; got != "[redacted]" {
		t.Errorf("the judge saw %q", got)
	}
	var got []string
	for _, v := range w.reports[0].Verdicts {
		got = append(got, fmt.Sprintf("%s %s %s p=%g %s", v.Eval, v.Outcome, v.Reason, v.Probability, v.Version))
	}
	want := []string{
		"correctness pass  p=1 v1", "format fail because p=1 v1", "broken error unparsable p=1 v1", "panics error panic p=1 v1",
		"slow error timeout p=1 v1", "forgot error internal p=1 v1", "lacks not_applicable missing expected p=1 v1",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("verdicts (-want +got):\n%s", d)
	}
	if u := w.reports[0].Verdicts[2].Usage; u == nil || u.InputTokens != 7 {
		t.Errorf("what the broken judge was paid is lost: %+v", u)
	}
	if w.cases != 1 || w.offers[0].Output.Text() != "[redacted]" {
		t.Errorf("cases = %d, offered %q", w.cases, w.offers[0].Output.Text())
	}
}

func TestDispositions(t *testing.T) {
	t.Parallel()
	w := &world{}
	p := newPipeline(t, w, sampler.Config{Salt: "test"}, judge("correctness", func(context.Context, *event.Event) (eval.Verdict, error) { return pass, nil }))
	if err := p.Handle(t.Context(), message(body)); err != nil || w.sampledOut != 1 || len(w.reports) != 0 {
		t.Errorf("at rate 0: %v, sampled out %d, reports %d", err, w.sampledOut, len(w.reports))
	}
	if err := p.Handle(t.Context(), message(`{"event":`)); !eval.IsPermanent(err) {
		t.Errorf("no event: %v, want a permanent error", err)
	}
	e, err := event.Decode([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	if !p.Skip(&event.Message{Headers: e.Headers()}) || w.sampledOut != 2 {
		t.Errorf("headers that nobody wants are not skipped (sampled out %d)", w.sampledOut)
	}
	if p.Skip(&event.Message{}) {
		t.Error("a message without headers is skipped unread")
	}
	p.Replace(newPolicy(t, all(), rule("format", pass)))
	if p.Skip(&event.Message{Headers: e.Headers()}) {
		t.Error("the new policy is not used")
	}
	if err := p.Handle(t.Context(), message(body)); err != nil || len(w.reports) != 1 {
		t.Errorf("after the change: %v, reports %d", err, len(w.reports))
	}
}

func TestFeedback(t *testing.T) {
	t.Parallel()
	w := &world{}
	p := newPipeline(t, w, all(), rule("format", fail))
	if err := p.Handle(t.Context(), message(`{"event":"llm_user_feedback","request_id":"r1","user_rating":"down"}`)); err != nil {
		t.Fatal(err)
	}
	if err := p.Handle(t.Context(), message(`{"event":"llm_user_feedback","request_id":"r2"}`)); err != nil {
		t.Fatal(err)
	}
	first, second := w.reports[0].Verdicts, w.reports[1].Verdicts
	if len(first) != 1 || first[0].Type != eval.TypeUserFeedback || first[0].Outcome != eval.OutcomeFail || first[0].Probability != 1 {
		t.Errorf("verdicts = %+v", first)
	}
	if second[0].Outcome != eval.OutcomeNotApplicable || second[0].Reason != "missing user_rating" {
		t.Errorf("without a rating: %+v", second[0])
	}
}

// TestNothingShownUnredacted: content that cannot be redacted reaches neither a
// judge nor a case nor the log.
func TestNothingShownUnredacted(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func() error{
		"an error": func() error { return errors.New("too deep") },
		"a panic":  func() error { panic("secret words") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{fault: fault}
			blind := func(context.Context, *event.Event) (eval.Verdict, error) {
				t.Error("a judge saw content")
				return pass, nil
			}
			var log strings.Builder
			p, err := pipeline.New(newPolicy(t, all(), rule("format", fail), judge("correctness", blind), judge("tone", blind)),
				pipeline.Deps{Redactor: w, Keeper: w, Recorder: w, Log: slog.New(slog.NewTextHandler(&log, nil))})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				if err := p.Handle(t.Context(), message(body)); err != nil {
					t.Fatal(err)
				}
			}
			for _, v := range w.reports[0].Verdicts[1:] {
				if v.Outcome != eval.OutcomeError || v.Reason != string(eval.ReasonRedaction) {
					t.Errorf("verdict = %+v", v)
				}
			}
			if len(w.offers) != 2 || w.offers[0] != nil {
				t.Errorf("the keeper got %v", w.offers)
			}
			if n := strings.Count(log.String(), "case kept without content"); n != 1 {
				t.Errorf("%d lines about two cases within a minute, want 1:\n%s", n, log.String())
			}
			if strings.Contains(log.String(), "secret words") {
				t.Errorf("the log holds content:\n%s", log.String())
			}
		})
	}
}

// TestStoreDown: the event waits with its verdicts, no judge is asked twice,
// and the outage is logged once.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{down: 7}
		calls := 0
		var log strings.Builder
		p, err := pipeline.New(newPolicy(t, all(), judge("correctness", func(context.Context, *event.Event) (eval.Verdict, error) { calls++; return fail, nil })),
			pipeline.Deps{Redactor: w, Keeper: w, Recorder: w, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Handle(t.Context(), message(body)); err != nil {
			t.Fatal(err)
		}
		if calls != 1 || len(w.offers) != 8 || len(w.reports) != 1 {
			t.Errorf("calls %d, offers %d, reports %d; want 1, 8, 1", calls, len(w.offers), len(w.reports))
		}
		if n := strings.Count(log.String(), "store is down"); n != 1 || !strings.Contains(log.String(), "store is back") {
			t.Errorf("log says down %d times:\n%s", n, log.String())
		}
		if s, _ := p.StoreDown(); !s.IsZero() {
			t.Errorf("status after recovery: %+v", s)
		}

		w.down = 1 << 30
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		done := make(chan error, 1)
		go func() { done <- p.Handle(ctx, message(body)) }()
		synctest.Wait()
		if s, err := p.StoreDown(); s.IsZero() || err == nil {
			t.Errorf("status while down: %+v", s)
		}
		if err := <-done; !errors.Is(err, context.DeadlineExceeded) || eval.IsPermanent(err) || len(w.reports) != 1 {
			t.Errorf("when the context ends: %v, reports %d", err, len(w.reports))
		}
		if s, _ := p.StoreDown(); !s.IsZero() {
			t.Errorf("down since %v although no event waits: nothing would notice that the store is back", s)
		}
	})
}

// TestStoppedWorker: the verdicts of a worker that lost its partition are dropped;
// the message stays uncommitted.
func TestStoppedWorker(t *testing.T) {
	t.Parallel()
	w := &world{}
	ctx, cancel := context.WithCancel(t.Context())
	p := newPipeline(t, w, all(), judge("correctness", func(ctx context.Context, _ *event.Event) (eval.Verdict, error) {
		cancel()
		return eval.Verdict{}, ctx.Err()
	}))
	if err := p.Handle(ctx, message(body)); !errors.Is(err, context.Canceled) || len(w.reports) != 0 || len(w.offers) != 0 {
		t.Errorf("err %v, reports %d, offers %d", err, len(w.reports), len(w.offers))
	}
}

// TestComplaints: an outage of a model is logged in one line a minute with a count,
// and cancelled work in none.
func TestComplaints(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		var log strings.Builder
		reason := eval.ReasonAuth
		p, err := pipeline.New(newPolicy(t, all(), judge("correctness", func(context.Context, *event.Event) (eval.Verdict, error) {
			return eval.Verdict{}, eval.WithReason(reason, errors.New("401"))
		})), pipeline.Deps{Redactor: w, Keeper: w, Recorder: w, Log: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		handle := func(times int) {
			for range times {
				if err := p.Handle(t.Context(), message(body)); err != nil {
					t.Fatal(err)
				}
			}
		}
		handle(5)
		if n := strings.Count(log.String(), "evaluations fail"); n != 1 || !strings.Contains(log.String(), "reason=auth") {
			t.Errorf("%d lines:\n%s", n, log.String())
		}
		<-time.After(2 * time.Minute) // of the bubble's clock
		handle(1)
		if !strings.Contains(log.String(), "count=5") { // the four that were held back, and this one
			t.Errorf("no count:\n%s", log.String())
		}
		reason = eval.ReasonCanceled
		handle(1)
		if strings.Contains(log.String(), "canceled") {
			t.Errorf("stopped work is complained about:\n%s", log.String())
		}
	})
}

// TestOneDecision: what Skip and Handle decide together keeps each event with the
// probability that its verdict carries, whatever trace the headers name: the body's,
// that of the publishing instead of it or beside it, or none.
func TestOneDecision(t *testing.T) {
	t.Parallel()
	const events, rate = 4000, 0.5
	traceparent := func(r *rand.Rand) event.Header {
		return event.Header{Key: "traceparent", Value: fmt.Appendf(nil, "00-%016x%016x-%016x-01", r.Uint64(), r.Uint64(), r.Uint64())}
	}
	for name, change := range map[string]func(r *rand.Rand, hs []event.Header) []event.Header{
		"the body's": func(_ *rand.Rand, hs []event.Header) []event.Header { return hs },
		"another instead": func(r *rand.Rand, hs []event.Header) []event.Header {
			return append(slices.DeleteFunc(hs, func(h event.Header) bool { return h.Key == "traceparent" }), traceparent(r))
		},
		"another after it": func(r *rand.Rand, hs []event.Header) []event.Header { return append(hs, traceparent(r)) },
		"another before it": func(r *rand.Rand, hs []event.Header) []event.Header {
			return append([]event.Header{traceparent(r)}, hs...)
		},
		"another in Datadog's form": func(r *rand.Rand, hs []event.Header) []event.Header {
			return append(hs, event.Header{Key: "x-datadog-trace-id", Value: strconv.AppendUint(nil, r.Uint64(), 10)})
		},
		"none": func(*rand.Rand, []event.Header) []event.Header { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := &world{}
			p := newPipeline(t, w, sampler.Config{DefaultRate: rate, Salt: "test"}, judge("correctness", func(context.Context, *event.Event) (eval.Verdict, error) { return pass, nil }))
			r := rand.New(rand.NewPCG(3, 5))
			for i := range events {
				e := event.Event{
					Kind: event.KindRequestCompleted, RequestID: event.RequestID(strconv.Itoa(i)),
					TraceContext: event.TraceContext{"traceparent": string(traceparent(r).Value)},
				}
				value, err := json.Marshal(&e)
				if err != nil {
					t.Fatal(err)
				}
				m := event.Message{Value: value, Headers: change(r, e.Headers())}
				if p.Skip(&m) {
					continue
				}
				if err := p.Handle(t.Context(), m); err != nil {
					t.Fatal(err)
				}
			}
			weight := 0.0
			for _, report := range w.reports {
				weight += 1 / report.Verdicts[0].Probability
			}
			if kept := float64(len(w.reports)) / events; math.Abs(kept-rate) > 0.04 || math.Abs(weight/events-1) > 0.08 {
				t.Errorf("%.3f kept, which stand for %.0f of %d events", kept, weight, events)
			}
			if w.sampledOut+len(w.reports) != events {
				t.Errorf("%d sampled out and %d evaluated of %d", w.sampledOut, len(w.reports), events)
			}
		})
	}
}

// TestNamesAreRedactedWhateverThePlan: a report holds no names of people, whether any
// evaluator ran or not.
func TestNamesAreRedactedWhateverThePlan(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{0, 1} {
		p := newPipeline(t, &world{}, sampler.Config{Rules: []sampler.Rule{{Name: "all", Rate: rate}}}, rule("format", pass))
		r, err := p.Evaluate(t.Context(), []byte(`{"event":"llm_request_completed","request_id":"r1","prompt_name":"mail_to_jane"}`))
		if err != nil || len(r.Verdicts) != int(rate) || r.Event.PromptName != "mail_to_[name]" {
			t.Errorf("rate %g: prompt %q, %d verdicts, %v", rate, r.Event.PromptName, len(r.Verdicts), err)
		}
	}
}
