package model

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/testkit/leaks"
	"github.com/evalworker/evalworker/judges"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// onePass is an answer that passes one criterion, bothPassed one that passes
// both of supportJudge.
const (
	onePass    = `{"criteria":[{"id":"accurate","evidence":"","reason":"","verdict":"pass"}]}`
	bothPassed = `{"criteria":[{"id":"accurate","evidence":"","reason":"fits","verdict":"pass"},{"id":"complete","evidence":"","reason":"all there","verdict":"pass"}]}`
)

// supportJudge is a judge of two criteria over a model.
func supportJudge(t *testing.T, m judges.Model) *judges.Judge {
	t.Helper()
	j, err := judges.New(judges.Config{Name: "test"}, &judges.Rubric{
		Name: "test", Needs: []string{"input", "output"}, Aggregation: "all", NoSubstance: eval.OutcomeFail.String(),
		Criteria: []judges.Criterion{
			{ID: "accurate", Question: "Is it accurate?", Evidence: judges.Evidence{Fail: "output"}},
			{ID: "complete", Question: "Is it complete?"},
		},
	}, m)
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// supportEvent is an event of a small support chat.
func supportEvent(output string) *event.Event {
	return &event.Event{
		Kind: event.KindRequestCompleted, RequestID: "req-1",
		Input:  event.Text("How long does delivery take?"),
		Output: event.Text(output),
	}
}

const inDays = "Delivery takes two to four days."

// testKey builds the key at run time, so that no file holds anything that looks
// like a key.
func testKey() string { return "sk-" + strings.Repeat("q7", 20) }

// endpoint returns an endpoint of a test server: one attempt, no rate limit.
func endpoint(t *testing.T, h http.Handler, change func(*Config, *Deps)) *Endpoint {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	cfg := DefaultConfig()
	cfg.BaseURL, cfg.APIKey = srv.URL+"/v1", secret.String(testKey())
	cfg.RequestsPerMinute, cfg.MaxAttempts, cfg.Timeout = 0, 1, 30*time.Second
	deps := Deps{Getenv: func(string) string { return "" }}
	if change != nil {
		change(&cfg, &deps)
	}
	m, err := New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// schema has its keys in an order that is not alphabetical.
const schema = `{"type":"object","properties":{"id":{"type":"string"},"evidence":{"type":"string"},"reason":{"type":"string"},"verdict":{"type":"string"}}}`

// ask returns a request like a judge's.
func ask() judges.Request {
	return judges.Request{Eval: "test", System: "You judge.", User: `{"data":{}}`, Schema: json.RawMessage(schema)}
}

// completion returns the body of a reply with this message.
func completion(message string) string {
	return `{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"finish_reason":"stop","message":` + message +
		`}],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":110}}`
}

func said(text string) string {
	b, err := json.Marshal(map[string]string{"role": "assistant", "content": text})
	if err != nil {
		panic(err)
	}
	return completion(string(b))
}

// sleep waits, or returns the context's error.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
