package replay_test

import (
	"encoding/json"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/replay"
)

func TestComplete(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`{"event":"x","request_id":"r1"}`:             `{"event":"x","request_id":"r1"}`,
		`{"output":"a"}`:                              `{"event":"llm_request_completed","request_id":"line-7","output":"a"}`,
		`{"id":"q-1","output":"a"}`:                   `{"event":"llm_request_completed","request_id":"q-1","id":"q-1","output":"a"}`,
		`{"id":12,"output":"a"}`:                      `{"event":"llm_request_completed","request_id":"12","id":12,"output":"a"}`,
		`{"id":null,"output":"a"}`:                    `{"event":"llm_request_completed","request_id":"line-7","id":null,"output":"a"}`,
		`{"id":"","output":"a"}`:                      `{"event":"llm_request_completed","request_id":"line-7","id":"","output":"a"}`,
		`{"request_id":"r1"}`:                         `{"event":"llm_request_completed","request_id":"r1"}`,
		`{"requestId":"r1"}`:                          `{"event":"llm_request_completed","requestId":"r1"}`,
		`{"event":"x","requestId":"r1"}`:              `{"event":"x","requestId":"r1"}`,
		`{"event":"llm_user_feedback"}`:               `{"request_id":"line-7","event":"llm_user_feedback"}`,
		`{"input":{"event":"x"}, "e\u0076ent" : "y"}`: `{"request_id":"line-7","input":{"event":"x"}, "e\u0076ent" : "y"}`,
		`{}`:         `{"event":"llm_request_completed","request_id":"line-7"}`,
		` { } `:      `{"event":"llm_request_completed","request_id":"line-7" }`,
		`[1]`:        `[1]`,
		`level=info`: `level=info`,
		``:           ``,
	} {
		if got := string(replay.Complete(7, []byte(in))); got != want {
			t.Errorf("%s:\n got %s\nwant %s", in, got, want)
		}
	}
}

// FuzzComplete: a JSON object stays one and names its request.
func FuzzComplete(f *testing.F) {
	f.Add([]byte(`{"id":1e5,"output":"a"}`))
	f.Add([]byte(`{"a":{"event":1},"event":"llm_request_completed"`))
	f.Fuzz(func(t *testing.T, line []byte) {
		out := replay.Complete(3, line)
		var before, after map[string]json.RawMessage
		if json.Unmarshal(line, &before) != nil || before == nil {
			return
		}
		if err := json.Unmarshal(out, &after); err != nil || after["event"] == nil || after["request_id"] == nil && after["requestId"] == nil {
			t.Fatalf("%q became %q: %v", line, out, err)
		}
		if _, err := event.Decode(out); err == nil && len(after) < len(before) {
			t.Fatalf("%q lost members in %q", line, out)
		}
	})
}
