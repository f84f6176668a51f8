package replay_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/replay"
	"github.com/evalworker/evalworker/internal/testkit/leaks"
	"github.com/evalworker/evalworker/pipeline"
	"github.com/evalworker/evalworker/policy"
	"github.com/evalworker/evalworker/sampler"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// evaluator answers with a function.
type evaluator func(context.Context, *event.Event) (eval.Verdict, error)

func (evaluator) Name() string    { return "rule" }
func (evaluator) Type() eval.Type { return eval.TypeRule }
func (evaluator) Version() string { return "v1" }

func (f evaluator) Evaluate(ctx context.Context, e *event.Event) (eval.Verdict, error) {
	return f(ctx, e)
}

// noop is a recorder, a redactor and an archive that do nothing.
type noop struct{}

func (noop) Report(*eval.Report)                        {}
func (noop) Skipped(eval.Disposition, int)              {}
func (noop) Cases(*eval.Report, int)                    {}
func (noop) Names(e *event.Event) *event.Event          { return e }
func (noop) Event(e *event.Event) (*event.Event, error) { return e, nil }
func (noop) Offer(context.Context, *eval.Report, *event.Event) (int, error) {
	return 1, nil
}

// newPipeline runs one evaluator on every event but those of the feature "quiet".
func newPipeline(tb testing.TB, f evaluator) *pipeline.Pipeline {
	tb.Helper()
	s, err := sampler.New(sampler.Config{DefaultRate: 1}, []sampler.Evaluator{{Name: "rule", When: `feature != "quiet"`}})
	if err != nil {
		tb.Fatal(err)
	}
	pol := &policy.Policy{Sampler: s, Evaluators: []policy.Evaluator{{Evaluator: f}}}
	p, err := pipeline.New(pol, pipeline.Deps{Redactor: noop{}, Keeper: noop{}, Recorder: noop{}, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

func pass(context.Context, *event.Event) (eval.Verdict, error) {
	return eval.Verdict{Outcome: eval.OutcomePass, Score: 1}, nil
}

func newEvent(id int) string {
	return fmt.Sprintf(`{"event":"llm_request_completed","request_id":"r%d"}`, id)
}

// outcome is a result as tests compare it.
type outcome struct {
	Number      int
	ID          event.RequestID
	Disposition eval.Disposition
	Reason      string
	Bytes       int64
}

func collect(into *[]outcome) func(replay.Result) error {
	return func(r replay.Result) error {
		o := outcome{Number: r.Number, Disposition: r.Disposition(), Reason: r.Reason(), Bytes: r.Bytes}
		if r.Report != nil {
			o.ID = r.Report.Event.RequestID
		}
		*into = append(*into, o)
		return nil
	}
}

func TestLines(t *testing.T) {
	t.Parallel()
	const limit = 110
	exact := newEvent(1)[:len(newEvent(1))-1] + `,"x":"` + strings.Repeat("a", limit-len(newEvent(1))-len(`,"x":""`)) + `"}`
	good := func(number int, bytes int) outcome {
		return outcome{Number: number, ID: "r1", Disposition: eval.DispositionEvaluated, Bytes: int64(bytes)}
	}
	bad := func(number int, reason string, bytes int) outcome {
		return outcome{Number: number, Disposition: eval.DispositionDeadLettered, Reason: reason, Bytes: int64(bytes)}
	}
	one := len(newEvent(1))
	for name, c := range map[string]struct {
		in     string
		want   []outcome
		totals replay.Totals
	}{
		"nothing":                     {"", nil, replay.Totals{}},
		"one line":                    {newEvent(1) + "\n", []outcome{good(1, one+1)}, replay.Totals{Events: 1}},
		"no end of line":              {newEvent(1), []outcome{good(1, one)}, replay.Totals{Events: 1}},
		"line ends of Windows":        {newEvent(1) + "\r\n\r\n", []outcome{good(1, one+2)}, replay.Totals{Events: 1, Blank: 1}},
		"byte order mark":             {"\ufeff" + newEvent(1), []outcome{good(1, one+3)}, replay.Totals{Events: 1}},
		"blank lines keep the count":  {"\n \t\n" + newEvent(1) + "\n\n", []outcome{good(3, one+5)}, replay.Totals{Events: 1, Blank: 3}},
		"white space at the end":      {newEvent(1) + "\n  ", []outcome{good(1, one+1)}, replay.Totals{Events: 1}},
		"no JSON, and the rest":       {"level=info\n" + newEvent(1), []outcome{bad(1, "malformed: invalid JSON at byte 1: bare word", 11), good(2, 11+one)}, replay.Totals{Events: 2, Bad: 1}},
		"another event":               {`{"event":"page_viewed","request_id":"r1"}`, []outcome{bad(1, "unknown_event: event: not one of llm_request_completed, llm_user_feedback", 41)}, replay.Totals{Events: 1, Bad: 1}},
		"no id":                       {`{"event":"llm_request_completed"}`, []outcome{bad(1, "malformed: missing request_id", 33)}, replay.Totals{Events: 1, Bad: 1}},
		"as long as allowed":          {exact + "\n", []outcome{good(1, limit+1)}, replay.Totals{Events: 1}},
		"as long as allowed, no end":  {exact, []outcome{good(1, limit)}, replay.Totals{Events: 1}},
		"too long, and the rest":      {exact + " \n" + newEvent(1), []outcome{bad(1, "too_large: a line of 112 bytes, want at most 110", limit+2), good(2, limit+2+one)}, replay.Totals{Events: 2, Bad: 1}},
		"too long at the end":         {strings.Repeat("a", 200_000), []outcome{bad(1, "too_large: a line of 200000 bytes, want at most 110", 200_000)}, replay.Totals{Events: 1, Bad: 1}},
		"too long, of blanks":         {strings.Repeat(" ", 111) + "\n", []outcome{bad(1, "too_large: a line of 112 bytes, want at most 110", 112)}, replay.Totals{Events: 1, Bad: 1}},
		"what noop wants":             {`{"event":"llm_request_completed","request_id":"r1","feature":"quiet"}`, []outcome{{Number: 1, ID: "r1", Disposition: eval.DispositionUnwanted, Reason: "not wanted: no evaluator's condition holds", Bytes: 69}}, replay.Totals{Events: 1}},
		"two values are not one line": {newEvent(1) + newEvent(1), []outcome{bad(1, fmt.Sprintf("malformed: invalid JSON at byte %d: more than one value", one+1), 2*one)}, replay.Totals{Events: 1, Bad: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, in := range []io.Reader{strings.NewReader(c.in), iotest.OneByteReader(strings.NewReader(c.in)), iotest.DataErrReader(strings.NewReader(c.in))} {
				var got []outcome
				totals, err := replay.Run(t.Context(), newPipeline(t, pass), in, replay.Config{Concurrency: 3, MaxLineBytes: limit}, collect(&got))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("results (-want +got):\n%s", diff)
				}
				if totals != c.totals {
					t.Errorf("totals %+v, want %+v", totals, c.totals)
				}
			}
		})
	}
}

func TestVerdictsAreThoseOfThePipeline(t *testing.T) {
	t.Parallel()
	fail := func(context.Context, *event.Event) (eval.Verdict, error) {
		return eval.Verdict{Outcome: eval.OutcomeFail, Reason: "no reply"}, nil
	}
	_, err := replay.Run(t.Context(), newPipeline(t, fail), strings.NewReader(newEvent(1)), replay.Config{}, func(r replay.Result) error {
		if r.Report == nil || len(r.Report.Verdicts) != 1 || r.Report.Verdicts[0].Reason != "no reply" || r.Report.Verdicts[0].Eval != "rule" {
			t.Errorf("report %+v", r.Report)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestOrder: the first event ends last, and is still reported first. Exactly as
// many events as allowed are in flight.
func TestOrder(t *testing.T) {
	t.Parallel()
	for _, concurrency := range []int{1, 2, 7} {
		t.Run(fmt.Sprint(concurrency), func(t *testing.T) {
			t.Parallel()
			const events = 50
			synctest.Test(t, func(t *testing.T) {
				var now, most atomic.Int64
				gate := make(chan struct{})
				slowFirst := func(ctx context.Context, e *event.Event) (eval.Verdict, error) {
					n := now.Add(1)
					for {
						m := most.Load()
						if n <= m || most.CompareAndSwap(m, n) {
							break
						}
					}
					if e.RequestID == "r0" {
						<-gate
					}
					now.Add(-1)
					return pass(ctx, e)
				}
				var in strings.Builder
				for i := range events {
					in.WriteString(newEvent(i) + "\n")
				}
				var got []event.RequestID
				var running sync.WaitGroup
				running.Go(func() {
					if _, err := replay.Run(t.Context(), newPipeline(t, slowFirst), strings.NewReader(in.String()), replay.Config{Concurrency: concurrency}, func(r replay.Result) error {
						got = append(got, r.Report.Event.RequestID)
						return nil
					}); err != nil {
						t.Error(err)
					}
				})
				synctest.Wait() // all that may begin has begun
				if now.Load() != 1 {
					t.Errorf("%d events in flight beside the first", now.Load()-1)
				}
				close(gate)
				running.Wait()
				for i, id := range got {
					if want := event.RequestID(fmt.Sprintf("r%d", i)); id != want {
						t.Fatalf("result %d is that of %s", i, id)
					}
				}
				if len(got) != events || most.Load() > int64(concurrency) {
					t.Errorf("%d results, up to %d at once; want %d and %d", len(got), most.Load(), events, concurrency)
				}
			})
		})
	}
}

// TestBounded: while nothing ends, only the lines in flight and one more are read.
func TestBounded(t *testing.T) {
	t.Parallel()
	const concurrency = 5
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		begun := atomic.Int64{}
		stuck := func(ctx context.Context, _ *event.Event) (eval.Verdict, error) {
			begun.Add(1)
			<-ctx.Done()
			return eval.Verdict{}, ctx.Err()
		}
		lines := &endless{}
		var running sync.WaitGroup
		running.Go(func() {
			totals, err := replay.Run(ctx, newPipeline(t, stuck), lines, replay.Config{Concurrency: concurrency}, func(replay.Result) error {
				t.Error("a result of an event that did not end")
				return nil
			})
			if !errors.Is(err, context.Canceled) || totals.Events != concurrency+1 {
				t.Errorf("%+v, %v", totals, err)
			}
		})
		synctest.Wait()
		// One line more is held by the reader, which has asked for one more still.
		if begun.Load() != concurrency || lines.given.Load() > concurrency+2 {
			t.Errorf("%d events begun, %d lines read", begun.Load(), lines.given.Load())
		}
		cancel()
		running.Wait()
	})
}

// endless returns one event per Read, forever.
type endless struct{ given atomic.Int64 }

func (e *endless) Read(p []byte) (int, error) {
	return copy(p, newEvent(int(e.given.Add(1)))+"\n"), nil
}

var errBroken = errors.New("broken")

func TestReaderError(t *testing.T) {
	t.Parallel()
	// Half a line is not evaluated.
	in := io.MultiReader(strings.NewReader(newEvent(1)+"\n"+newEvent(2)[:20]), iotest.ErrReader(errBroken))
	var got []outcome
	totals, err := replay.Run(t.Context(), newPipeline(t, pass), in, replay.Config{}, collect(&got))
	if !errors.Is(err, errBroken) || !strings.Contains(err.Error(), "read line 2") {
		t.Errorf("error %v", err)
	}
	if len(got) != 1 || totals != (replay.Totals{Events: 1}) {
		t.Errorf("%+v, %+v", got, totals)
	}
}

// TestCallerError: a caller that returns an error for a report gets no more
// reports.
func TestCallerError(t *testing.T) {
	t.Parallel()
	calls := 0
	_, err := replay.Run(t.Context(), newPipeline(t, pass), &endless{}, replay.Config{Concurrency: 4}, func(replay.Result) error {
		if calls++; calls == 3 {
			return errBroken
		}
		return nil
	})
	if !errors.Is(err, errBroken) || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	calls := 0
	_, err := replay.Run(ctx, newPipeline(t, pass), &endless{}, replay.Config{}, func(replay.Result) error {
		if calls++; calls == 3 {
			cancel(errBroken)
		}
		return nil
	})
	if !errors.Is(err, errBroken) || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
}

// TestCancelBeforeTheFirstLine: a replay that may not begin reads nothing.
func TestCancelBeforeTheFirstLine(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	lines := &endless{}
	totals, err := replay.Run(ctx, newPipeline(t, pass), lines, replay.Config{}, func(replay.Result) error { return errBroken })
	if !errors.Is(err, context.Canceled) || totals != (replay.Totals{}) || lines.given.Load() > 0 {
		t.Errorf("%+v, %v, %d lines read", totals, err, lines.given.Load())
	}
}

func BenchmarkRun(b *testing.B) {
	p := newPipeline(b, pass)
	in := strings.Repeat(newEvent(1)+"\n", 1000)
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := replay.Run(b.Context(), p, strings.NewReader(in), replay.DefaultConfig(), func(replay.Result) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// TestWarnings: a result says what of its line is not read. A case has members of its own.
func TestWarnings(t *testing.T) {
	t.Parallel()
	in := strings.Join([]string{
		`{"event":"llm_request_completed","request_id":"a","promt_version":"7","latency":1.4}`,
		`{"event":"llm_request_completed","request_id":"b","usage":{"prompt_tokens":1}}`,
		`{"case_id":"c","verdict":{"eval":"x"},"request_id":"c","output":"a"}`,
		`{"promt_version":"7"}`,
	}, "\n")
	var got []string
	_, err := replay.Run(t.Context(), newPipeline(t, pass), strings.NewReader(in), replay.Config{}, func(r replay.Result) error {
		got = append(got, fmt.Sprint(r.Warnings))
		return nil
	})
	if want := `unknown field "promt_version", did you mean "prompt_version"?; latency: a number without a unit, write llm_latency_ms`; err != nil ||
		len(got) != 4 || got[0] != want || got[1] != "" || got[2] != "" || got[3] != "" {
		t.Errorf("%q, %v", got, err)
	}
}
