package judges

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/testkit/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

var update = flag.Bool("update", false, "write the golden files")

// golden compares got with the file, or updates the file with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); run go test -update if the change is meant:\n%s", file, diff)
	}
}

// rubric parses a rubric.
func rubric(tb testing.TB, yaml string) *Rubric {
	tb.Helper()
	r, faults := parseRubric("test.yaml", "test", []byte(yaml))
	if err := faults.Err(); err != nil {
		tb.Fatal(err)
	}
	return r
}

const twoCriteria = `
needs: [input, output]
criteria:
  - {id: accurate, question: Is it accurate?, evidence: {fail: output}}
  - {id: complete, question: Is it complete?}
`

// newEvent returns an event of a small support chat.
func newEvent() *event.Event {
	return &event.Event{
		Kind: event.KindRequestCompleted, RequestID: "req-1",
		Input:  event.Text("How long does delivery take?"),
		Output: event.Text("Delivery takes two to four days."),
	}
}

// says returns a model that always answers the same.
func says(text string) ModelFunc {
	return func(context.Context, Request) (Answer, error) {
		return Answer{Text: text, Usage: eval.Usage{Model: "scripted", Calls: 1, InputTokens: 100, OutputTokens: 10, CostKnown: true}}, nil
	}
}

// answer encodes an answer from id, evidence, reason and verdict of each criterion.
func answer(fields ...string) string {
	type item struct {
		ID       string `json:"id"`
		Evidence string `json:"evidence"`
		Reason   string `json:"reason"`
		Verdict  string `json:"verdict"`
	}
	var out struct {
		Criteria []item `json:"criteria"`
	}
	for i := 0; i+3 < len(fields); i += 4 {
		out.Criteria = append(out.Criteria, item{fields[i], fields[i+1], fields[i+2], fields[i+3]})
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	return string(b)
}

var bothPass = answer("accurate", "", "fits", "pass", "complete", "", "all there", "pass")
