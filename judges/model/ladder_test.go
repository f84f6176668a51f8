package model

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/judges"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func rejected() error {
	return fail(eval.ReasonBadRequest, failure{status: 400, formatRejected: true, uncharged: true})
}

func TestLadder(t *testing.T) {
	t.Parallel()
	// supports returns a model that answers in JSON from a rung on; on earlier
	// rungs it rejects the format or answers in prose.
	supports := func(from string, reject bool, asked *[]string) judges.ModelFunc {
		return func(_ context.Context, r judges.Request) (judges.Answer, error) {
			*asked = append(*asked, r.Format)
			usage := eval.Usage{Calls: 1, InputTokens: 10}
			switch {
			case r.Format == from:
				return judges.Answer{Text: "{}", Usage: usage}, nil
			case reject:
				return judges.Answer{Usage: eval.Usage{Calls: 1}}, rejected()
			}
			return judges.Answer{Text: "I would say it passes.", Usage: usage}, nil
		}
	}
	tests := map[string]struct {
		first, from string
		reject      bool
		calls       int
		want        []string
	}{
		"supported":             {judges.FormatSchema, judges.FormatSchema, true, 2, []string{judges.FormatSchema, judges.FormatSchema}},
		"rejected once for all": {judges.FormatSchema, judges.FormatObject, true, 2, []string{judges.FormatSchema, judges.FormatObject, judges.FormatObject}},
		"down to the last":      {judges.FormatSchema, judges.FormatFenced, true, 2, []string{judges.FormatSchema, judges.FormatObject, judges.FormatFenced, judges.FormatFenced}},
		"begins where told":     {judges.FormatObject, judges.FormatObject, true, 1, []string{judges.FormatObject}},
		"one answer in prose":   {judges.FormatSchema, judges.FormatObject, false, 1, []string{judges.FormatSchema, judges.FormatObject}},
		"prose twice":           {judges.FormatSchema, judges.FormatObject, false, 3, []string{judges.FormatSchema, judges.FormatObject, judges.FormatSchema, judges.FormatObject, judges.FormatObject}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var asked []string
			cfg := config()
			cfg.Format = tt.first
			l := newFormatLadder(supports(tt.from, tt.reject, &asked), cfg, quiet())
			var usage eval.Usage
			for range tt.calls {
				a, err := l.Complete(t.Context(), ask())
				if err != nil {
					t.Fatal(err)
				}
				usage = judges.AddUsage(usage, a.Usage)
			}
			if diff := cmp.Diff(tt.want, asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if usage.Calls != len(asked) || usage.Format != tt.want[len(tt.want)-1] {
				t.Errorf("usage = %+v; want every call counted and the last format", usage)
			}
		})
	}
}

func TestLadderForgetsProseAfterAnAnswer(t *testing.T) {
	t.Parallel()
	texts := []string{"{}", "prose", "{}", "prose", "{}", "prose"}
	l := newFormatLadder(judges.ModelFunc(func(_ context.Context, r judges.Request) (judges.Answer, error) {
		if r.Format != judges.FormatSchema {
			t.Errorf("asked for %s", r.Format)
		}
		text := texts[0]
		texts = texts[1:]
		return judges.Answer{Text: text}, nil
	}), config(), quiet())
	for len(texts) > 0 {
		if _, err := l.Complete(t.Context(), ask()); err != nil {
			t.Fatal(err)
		}
	}
}

// A good answer between two bad ones resets the count, even if it was asked for before
// both.
func TestLadderForgetsProseWhileCallsOverlap(t *testing.T) {
	t.Parallel()
	var asked sync.WaitGroup
	gate := make(chan struct{})
	l := newFormatLadder(judges.ModelFunc(func(_ context.Context, r judges.Request) (judges.Answer, error) {
		if r.Eval == "good" {
			asked.Done()
			<-gate
			return judges.Answer{Text: "{}"}, nil
		}
		return judges.Answer{}, nil
	}), config(), quiet())
	var good sync.WaitGroup
	asked.Add(50)
	for range 50 {
		good.Go(func() { _, _ = l.Complete(t.Context(), judges.Request{Eval: "good"}) })
	}
	asked.Wait()
	_, _ = l.Complete(t.Context(), judges.Request{Eval: "bad"})
	close(gate)
	good.Wait()
	if a, _ := l.Complete(t.Context(), judges.Request{Eval: "bad"}); a.Usage.Format != judges.FormatSchema {
		t.Errorf("asked for %s; want %s", a.Usage.Format, judges.FormatSchema)
	}
}

// One odd event does not change the format for all others, even if it is the first and
// is asked about twice.
func TestOneEventTakesNoRung(t *testing.T) {
	t.Parallel()
	m := newFormatLadder(judges.ModelFunc(func(_ context.Context, r judges.Request) (judges.Answer, error) {
		if strings.Contains(r.User, "ODD") {
			return judges.Answer{Text: "I would rather talk about it."}, nil
		}
		return judges.Answer{Text: bothPassed}, nil
	}), config(), quiet())
	j := supportJudge(t, m)
	odd := supportEvent("ODD")
	for _, e := range []*event.Event{odd, supportEvent(inDays), odd, odd, supportEvent(inDays)} {
		v, err := j.Evaluate(t.Context(), e)
		if (err != nil) != (e == odd) || err == nil && v.Usage.Format != judges.FormatSchema {
			t.Fatalf("verdict = %+v, err = %v; want the others asked by %s", v, err, judges.FormatSchema)
		}
	}
}

