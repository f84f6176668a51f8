package sidecar

import (
	_ "embed" // the description of the interface
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/serve"
)

//go:embed openapi.yaml
var openapi []byte

// answer is the answer to a request with events, and its body.
type answer struct {
	Status   int         `json:"-"`
	Accepted int         `json:"accepted"`           // events that are safe
	Rejected int         `json:"rejected,omitempty"` // bad lines
	Faults   []lineFault `json:"faults,omitempty"`   // the first of them
	Error    string      `json:"error,omitempty"`

	Warnings []lineWarning `json:"warnings,omitempty"`      // the first, of accepted events
	More     int           `json:"more_warnings,omitempty"` // that are not listed
}

// encode returns the body. The one of most answers is only a number, for which
// encoding/json would cost more than the rest of the answer.
func (a *answer) encode() []byte {
	if a.Rejected == 0 && len(a.Faults) == 0 && len(a.Warnings) == 0 && a.Error == "" {
		return append(strconv.AppendInt([]byte(`{"accepted":`), int64(a.Accepted), 10), "}\n"...)
	}
	body, _ := json.Marshal(a) // it has no type that could fail
	return append(body, '\n')
}

type lineFault struct {
	Line    int    `json:"line"` // from 1
	Problem string `json:"problem"`
}

// reject returns an answer that is only an error.
func reject(status int, text string) *answer { return &answer{Status: status, Error: text} }

// retryAfter is how long a client should wait. A full spool is freed a segment at a
// time, so a shorter wait would not help.
const retryAfter = 5 * time.Second

// drainBodies bounds how much drain reads, in bodies of full size.
const drainBodies = 4

func (s *Sidecar) handler() http.Handler {
	guard := serve.Guard{Token: s.cfg.Token}
	protect := func(next http.Handler) http.Handler { return guard.Protect(next, s.denyToken) }
	// The reasons for not being ready need the token too, as in the worker.
	probes := serve.HealthHandler(serve.HealthConfig{Token: s.cfg.Token}, serve.HealthDeps{
		Checks: []serve.Check{{Name: "sidecar", Ready: s.checkRunning}, {Name: "spool", Ready: s.checkRoom}},
		Status: func() any { return s.Status() },
	})
	mux := http.NewServeMux()
	mux.Handle("GET /livez", probes)
	mux.Handle("GET /readyz", probes)
	mux.Handle("GET /statusz", protect(probes))
	mux.Handle("GET /v1/openapi.yaml", document("application/yaml", openapi))
	mux.Handle("GET /v1/event.schema.json", document("application/schema+json", event.Schema()))
	mux.Handle("POST /v1/events", protect(http.HandlerFunc(s.events)))
	return guard.Admit(mux, func(w http.ResponseWriter, r *http.Request, reason string) {
		s.answer(w, r, reject(http.StatusForbidden, reason))
	})
}

func document(mime string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mime)
		_, _ = w.Write(body) // fails only when the client is gone
	})
}

func (s *Sidecar) denyToken(w http.ResponseWriter, r *http.Request, _ error) {
	w.Header().Set("WWW-Authenticate", "Bearer")
	s.answer(w, r, reject(http.StatusUnauthorized, "want the header Authorization: Bearer, with this sidecar's token"))
}

// answer counts and writes an answer about events.
func (s *Sidecar) answer(w http.ResponseWriter, r *http.Request, a *answer) {
	s.counts.add(a)
	if rejection(a.Status) {
		s.logRejection()
	}
	if s.intake.closed.Load() {
		// A client that keeps its connection would find it closed at some time during
		// the stop; on a new one it may find the next sidecar.
		w.Header().Set("Connection", "close")
	} else if a.Status != http.StatusAccepted { // its body was read to the end
		s.drain(r)
	}
	w.Header().Set("Content-Type", "application/json")
	if a.Status == http.StatusTooManyRequests || a.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	w.WriteHeader(a.Status)
	_, _ = w.Write(a.encode()) // fails only when the client is gone
}

// drain reads the rest of a request that is answered before its end: a client that
// writes all of it before it reads would see a reset connection instead of the answer.
// The read timeout bounds it too.
func (s *Sidecar) drain(r *http.Request) {
	if r.Header.Get("Expect") != "" {
		return // the client waits to be asked for the body, and reading would ask
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, drainBodies*s.cfg.MaxBodyBytes)) // the answer is sent in any case
}
