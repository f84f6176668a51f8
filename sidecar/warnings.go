package sidecar

import (
	"slices"
	"sync"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/outage"
)

// maxListed bounds the warnings that an answer lists.
const maxListed = 20

// lineWarning says that a member of accepted events is not read, or not as it stands. It
// holds names and types of values, never values.
type lineWarning struct {
	Line    int    `json:"line"` // the first, from 1
	Field   string `json:"field"`
	Problem string `json:"problem"`
	Mend    string `json:"mend,omitempty"`   // what to write instead
	Events  int    `json:"events,omitempty"` // how many of the request have it, when several do
}

// requestWarnings are those of one request. The same one of several events stands once.
type requestWarnings struct {
	listed []lineWarning
	of     []event.Warning // what is listed, in the same order
	more   int             // further ones, by event
	events int             // that have any
}

// add takes the warnings of one event; whole says that it is published with all its
// members.
func (w *requestWarnings) add(line int, warned event.Warnings, whole bool, mends *mends) {
	if len(warned.List) > 0 {
		w.events++
	}
	w.more += warned.More
	done := ": it is published, and not read"
	if !whole {
		done = ": it is not published"
	}
	for _, one := range warned.List {
		w.note(line, one, one.Problem+done, mends.of(one))
	}
}

// note lists a warning, unless it is listed already or too many are.
func (w *requestWarnings) note(line int, of event.Warning, problem, mend string) {
	switch i := slices.Index(w.of, of); {
	case i >= 0:
		w.listed[i].Events = max(w.listed[i].Events, 1) + 1
	case len(w.listed) == maxListed:
		w.more++
	default:
		w.of = append(w.of, of)
		w.listed = append(w.listed, lineWarning{Line: line, Field: of.Field, Problem: problem, Mend: mend})
	}
}

// mends remembers what to write instead of members, because to find that takes longer
// than to read an event, and an application makes the same mistake with each. It is safe for
// concurrent use.
type mends struct {
	mu    sync.Mutex
	known map[event.Warning]string // guarded by mu; at most maxMends
}

const maxMends = 1000

func (m *mends) of(w event.Warning) string {
	if !w.Unknown() {
		return w.Mend()
	}
	m.mu.Lock()
	mend, ok := m.known[w]
	m.mu.Unlock()
	if ok {
		return mend
	}
	mend = w.Mend()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known == nil {
		m.known = map[event.Warning]string{}
	}
	if len(m.known) < maxMends {
		m.known[w] = mend
	}
	return mend
}

// logWarnings logs how many answers had warnings: the first at once, then once a minute.
// The answers say which; names are the application's, and stay out of the log.
func (s *Sidecar) logWarnings() {
	if seen, ok := s.warned.Allow(); ok {
		s.sayWarned(seen)
	}
}

// logLateWarnings logs those after which no other has come, and with end whatever is left.
func (s *Sidecar) logLateWarnings(end bool) {
	if seen, ok := s.warned.Flush(end); ok {
		s.sayWarned(seen)
	}
}

func (s *Sidecar) sayWarned(seen outage.Tally) {
	s.log.Warn("events have members that are not read: the answers' warnings say which", seen.Attr())
}
