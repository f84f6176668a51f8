package faults

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/evalworker/evalworker/internal/testkit/datadog"
)

// server is an HTTP server that goes away and comes back at its address.
type server struct {
	w       *world
	addr    string
	handler http.Handler
	running *httptest.Server // nil: away
}

// newServer starts a server. It ends with the row.
func newServer(w *world, handler http.Handler) *server {
	w.t.Helper()
	s := &server{w: w, addr: "127.0.0.1:0", handler: handler}
	s.up()
	w.t.Cleanup(func() {
		if s.running != nil {
			s.running.Close()
		}
	})
	return s
}

func (s *server) url() string { return "http://" + s.addr }

// up lets the server listen.
func (s *server) up() {
	s.w.t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(s.w.t.Context(), "tcp", s.addr)
	s.w.must(err)
	s.addr = l.Addr().String()
	s.running = httptest.NewUnstartedServer(s.handler)
	_ = s.running.Listener.Close()
	s.running.Listener = l
	s.running.Start()
}

// down closes the listener and, when the answers that are being written are out, all
// connections. So an answer that counts has reached its worker.
func (s *server) down() {
	s.running.Close()
	s.running = nil
}

// handler returns the model without its server.
func (m *model) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/w/{worker}/v1/", m.serve)
	return mux
}

// since returns the calls that have ended, without the first n.
func (m *model) since(n int) []call {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]call(nil), m.calls[n:]...)
}

// discardTraces is a trace agent that keeps nothing: ten minutes of spans are too many.
func discardTraces() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, `{}`)
	})
}

// statsSink is a DogStatsD socket that goes away and comes back at its path. It adds up
// what the run looks at and keeps nothing else.
type statsSink struct {
	w      *world
	path   string
	conn   net.PacketConn // nil: away
	reader sync.WaitGroup

	mu        sync.Mutex            // guards all below
	weighted  map[evaluated]float64 // llm.eval.weighted
	errors    float64               // verdicts that are errors
	malformed []string
	away      []outage
}

// evaluated is a version of the prompt and an evaluator.
type evaluated struct{ version, eval string }

// newStatsSink opens the socket. It closes with the row.
func newStatsSink(w *world) *statsSink {
	w.t.Helper()
	dir, err := os.MkdirTemp("", "dsd") // a socket's path is short
	w.must(err)
	w.t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := &statsSink{w: w, path: filepath.Join(dir, "s"), weighted: map[evaluated]float64{}}
	s.up()
	w.t.Cleanup(func() {
		if s.conn != nil {
			s.down()
		}
	})
	return s
}

// up opens the socket.
func (s *statsSink) up() {
	s.w.t.Helper()
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(s.w.t.Context(), "unixgram", s.path)
	s.w.must(err)
	s.conn = conn
	s.mu.Lock()
	if n := len(s.away); n > 0 {
		s.away[n-1].to = time.Now()
	}
	s.mu.Unlock()
	s.reader.Go(func() {
		buf := make([]byte, 1<<16)
		for {
			n, _, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			s.payload(buf[:n])
		}
	})
}

// down closes the socket and removes it.
func (s *statsSink) down() {
	s.mu.Lock()
	s.away = append(s.away, outage{from: time.Now()})
	s.mu.Unlock()
	_ = s.conn.Close()
	s.reader.Wait()
	_ = os.Remove(s.path)
	s.conn = nil
}

// drain returns when what workers that have ended had sent is read.
func (s *statsSink) drain() {
	s.w.t.Helper()
	s.w.must(s.conn.SetReadDeadline(time.Now().Add(time.Second)))
	s.reader.Wait()
}

func (s *statsSink) payload(b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for line := range bytes.Lines(b) {
		if bytes.HasPrefix(line, []byte("_e{")) { // an event, of a version that is new
			continue
		}
		m, err := datadog.ParseStatsD(strings.TrimSuffix(string(line), "\n"))
		if err != nil {
			s.malformed = append(s.malformed, err.Error())
			continue
		}
		for _, v := range m.Values {
			switch {
			case m.Name == "llm.eval.weighted":
				s.weighted[evaluated{m.Tag("prompt_version"), m.Tag("eval")}] += v
			case m.Name == "llm.eval.count" && m.Tag("outcome") == "error":
				s.errors += v
			}
		}
	}
}

// names reports whether a version has arrived under its own name.
func (s *statsSink) names(version string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.weighted[evaluated{version, judgeName}] > 0
}

// wasAway reports whether the socket was away at some time of a span. An outage that
// has not ended yet has no end.
func (s *statsSink) wasAway(from, to time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.away {
		if o.to.IsZero() {
			o.to = to
		}
		if o.overlaps(from, to) {
			return true
		}
	}
	return false
}
