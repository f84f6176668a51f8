package faults

import (
	"bytes"
	"encoding/pem"
	"hash/fnv"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// spoiler answers a question badly, in the model's place. The question has been
// read.
type spoiler func(http.ResponseWriter, *http.Request)

// front stands between the workers and the model. It passes questions on, except
// those that a row has it spoil.
type front struct {
	server *httptest.Server
	inner  http.Handler

	mu      sync.Mutex                        // guards all below
	which   func(id string, attempt int) bool // questions to spoil; nil: none
	spoil   spoiler
	shake   func(nth int) bool // connections to cut in the handshake; nil: none
	calls   []time.Time        // when each question came
	asked   map[string]int     // questions by event
	accepts int
}

// newFront puts a front before the model of the world. With TLS, its workers are
// configured to trust it.
func newFront(w *world, overTLS bool) *front {
	w.t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/w/{worker}/v1/", w.model.serve)
	f := &front{inner: mux, asked: map[string]int{}}
	f.server = httptest.NewUnstartedServer(f)
	f.server.Config.ErrorLog = log.New(io.Discard, "", 0) // failing handshakes are its purpose
	w.t.Cleanup(f.server.Close)
	if overTLS {
		f.server.Listener = &cuttingListener{f.server.Listener, f}
		// Each question needs a new handshake.
		f.server.Config.SetKeepAlivesEnabled(false)
		f.server.StartTLS()
		file := filepath.Join(w.t.TempDir(), "ca.pem")
		cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.server.Certificate().Raw})
		w.must(os.WriteFile(file, cert, 0o600))
		w.env = append(w.env, "SSL_CERT_FILE="+file)
	} else {
		f.server.Start()
	}
	w.model.url = f.server.URL
	return f
}

// ServeHTTP spoils a question or passes it on.
func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the worker went away
	}
	if spoil := f.note(eventID.FindString(string(body))); spoil != nil {
		spoil(w, r)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	f.inner.ServeHTTP(w, r)
}

// note counts a question, and returns the spoiler for it; nil: it passes.
func (f *front) note(id string) spoiler {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, time.Now())
	f.asked[id]++
	if f.which != nil && f.which(id, f.asked[id]) {
		return f.spoil
	}
	return nil
}

// spoils spoils these questions from now on; nil lets all pass.
func (f *front) spoils(spoil spoiler, which func(id string, attempt int) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.spoil, f.which = spoil, which
}

// shakes cuts these connections in the handshake from now on; nil lets all pass.
func (f *front) shakes(which func(nth int) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.shake = which
}

// since counts the questions and the attempted connections since a time.
func (f *front) since(at time.Time) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range f.calls {
		if !c.Before(at) {
			n++
		}
	}
	return n
}

// mostAsked returns the largest number of questions about one event.
func (f *front) mostAsked() (most int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, n := range f.asked {
		most = max(most, n)
	}
	return most
}

// every picks every question.
func every(string, int) bool { return true }

// few picks the first question about one event in twenty.
func few(id string, attempt int) bool {
	h := fnv.New32a()
	h.Write([]byte(id))
	return attempt == 1 && h.Sum32()%20 == 0
}

// cuttingListener is a listener that may close connections before TLS has begun.
type cuttingListener struct {
	net.Listener
	front *front
}

// Accept returns the next connection that is not cut.
func (l *cuttingListener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if err != nil || !l.cut() {
			return conn, err
		}
		// Read the hello first, or the worker could take this for a closed port. It
		// comes at once.
		_ = conn.SetReadDeadline(time.Now().Add(time.Second))
		_, _ = conn.Read(make([]byte, 512))
		_ = conn.Close()
	}
}

func (l *cuttingListener) cut() bool {
	f := l.front
	f.mu.Lock()
	defer f.mu.Unlock()
	f.accepts++
	if f.shake == nil || !f.shake(f.accepts) {
		return false
	}
	f.calls = append(f.calls, time.Now())
	return true
}
