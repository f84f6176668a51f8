package sidecar

import (
	"crypto/sha256"
	"crypto/subtle"
	_ "embed" // the description of the interface
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/health"
)

//go:embed openapi.yaml
var openapi []byte

// answer is the body of every answer about events.
type answer struct {
	Accepted int     `json:"accepted"`           // events that are safe
	Rejected int     `json:"rejected,omitempty"` // lines that were refused
	Faults   []fault `json:"faults,omitempty"`   // the first of them
	Error    string  `json:"error,omitempty"`
}

type fault struct {
	Line    int    `json:"line"` // from 1
	Problem string `json:"problem"`
}

// retryAfter is what a client is told to wait. A spool that is full is freed a
// segment at a time, so that less would be in vain.
const retryAfter = 5 * time.Second

func (s *Sidecar) handler() http.Handler {
	mux := http.NewServeMux()
	// Why it is not ready is for those with the token, as a worker has it.
	probes := health.Handler(health.Config{Token: s.cfg.Token}, health.Deps{
		Checks: []health.Check{{Name: "sidecar", Ready: s.running}, {Name: "spool", Ready: s.room}},
		Status: func() any { return s.Status() },
	})
	mux.Handle("GET /livez", probes)
	mux.Handle("GET /readyz", probes)
	mux.Handle("GET /statusz", s.guarded(probes))
	mux.Handle("GET /v1/openapi.yaml", document("application/yaml", openapi))
	mux.Handle("GET /v1/event.schema.json", document("application/schema+json", eval.Schema()))
	mux.Handle("POST /v1/events", s.guarded(http.HandlerFunc(s.events)))
	// A page in a browser on this machine could post to loopback otherwise.
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.answer(w, http.StatusForbidden, answer{Error: "requests of web pages are not taken"})
	}))
	return origin.Handler(mux)
}

func document(mime string, body []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mime)
		_, _ = w.Write(body) // the client went away: nobody left to tell
	})
}

// guarded asks for the token, if there is one. Comparing hashes takes equally
// long whatever the request bears.
func (s *Sidecar) guarded(next http.Handler) http.Handler {
	if s.cfg.Token == "" {
		return next
	}
	want := sha256.Sum256([]byte(s.cfg.Token.Reveal()))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		got := sha256.Sum256([]byte(strings.TrimSpace(token)))
		if !strings.EqualFold(scheme, "Bearer") || subtle.ConstantTimeCompare(got[:], want[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			s.answer(w, http.StatusUnauthorized, answer{Error: "want the header Authorization: Bearer, with this sidecar's token"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// answer counts an answer and gives it.
func (s *Sidecar) answer(w http.ResponseWriter, status int, a answer) {
	s.counts.add(status, a)
	if status >= http.StatusBadRequest {
		s.tell(false)
	}
	// A client that keeps its connection would find it closed at some moment of
	// the stop; on a new one it may find the next sidecar.
	if _, stopping := s.gate.look(); stopping {
		w.Header().Set("Connection", "close")
	}
	reply(w, status, a)
}

func reply(w http.ResponseWriter, status int, a answer) {
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a) // the client went away: nobody left to tell
}
