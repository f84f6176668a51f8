package pipeline_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/pipeline"
)

// TestAgain: an evaluation that waits for its model runs again. The wait does not use up
// its time limit, which is a second here, and what each run used is counted.
func TestAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		runs := 0
		pol := newPolicy(t, all(), judge("correctness", func(ctx context.Context, _ *event.Event) (eval.Verdict, error) {
			runs++
			v := eval.Verdict{Usage: &eval.Usage{Calls: 1, InputTokens: 10}}
			if deadline, ok := ctx.Deadline(); !ok || time.Until(deadline) != time.Second {
				t.Errorf("run %d has %v", runs, time.Until(deadline))
			}
			if runs < 3 {
				return v, eval.WithReason(eval.ReasonUnavailable, errors.New("down"))
			}
			v.Outcome, v.Score = eval.OutcomePass, 1
			return v, nil
		}))
		asked := 0
		pol.Evaluators[0].Again = func() func(context.Context, <-chan struct{}, error) bool {
			asked++
			return func(_ context.Context, released <-chan struct{}, err error) bool {
				select {
				case <-released:
					t.Error("released without another policy")
				case <-time.After(time.Hour):
				}
				return eval.ReasonOf(err) == eval.ReasonUnavailable
			}
		}
		w := &world{}
		p, err := pipeline.New(pol, pipeline.Deps{Redactor: w, Keeper: w, Recorder: w, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Handle(t.Context(), message(body)); err != nil {
			t.Fatal(err)
		}
		v := w.reports[0].Verdicts[0]
		if runs != 3 || asked != 1 || v.Outcome != eval.OutcomePass || v.Usage.Calls != 3 || v.Usage.InputTokens != 30 {
			t.Errorf("%d runs of %d evaluations: %+v, usage %+v", runs, asked, v, v.Usage)
		}
	})
}

// causeError is an error that names its cause.
type causeError string

func (e causeError) Error() string { return string(e) }
func (e causeError) Cause() string { return string(e) }

// TestChangedCause: what fails for another cause is a line of its own within the minute.
func TestChangedCause(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	causes := []string{"the connection was closed", "the connection was closed", "the certificate ended", "the connection was closed"}
	next := 0
	pol := newPolicy(t, all(), judge("correctness", func(context.Context, *event.Event) (eval.Verdict, error) {
		next++
		return eval.Verdict{}, eval.WithReason(eval.ReasonUnavailable, causeError(causes[next-1]))
	}))
	w := &world{}
	p, err := pipeline.New(pol, pipeline.Deps{Redactor: w, Keeper: w, Recorder: w, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for range causes {
		if err := p.Handle(t.Context(), message(body)); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(log.String(), "evaluations fail"); n != 2 || !strings.Contains(log.String(), "the certificate ended") {
		t.Errorf("%d lines, want one for each cause:\n%s", n, log.String())
	}
}
