package replay_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/replay"
)

// TestFeedbackAfterItsRequest: feedback finds its request on any line before, though
// lines are read and evaluated at the same time; other lines do not wait.
func TestFeedbackAfterItsRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPipeline(t, pass)
		p.RememberRequests()
		lines := []string{
			`{"event":"llm_user_feedback","request_id":"r1","user_rating":"up"}`, // its request comes later
			`{"event":"llm_request_completed","request_id":"r1","prompt_name":"triage","prompt_version":"3"}`,
			`{"event":"llm_request_completed","request_id":"r2","prompt_name":"triage","prompt_version":"4"}`,
			`{"event":"llm_user_feedback","request_id":"r2","user_rating":"down"}`,
			`{"event":"llm_user_feedback","request_id":"r1","user_rating":"down"}`,
		}
		var began [6]time.Time
		cfg := replay.Config{Concurrency: len(lines), Prepare: func(number int, line []byte) []byte {
			began[number] = time.Now()
			if number == 2 || number == 3 {
				<-time.After(time.Second) // the requests are read late
			}
			return line
		}}
		var got []string
		_, err := replay.Run(t.Context(), p, strings.NewReader(strings.Join(lines, "\n")), cfg, func(r replay.Result) error {
			if e := r.Report.Event; e.Kind == event.KindUserFeedback {
				got = append(got, fmt.Sprint(r.Number, " ", e.PromptVersion))
			}
			return nil
		})
		if err != nil || strings.Join(got, ", ") != "1 , 4 4, 5 3" {
			t.Errorf("versions of feedback by line: %q, %v", got, err)
		}
		if !began[2].Equal(began[3]) || began[4].Sub(began[3]) != time.Second || !began[4].Equal(began[5]) {
			t.Errorf("lines began at %v", began[1:])
		}
	})
}

// TestFeedbackStops: a replay that is stopped does not wait for what feedback waits for.
func TestFeedbackStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p := newPipeline(t, func(ctx context.Context, _ *event.Event) (eval.Verdict, error) {
			<-ctx.Done()
			return eval.Verdict{}, ctx.Err()
		})
		lines := newEvent(1) + "\n" + `{"event":"llm_user_feedback","request_id":"r1","user_rating":"down"}`
		_, err := replay.Run(ctx, p, strings.NewReader(lines), replay.Config{}, func(replay.Result) error { return nil })
		if err == nil {
			t.Error("a replay that was stopped ended well")
		}
	})
}
