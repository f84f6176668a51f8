package demo

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/scenario"
	"github.com/evalworker/evalworker/internal/summary"
)

// TestOldClient: for every seed a few bodies among 2,000 cannot be read, all with
// headers that ask for an evaluation.
func TestOldClient(t *testing.T) {
	t.Parallel()
	s, err := scenario.Load("regressed")
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(6) {
		n, dead := 0, []summary.DeadLetters(nil)
		for m, err := range messages(s, seed, 2000, start()) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; m.body == nil {
				continue
			}
			if m.event.Status != "success" {
				t.Errorf("seed %d: the old client logs a request with the status %s", seed, m.event.Status)
			}
			if !strings.Contains(string(m.body), string(m.event.RequestID)) {
				t.Errorf("seed %d: body and headers are of different requests", seed)
			}
			dead = countUnreadable(dead, m.body)
		}
		if n != 2000 || len(dead) != 1 || dead[0].Reason != eval.ReasonMalformed || dead[0].Count < 4 || dead[0].Count > 5 {
			t.Errorf("seed %d: %d messages, dead letters %+v", seed, n, dead)
		}
	}
}

// TestOldClientChangesNoOther: the events around an unreadable one are those of
// the scenario.
func TestOldClientChangesNoOther(t *testing.T) {
	t.Parallel()
	s, err := scenario.Load("healthy")
	if err != nil {
		t.Fatal(err)
	}
	var want, got []event.RequestID
	for e := range s.Events(9, scenario.Options{Start: start()}) {
		if want = append(want, e.RequestID); len(want) == 900 {
			break
		}
	}
	for m, err := range messages(s, 9, 900, start()) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.event.RequestID)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("requests (-scenario +traffic):\n%s", diff)
	}
}

func TestNoTraffic(t *testing.T) {
	t.Parallel()
	s, err := scenario.Load("healthy")
	if err != nil {
		t.Fatal(err)
	}
	for range messages(s, 1, 0, start()) { //nolint:errcheck // a sequence, not an error
		t.Fatal("a message where none is wanted")
	}
}

func TestNoteIgnoresWhatCanBeRead(t *testing.T) {
	t.Parallel()
	if dead := countUnreadable(nil, []byte(`{"event":"llm_request_completed","request_id":"r1"}`)); dead != nil {
		t.Errorf("dead letters: %+v", dead)
	}
}