// A proven rung is left when the server later rejects or ignores its format.
func TestLadderLeavesARungThatWorksNoMore(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"rejects": rejected(), "ignores": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			l := newFormatLadder(judges.ModelFunc(func(_ context.Context, r judges.Request) (judges.Answer, error) {
				if calls++; calls == 1 || r.Format != judges.FormatSchema {
					return judges.Answer{Text: "{}"}, nil
				}
				return judges.Answer{Text: "prose"}, err
			}), config(), quiet())
			for n := range maxFailuresProven + 1 {
				if _, err := l.Complete(t.Context(), ask()); err != nil {
					t.Fatalf("question %d: %v", n+1, err)
				}
				want := judges.FormatSchema
				if n == maxFailuresProven {
					want = judges.FormatObject
				}
				if got := l.format(); got != want {
					t.Fatalf("the ladder is on %s after question %d; want %s", got, n+1, want)
				}
			}
		})
	}
}

func TestLadderLeavesOtherErrorsAlone(t *testing.T) {
	t.Parallel()
	s := &sequence{errs: []error{fail(eval.ReasonBadRequest, failure{status: 400})}}
	l := newFormatLadder(s, config(), quiet())
	if _, err := l.Complete(t.Context(), ask()); eval.ReasonOf(err) != eval.ReasonBadRequest || s.calls != 1 {
		t.Errorf("err = %v after %d calls; want bad_request after one", err, s.calls)
	}
}

// Many callers that fail at once descend one rung together, not one each.
func TestLadderDescendsOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	l := newFormatLadder(judges.ModelFunc(func(_ context.Context, r judges.Request) (judges.Answer, error) {
		if r.Format == judges.FormatSchema {
			return judges.Answer{}, rejected()
		}
		return judges.Answer{Text: "{}"}, nil
	}), config(), slog.New(slog.NewTextHandler(&log, nil)))
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			a, err := l.Complete(context.Background(), ask())
			if err != nil || a.Usage.Format != judges.FormatObject {
				t.Errorf("format = %s, err = %v", a.Usage.Format, err)
			}
		})
	}
	wg.Wait()
	if n := strings.Count(log.String(), "answer format is not supported"); n != 1 {
		t.Errorf("logged %d times; want once:\n%s", n, log.String())
	}
}

// TestLadderTriesALostRungAgain: a rung that was given up is tried by one question
// every ten minutes, and is back when that gets an answer in its format.
func TestLadderTriesALostRungAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var asked []string
		broken := true
		l := newFormatLadder(judges.ModelFunc(func(_ context.Context, r judges.Request) (judges.Answer, error) {
			asked = append(asked, r.Format)
			if broken && r.Format == judges.FormatSchema {
				return judges.Answer{}, rejected()
			}
			return judges.Answer{Text: "{}"}, nil
		}), config(), quiet())
		step := func(wait time.Duration, want ...string) {
			t.Helper()
			_ = sleep(t.Context(), wait)
			asked = nil
			a, err := l.Complete(t.Context(), ask())
			if err != nil || a.Usage.Format != want[len(want)-1] {
				t.Errorf("format = %s, err = %v", a.Usage.Format, err)
			}
			if diff := cmp.Diff(want, asked); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
		}
		step(0, judges.FormatSchema, judges.FormatObject)
		step(rungRetry-1, judges.FormatObject)
		step(1, judges.FormatSchema, judges.FormatObject) // tried, in vain
		step(1, judges.FormatObject)
		broken = false
		step(rungRetry, judges.FormatSchema)
		step(0, judges.FormatSchema)
		if l.format() != judges.FormatSchema {
			t.Errorf("the ladder is on %s", l.format())
		}
	})
}

// An answer that did not arrive, or holds nothing, says nothing about the format.
func TestLadderStaysThroughBrokenAnswers(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]judges.ModelFunc{
		"no answer": func(context.Context, judges.Request) (judges.Answer, error) {
			return judges.Answer{}, fail(eval.ReasonUnavailable, failure{status: 200})
		},
		"empty": func(context.Context, judges.Request) (judges.Answer, error) { return judges.Answer{}, nil },
		"reasoning only": func(context.Context, judges.Request) (judges.Answer, error) {
			return judges.Answer{Text: "<think>So"}, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newFormatLadder(answer, config(), quiet())
			for range 2 * maxFailuresProven {
				_, _ = l.Complete(t.Context(), ask())
			}
			if l.format() != judges.FormatSchema {
				t.Errorf("the ladder is on %s", l.format())
			}
		})
	}
}

// A rejection on the last rung may be an odd answer: the question is asked once more.
func TestLadderAsksTheLastRungAgain(t *testing.T) {
	t.Parallel()
	s := &sequence{errs: []error{rejected(), rejected(), rejected(), nil}}
	l := newFormatLadder(s, config(), quiet())
	if _, err := l.Complete(t.Context(), ask()); err != nil || s.calls != 4 {
		t.Errorf("err = %v after %d calls; want an answer to the fourth", err, s.calls)
	}
	s = &sequence{errs: []error{rejected(), rejected(), rejected(), rejected(), rejected()}}
	l = newFormatLadder(s, config(), quiet())
	if _, err := l.Complete(t.Context(), ask()); eval.ReasonOf(err) != eval.ReasonBadRequest || s.calls != 4 {
		t.Errorf("err = %v after %d calls; want bad_request after four", err, s.calls)
	}
}

// TestFormatNote: the server enforces the schema only on the first rung; below it the
// prompt contains the schema.
func TestFormatNote(t *testing.T) {
	t.Parallel()
	const note = "\nThe object must satisfy this JSON Schema:\n" + schema + "\n"
	for format, want := range map[string]string{
		judges.FormatSchema: "",
		judges.FormatObject: note,
		judges.FormatFenced: note + "Put the object into one fenced code block that begins with ```json and ends with ```.\n",
	} {
		if got := formatNote(format, ask().Schema); got != want {
			t.Errorf("%s: got %q; want %q", format, got, want)
		}
	}
}
