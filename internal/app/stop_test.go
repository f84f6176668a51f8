package app_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

// judgePolicy has one judge that sees everything.
const judgePolicy = `
models:
  default: {model: judge-small, base_url: MODEL_URL, api_key: none, requests_per_minute: 0, max_attempts: 1}
evaluators:
  - {name: safety, type: llm_judge, rubric: safety, rate: 1}
`

// rulePolicy needs no model. Answers with "wrong" fail.
const rulePolicy = `
evaluators:
  - {name: no_wrong, type: contains, none: [wrong]}
`

// passing is the script of a model that passes everything.
func passing(r modelserver.Request) modelserver.Reply {
	var out []modelserver.Verdict
	for _, id := range r.Criteria {
		out = append(out, modelserver.Verdict{ID: id, Reason: "fine", Verdict: "pass"})
	}
	return modelserver.Answer(out)
}

// gate makes a model wait.
type gate struct {
	asked chan struct{} // one token a call that waits
	open  chan struct{} // closed to let all through
	once  sync.Once
}

// newGatedWorld makes a world whose model waits until the gate is released, at
// the latest by the end of the test.
func newGatedWorld(t *testing.T) (*world, *gate) {
	t.Helper()
	g := &gate{asked: make(chan struct{}, 100), open: make(chan struct{})}
	w := newWorld(t, g.script)
	t.Cleanup(g.release)
	return w, g
}

func (g *gate) release() { g.once.Do(func() { close(g.open) }) }

func (g *gate) script(r modelserver.Request) modelserver.Reply {
	g.asked <- struct{}{}
	<-g.open
	return passing(r)
}

// numbered returns so many events with ids of a prefix.
func numbered(prefix string, n int, output string) []event.Event {
	out := make([]event.Event, n)
	for i := range out {
		out[i] = event.Event{Kind: event.KindRequestCompleted, RequestID: event.RequestID(fmt.Sprintf("%s-%d", prefix, i)), Output: event.Text(output)}
	}
	return out
}

// once is the ledger's content when each event was evaluated exactly once.
func once(groups ...[]event.Event) map[event.RequestID]int {
	out := map[event.RequestID]int{}
	for _, g := range groups {
		for i := range g {
			out[g[i].RequestID] = 1
		}
	}
	return out
}

// get asks the worker's health server.
func (k *worker) get(path string) (status int, body string) {
	k.t.Helper()
	req, err := http.NewRequestWithContext(k.t.Context(), http.MethodGet, "http://"+k.HealthAddr()+path, nil)
	if err != nil {
		k.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		k.t.Fatalf("%s: %v", path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		k.t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// ready waits until /readyz says so, or says why not.
func (k *worker) ready(want int, line string) {
	k.t.Helper()
	eventually(k.t, fmt.Sprintf("/readyz %d with %q", want, line), func() bool {
		status, body := k.get("/readyz")
		return status == want && strings.Contains(body, line)
	})
}

// TestStopDrains: on SIGTERM the worker is not ready and fetches no more; what is
// in flight is finished, and nothing of it is done again by the next worker.
func TestStopDrains(t *testing.T) {
	t.Parallel()
	w, g := newGatedWorld(t)
	cfg := w.load(w.configure(judgePolicy))
	first := w.start(cfg)
	inFlight := numbered("in-flight", 6, "an answer")
	w.emit(t.Context(), inFlight...)
	for range inFlight {
		<-g.asked
	}
	first.ready(http.StatusOK, "ok")

	first.stop()
	first.ready(http.StatusServiceUnavailable, "worker: stopping")
	if status, _ := first.get("/livez"); status != http.StatusOK {
		t.Errorf("/livez = %d while draining: the worker would be killed", status)
	}
	later := numbered("later", 4, "an answer")
	w.emit(t.Context(), later...)
	if s := first.Status().Events; s.Consumed != 0 {
		t.Errorf("events %+v while the model has answered nothing", s)
	}
	g.release()
	first.halt()
	if s := first.Status().Events; s.Evaluated != 6 || s.Consumed != 6 {
		t.Errorf("events after the drain: %+v, want the 6 in flight", s)
	}

	second := w.start(w.load(w.configure(judgePolicy)))
	second.consumed(len(later))
	second.halt()
	if d := cmp.Diff(once(inFlight, later), w.seen.evaluated()); d != "" {
		t.Errorf("evaluations of two workers (-want +got):\n%s", d)
	}
	if s := second.Status().Events; s.Consumed != 4 || !s.Settled() {
		t.Errorf("events of the second worker: %+v, want 4", s)
	}
}

// TestStopGivesUp: events that do not finish in time are given back, as the error
// says, and the next worker evaluates them.
func TestStopGivesUp(t *testing.T) {
	t.Parallel()
	w, g := newGatedWorld(t)
	first := w.start(w.load(w.configure(judgePolicy, "shutdown: {grace: 100ms}")))
	events := numbered("event", 3, "an answer")
	w.emit(t.Context(), events...)
	for range events {
		<-g.asked
	}
	err := first.end()
	if err == nil || !strings.Contains(err.Error(), "3 messages were not finished within 100ms") {
		t.Errorf("error %v, want what others will do again", err)
	}
	if s := first.Status().Events; s.Consumed != 0 || len(w.seen.evaluated()) != 0 {
		t.Errorf("events %+v, reported %v: a verdict that a stop has caused", s, w.seen.evaluated())
	}
	g.release()
	second := w.start(w.load(w.configure(judgePolicy)))
	second.consumed(len(events))
	second.halt()
	if d := cmp.Diff(once(events), w.seen.evaluated()); d != "" {
		t.Errorf("evaluations (-want +got):\n%s", d)
	}
}

// TestTwoWorkers share the partitions, and each event is evaluated once.
func TestTwoWorkers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	cfg := w.load(w.configure(rulePolicy))
	other := *cfg
	other.Store.URL += ".other" // a file is one worker's
	a := w.start(cfg)
	b := w.start(&other)
	eventually(t, "each has half of the partitions", func() bool {
		return len(a.Status().Consumer.Partitions) == partitions/2 && len(b.Status().Consumer.Partitions) == partitions/2
	})
	events := numbered("event", 200, "an answer")
	w.emit(t.Context(), events...)
	eventually(t, "all events consumed", func() bool {
		return a.Status().Events.Consumed+b.Status().Events.Consumed >= int64(len(events))
	})
	a.halt()
	b.halt()
	if d := cmp.Diff(once(events), w.seen.evaluated()); d != "" {
		t.Errorf("evaluations (-want +got):\n%s", d)
	}
	if x, y := a.Status().Events, b.Status().Events; x.Consumed == 0 || y.Consumed == 0 || !x.Settled() || !y.Settled() {
		t.Errorf("events %+v and %+v, want both to have some", x, y)
	}
}
