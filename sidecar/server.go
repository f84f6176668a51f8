package sidecar

import (
	"crypto/sha256"
	"crypto/subtle"
	_ "embed" // the description of the interface
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/serve"
)

//go:embed openapi.yaml
var openapi []byte

// answer is the body of every answer about events.
type answer struct {
	Accepted int    `json:"accepted"`           // events that are safe
	Rejected int    `json:"rejected,omitempty"` // lines that were refused
	Faults   []flt  `json:"faults,omitempty"`   // the first of them
	Error    string `json:"error,omitempty"`
}

type flt struct {
	Line    int    `json:"line"` // from 1
	Problem string `json:"problem"`
}

// retryAfter is what a client is told to wait. A spool that is full is freed a
// segment at a time, so that less would be in vain.
const retryAfter = 5 * time.Second

// drainBodies is how much of a refused request is read to its end for the sake of
// the answer, in bodies of full size.
const drainBodies = 4

func (s *Sidecar) handler() http.Handler {
	mux := http.NewServeMux()
	// Why it is not ready is for those with the token, as a worker has it.
	probes := serve.Handler(serve.Config{Token: s.cfg.Token}, serve.Deps{
		Checks: []serve.Check{{Name: "sidecar", Ready: s.running}, {Name: "spool", Ready: s.room}},
		Status: func() any { return s.Status() },
	})
	mux.Handle("GET /livez", probes)
	mux.Handle("GET /readyz", probes)
	mux.Handle("GET /statusz", s.guarded(probes))
	mux.Handle("GET /v1/openapi.yaml", document("application/yaml", openapi))
	mux.Handle("GET /v1/event.schema.json", document("application/schema+json", event.Schema()))
	mux.Handle("POST /v1/events", s.guarded(http.HandlerFunc(s.events)))
	// A page in a browser on this machine could post to loopback otherwise.
	origin := http.NewCrossOriginProtection()
	origin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.answer(w, r, http.StatusForbidden, answer{Error: "requests of web pages are not taken"})
	}))
	return s.local(origin.Handler(mux))
}

// local refuses, where nobody needs a token, requests to a name other than
// localhost: a page in a browser could have its own name lead to this machine,
// and be of one origin with the sidecar then. An address cannot be led elsewhere.
func (s *Sidecar) local(next http.Handler) http.Handler {
	if s.cfg.Token != "" {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !addressed(r.Host) {
			s.answer(w, r, http.StatusForbidden, answer{Error: "want an IP address or localhost as the host; any name is taken with a token"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// addressed reports whether a Host header names an IP address, localhost, or
// nothing, as browsers never do.
func addressed(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	_, err := netip.ParseAddr(host)
	return err == nil || host == "" || strings.EqualFold(host, "localhost")
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
			s.answer(w, r, http.StatusUnauthorized, answer{Error: "want the header Authorization: Bearer, with this sidecar's token"})
			return
		}
		next.ServeHTTP(w, r)
	})
}

// answer counts an answer and gives it.
func (s *Sidecar) answer(w http.ResponseWriter, r *http.Request, status int, a answer) {
	s.counts.add(status, a)
	if status >= http.StatusBadRequest {
		s.tell(false)
	}
	if _, stopping := s.gate.look(); stopping {
		// A client that keeps its connection would find it closed at some moment of
		// the stop; on a new one it may find the next sidecar.
		w.Header().Set("Connection", "close")
	} else {
		s.drain(r)
	}
	reply(w, status, a)
}

// drain reads on for a while when a request is refused before its end: a client
// that writes all of it before it reads finds a connection that was reset
// otherwise, instead of the answer. The time that a body may take bounds it too.
func (s *Sidecar) drain(r *http.Request) {
	if r.Header.Get("Expect") != "" {
		return // it asks before it sends the body, which reading would call for
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, drainBodies*s.cfg.MaxBodyBytes)) // the answer goes out anyway
}

func reply(w http.ResponseWriter, status int, a answer) {
	w.Header().Set("Content-Type", "application/json")
	if status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter.Seconds())))
	}
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(a) // the client went away: nobody left to tell
}
