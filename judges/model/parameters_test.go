package model

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/judges"
)

// refusing returns a learner over a server that refuses a request as long as refuses
// names a parameter of it.
func refusing(cfg Config, log *slog.Logger, refuses func(sent string) string) *parameterLearner {
	l := newParameterLearner(cfg, log)
	l.next = judges.ModelFunc(func(context.Context, judges.Request) (judges.Answer, error) {
		now, _ := l.settings()
		if p := refuses(string(now.members(cfg.MaxTokens))); p != "" {
			return judges.Answer{Usage: eval.Usage{Calls: 1}}, fail(eval.ReasonBadRequest, failure{status: 400, parameter: p, uncharged: true})
		}
		return judges.Answer{Text: "{}", Usage: eval.Usage{Calls: 1}}, nil
	})
	return l
}

// Many calls that are refused at once learn one lesson together.
func TestLessonsAreShared(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	cfg := config()
	cfg.Model = "house-judge"
	l := refusing(cfg, slog.New(slog.NewTextHandler(&log, nil)), func(sent string) string {
		if strings.Contains(sent, paramTemperature) {
			return paramTemperature
		}
		return ""
	})
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			if a, err := l.Complete(context.Background(), ask()); err != nil || a.Usage.Calls > 2 {
				t.Errorf("%d calls, err = %v", a.Usage.Calls, err)
			}
		})
	}
	wg.Wait()
	if n := strings.Count(log.String(), "does not take a parameter"); n != 1 {
		t.Errorf("logged %d times; want once:\n%s", n, log.String())
	}
	if a, err := l.Complete(t.Context(), ask()); err != nil || a.Usage.Calls != 1 {
		t.Errorf("%d calls after the lesson, err = %v; want one", a.Usage.Calls, err)
	}
}

// A server that takes no form of a parameter is not asked for ever.
func TestLessonsEnd(t *testing.T) {
	t.Parallel()
	for name, refuses := range map[string]func(string) string{
		"either name in turn": func(sent string) string {
			if strings.Contains(sent, paramMaxCompletionTokens) {
				return paramMaxCompletionTokens
			}
			return paramMaxTokens
		},
		"what is not sent": func(string) string { return paramSeed },
		"thinking":         func(string) string { return paramThinking },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := config()
			cfg.Model, cfg.Seed = "house-judge", nil
			l := refusing(cfg, quiet(), refuses)
			for range 3 {
				a, err := l.Complete(t.Context(), ask())
				if asFailure(err).status != 400 || a.Usage.Calls > maxLessons+1 {
					t.Errorf("%d calls, err = %v", a.Usage.Calls, err)
				}
			}
			if a, _ := l.Complete(t.Context(), ask()); a.Usage.Calls != 1 {
				t.Errorf("%d calls when nothing is left to learn; want one", a.Usage.Calls)
			}
		})
	}
}

// What the configuration says of reasoning is not learned otherwise.
func TestReasoningFalseStays(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Model, cfg.Reasoning = "house-judge", new(false)
	l := refusing(cfg, quiet(), func(sent string) string {
		if strings.Contains(sent, `"`+paramMaxTokens+`"`) {
			return paramMaxTokens
		}
		return ""
	})
	if _, err := l.Complete(t.Context(), ask()); err != nil {
		t.Fatal(err)
	}
	now, _ := l.settings()
	if now.thinks || now.temperature == nil || now.bound != paramMaxCompletionTokens {
		t.Errorf("%+v; want the other name, with a temperature and no room to think", now)
	}
}
