//go:build go1.26

package emitter_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
)

// answering is a sidecar that answers by a function, and counts events by their id.
type answering struct {
	mu     sync.Mutex
	answer func(ids []string) (status int, body string) // guarded by mu
	posted map[string]int                               // guarded by mu
	tokens map[string]bool                              // guarded by mu
}

func (s *answering) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[r.Header.Get("Authorization")] = true
	var ids []string
	for line := range strings.Lines(string(body)) {
		var e struct {
			ID string `json:"request_id"`
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		ids = append(ids, e.ID)
		s.posted[e.ID]++
	}
	status, text := s.answer(ids)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func startAnswering(t *testing.T, answer func(ids []string) (int, string)) (*answering, string) {
	t.Helper()
	s := &answering{answer: answer, posted: map[string]int{}, tokens: map[string]bool{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, server.URL
}

// TestSidecarAnswers: what the sidecar has taken is sent, what it refuses is unsent with
// its words, and anything else is tried again.
func TestSidecarAnswers(t *testing.T) {
	t.Parallel()
	accepted := func(ids []string) (int, string) { return http.StatusAccepted, fmt.Sprintf(`{"accepted":%d}`, len(ids)) }
	for name, tt := range map[string]struct {
		answer       func(calls int, ids []string) (int, string)
		sent, unsent uint64
		says         string
	}{
		"all":        {func(_ int, ids []string) (int, string) { return accepted(ids) }, 4, 0, ""},
		"busy once":  {func(n int, ids []string) (int, string) { return later(n, http.StatusTooManyRequests, accepted, ids) }, 4, 0, ""},
		"stop once":  {func(n int, ids []string) (int, string) { return later(n, http.StatusServiceUnavailable, accepted, ids) }, 4, 0, ""},
		"token once": {func(n int, ids []string) (int, string) { return later(n, http.StatusUnauthorized, accepted, ids) }, 4, 0, ""},
		"one line": {func(int, []string) (int, string) {
			return http.StatusBadRequest, `{"accepted":3,"rejected":1,"faults":[{"line":2,"problem":"no such field"}]}`
		}, 3, 1, "no such field"},
		"too large together": {func(_ int, ids []string) (int, string) {
			if len(ids) > 1 {
				return http.StatusRequestEntityTooLarge, `{"accepted":0,"error":"the body is larger than 9 bytes"}`
			}
			return accepted(ids)
		}, 4, 0, ""},
		"lines unnamed": {func(_ int, ids []string) (int, string) {
			if len(ids) > 1 {
				return http.StatusBadRequest, `{"accepted":2,"rejected":2,"faults":[]}`
			}
			if ids[0] == "r1" {
				return http.StatusBadRequest, `{"accepted":0,"rejected":1,"faults":[{"line":1,"problem":"bad"}]}`
			}
			return accepted(ids)
		}, 3, 1, "answers 400: bad"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calls := 0
			s, url := startAnswering(t, nil)
			s.answer = func(ids []string) (int, string) {
				calls++
				return tt.answer(calls, ids)
			}
			em, err := emitter.New(emitter.Config{Sidecar: url + "/", SidecarToken: "t", BackoffMin: time.Millisecond, Linger: time.Minute})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				ev := event.Event{RequestID: event.RequestID(fmt.Sprintf("r%d", i)), Output: event.JSON([]byte("{\n\"a\": 1}"))}
				if err := em.Emit(t.Context(), ev); err != nil {
					t.Fatal(err)
				}
			}
			err = em.Close(t.Context())
			if st := em.Stats(); st.Sent != tt.sent || st.Unsent != tt.unsent {
				t.Errorf("%+v, %v", st, err)
			}
			if unsent, ok := errors.AsType[*emitter.UnsentError](err); tt.unsent > 0 && (!ok || !strings.Contains(unsent.Error(), tt.says)) {
				t.Errorf("Close: %v", err)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.posted) != 4 || len(s.tokens) != 1 || !s.tokens["Bearer t"] {
				t.Errorf("posted %v with %v", s.posted, s.tokens)
			}
		})
	}
}

// later answers with a status at first, and by then afterwards.
func later(calls, status int, then func([]string) (int, string), ids []string) (int, string) {
	if calls == 1 {
		return status, `{"error":"try again"}`
	}
	return then(ids)
}

// TestSidecarAway: the error says what to mend, and its password is nowhere.
func TestSidecarAway(t *testing.T) {
	t.Parallel()
	_, refusing := startAnswering(t, func([]string) (int, string) {
		return http.StatusUnauthorized, `{"error":"want the header Authorization: Bearer"}`
	})
	for url, want := range map[string]string{
		refusing:             "set sidecar_token to what emitter serve has in --token-file",
		"http://127.0.0.1:1": "cannot be reached: connect: connection refused; start emitter serve",
	} {
		em, err := emitter.New(emitter.Config{Sidecar: url, BackoffMin: time.Millisecond, BackoffMax: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		if err := em.Connect(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Connect: %v; want %q", err, want)
		} else if access := url == refusing; errors.Is(err, emitter.ErrNoAccess) != access {
			t.Errorf("no access: %v", err)
		}
		if err := em.Emit(t.Context(), event.Event{RequestID: "r"}); err != nil {
			t.Fatal(err)
		}
		for em.Err() == nil { // until the first attempt has ended
			runtime.Gosched()
		}
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		err = em.Close(ctx)
		cancel()
		if err == nil || !strings.Contains(err.Error(), want) || em.Stats().Unsent != 1 {
			t.Errorf("Close: %v, %+v; want %q", err, em.Stats(), want)
		}
	}
}

func TestSidecarConfig(t *testing.T) {
	t.Parallel()
	for want, cfg := range map[string]emitter.Config{
		"sidecar: is no URL":               {Sidecar: "127.0.0.1:8788"},
		"brokers: are set beside sidecar":  {Sidecar: "http://127.0.0.1:8788", Brokers: []string{"k:9092"}},
		"brokers: no broker address":       {},
		"sidecar: is no URL of a sidecar":  {Sidecar: "ftp://host"},
		"batch_events: -1 is too small":    {Sidecar: "http://h", BatchEvents: -1},
		"sidecar: is no URL of a sidecar;": {Sidecar: "http://"},
	} {
		if _, err := emitter.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	if _, err := emitter.NewPublisher(emitter.Config{Sidecar: "http://127.0.0.1:8788"}); err == nil {
		t.Error("a publisher, which writes to Kafka itself, was made for a sidecar")
	}
}
