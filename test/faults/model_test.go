package faults

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

// call is one question about one event.
type call struct {
	worker   string
	id       string // of the event
	begun    time.Time
	answered time.Time // zero: not answered, or not with a verdict
}

// question is a request to the model.
type question struct {
	worker string
	id     string
	modelserver.Request
}

// model is the server that every judge of a world asks. It keeps a log of all
// calls; an answered call counts as an evaluation.
type model struct {
	url string

	mu     sync.Mutex // guards all below
	answer func(question) modelserver.Reply
	calls  []call
	total  int // calls answered
}

// newModel starts a model that passes everything.
func newModel(t *testing.T) *model {
	t.Helper()
	m := &model{answer: withLatency(evenLatency)}
	mux := http.NewServeMux()
	mux.HandleFunc("/w/{worker}/v1/", m.serve)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	m.url = server.URL
	return m
}

// endpoint returns the base URL of the model for one worker, which identifies it.
func (m *model) endpoint(worker string) string { return m.url + "/w/" + worker + "/v1" }

// script changes how the model answers from now on.
func (m *model) script(answer func(question) modelserver.Reply) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = answer
}

func (m *model) serve(out http.ResponseWriter, r *http.Request) {
	c := call{worker: r.PathValue("worker"), begun: time.Now()}
	m.mu.Lock()
	answer := m.answer
	m.mu.Unlock()
	w := &answerWriter{ResponseWriter: out}
	handler := modelserver.New(func(q modelserver.Request) modelserver.Reply {
		input, _ := q.Data["input"].(string)
		c.id = eventID.FindString(input)
		return answer(question{worker: c.worker, id: c.id, Request: q})
	})
	http.StripPrefix("/w/"+c.worker, handler).ServeHTTP(w, r)
	// A worker that was gone before the answer was written has evaluated nothing.
	if w.status == http.StatusOK && w.err == nil && r.Context().Err() == nil {
		c.answered = time.Now()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.calls = append(m.calls, c)
	if !c.answered.IsZero() {
		m.total++
	}
}

// answers returns the number of calls that were answered so far.
func (m *model) answers() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.total
}

// log returns a copy of all calls that have ended.
func (m *model) log() []call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]call(nil), m.calls...)
}

// answerWriter notes whether an answer arrived.
type answerWriter struct {
	http.ResponseWriter
	status int
	err    error
}

// WriteHeader notes the status.
func (w *answerWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// Write notes whether the answer could be written.
func (w *answerWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.err = err
	return n, err
}

// pass answers that nothing is wrong.
func pass(q question) modelserver.Reply {
	verdicts := make([]modelserver.Verdict, 0, len(q.Criteria))
	for _, id := range q.Criteria {
		verdicts = append(verdicts, modelserver.Verdict{ID: id, Reason: "scripted", Verdict: "pass"})
	}
	return modelserver.Answer(verdicts)
}

// withLatency passes everything, after the latency of the event.
func withLatency(latency func(id string) time.Duration) func(question) modelserver.Reply {
	return func(q question) modelserver.Reply {
		reply := pass(q)
		reply.Delay = latency(q.id)
		return reply
	}
}

// eventID is how the id of an event looks in its input.
var eventID = regexp.MustCompile(`ev-[0-9]+`)

// idNumber returns the id of the nth event.
func idNumber(n int) string { return fmt.Sprintf("ev-%06d", n) }

// evenLatency takes 5 to 150 ms, the same for an event on every call.
func evenLatency(id string) time.Duration {
	return time.Duration(5+chance(id).IntN(146)) * time.Millisecond
}

// tailLatency is evenLatency with a tail: one event in a hundred takes 1 to 2.5 s.
func tailLatency(id string) time.Duration {
	r := chance(id)
	if r.IntN(100) == 0 {
		return time.Duration(1000+r.IntN(1501)) * time.Millisecond
	}
	return evenLatency(id)
}

// slowLatency is the latency of a reasoning judge: 0.5 to 4 s.
func slowLatency(id string) time.Duration {
	return time.Duration(500+chance(id).IntN(3501)) * time.Millisecond
}

func chance(id string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(id))
	return rand.New(rand.NewPCG(h.Sum64(), 1))
}
