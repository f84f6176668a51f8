package app_test

import (
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

// model is a fake model server that records its requests.
type scriptedModel struct {
	url string

	mu     sync.Mutex
	bodies []string // guarded by mu
}

func newModel(t *testing.T, script modelserver.Script) *scriptedModel {
	t.Helper()
	m := &scriptedModel{}
	srv := httptest.NewServer(modelserver.New(func(r modelserver.Request) modelserver.Reply {
		m.note(r)
		return script(r)
	}))
	t.Cleanup(srv.Close)
	m.url = srv.URL + "/v1"
	return m
}

func (m *scriptedModel) note(r modelserver.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.bodies = append(m.bodies, string(r.Body))
}

// asked returns the bodies of all requests so far.
func (m *scriptedModel) asked() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string(nil), m.bodies...)
}

// ledger is a recorder that keeps every report.
type ledger struct {
	mu         sync.Mutex
	reports    []*eval.Report // guarded by mu
	sampledOut int            // guarded by mu
	cases      int            // guarded by mu
}

// Report keeps a report.
func (l *ledger) Report(r *eval.Report) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.reports = append(l.reports, r)
}

// Skipped counts.
func (l *ledger) Skipped(_ eval.Disposition, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sampledOut += n
}

// Cases counts.
func (l *ledger) Cases(_ *eval.Report, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cases += n
}

func (l *ledger) newCases() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cases
}

// evaluated returns how often each request was reported.
func (l *ledger) evaluated() map[event.RequestID]int {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := map[event.RequestID]int{}
	for _, r := range l.reports {
		out[r.Event.RequestID]++
	}
	return out
}

// report returns the one report of a request.
func (l *ledger) report(t *testing.T, id event.RequestID) *eval.Report {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var found []*eval.Report
	for _, r := range l.reports {
		if r.Event.RequestID == id {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d reports of %s, want 1", len(found), id)
	}
	return found[0]
}

// book is a log that can be read while it is written.
type book struct {
	mu  sync.Mutex
	buf strings.Builder // guarded by mu
}

// Write appends.
func (b *book) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *book) text() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
