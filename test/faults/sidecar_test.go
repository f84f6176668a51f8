package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// sidecar is one process of emitter serve.
type sidecar struct {
	process
	cmd   *exec.Cmd
	spool string // its folder
}

// sidecar starts emitter serve. It ends with the row.
func (w *world) sidecar() *sidecar {
	w.t.Helper()
	dir := w.t.TempDir()
	binary := filepath.Join(dir, "emitter")
	out, err := exec.CommandContext(w.t.Context(), "go", "build", "-o", binary, "github.com/evalworker/evalworker/cmd/emitter").CombinedOutput()
	if err != nil {
		w.t.Fatalf("build emitter: %v\n%s", err, out)
	}
	said, err := os.Create(filepath.Join(dir, "log"))
	w.must(err)
	s := &sidecar{process: process{t: w.t, log: said.Name(), starts: "sidecar starts", health: "addr"}, spool: filepath.Join(dir, "spool")}
	// The test's context ends before its cleanup, which stops the sidecar in good order.
	s.cmd = exec.CommandContext(context.WithoutCancel(w.t.Context()), binary, "serve", "--brokers", strings.Join(w.brokers, ","), "--topic", w.topic,
		"--listen", "127.0.0.1:0", "--spool-dir", "spool", // within its working directory
		"--grace", "1s")
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = dir, said, said
	w.must(s.cmd.Start())
	w.t.Cleanup(func() {
		_ = s.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		if err := s.cmd.Wait(); err != nil {
			w.t.Errorf("the sidecar: %v", err)
		}
		said.Close()
		if text, err := os.ReadFile(s.log); err == nil && w.t.Failed() {
			w.t.Logf("the sidecar said:\n%s", text)
		}
	})
	w.eventually("the sidecar listens", func() bool { return s.logged(s.starts) != nil })
	return s
}

func (s *sidecar) addr() string { return s.logged(s.starts)[s.health].(string) }

// post sends one event as an application does, once, and returns the status and the body
// of the answer.
func (w *world) post(s *sidecar, id string) (code int, text string) {
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.addr()+"/v1/events", bytes.NewReader(wire(newEvent(id))))
	if err != nil {
		return 0, err.Error()
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	var answer struct{ Error string }
	_ = json.NewDecoder(resp.Body).Decode(&answer) // without a text the row fails on the status
	return resp.StatusCode, answer.Error
}

// clients are applications that send events to a sidecar, and send again what it refuses.
type clients struct {
	stop    chan struct{}
	once    sync.Once // closes stop
	running sync.WaitGroup

	mu       sync.Mutex     // guards all below
	accepted []time.Time    // when each event got its 202
	refused  map[string]int // answers by status and text
}

// clientPause is how long a client waits from one request to the next.
const clientPause = 20 * time.Millisecond

// send starts n clients, which go on until end is called or the row ends.
func (w *world) send(s *sidecar, n int) *clients {
	w.t.Helper()
	c := &clients{stop: make(chan struct{}), refused: map[string]int{}}
	for range n {
		c.running.Go(func() {
			for {
				select {
				case <-c.stop:
					return
				case <-time.After(clientPause):
				}
				c.mu.Lock()
				id := idNumber(len(w.ledger.published) + 1)
				w.ledger.published = append(w.ledger.published, id)
				c.mu.Unlock()
				w.deliver(s, c, id)
			}
		})
	}
	w.t.Cleanup(c.end)
	return c
}

// deliver sends an event until it is accepted.
func (w *world) deliver(s *sidecar, c *clients, id string) {
	for {
		code, text := w.post(s, id)
		c.mu.Lock()
		if code == http.StatusAccepted {
			c.accepted = append(c.accepted, time.Now())
			c.mu.Unlock()
			return
		}
		c.refused[strings.TrimSpace(http.StatusText(code)+": "+text)]++
		c.mu.Unlock()
		select {
		case <-time.After(5 * clientPause):
		case <-w.t.Context().Done():
			return
		}
	}
}

// since returns how many events were accepted since a time, and when the first one was.
func (c *clients) since(at time.Time) (n int, first time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, t := range c.accepted {
		if t.After(at) {
			if n++; n == 1 {
				first = t
			}
		}
	}
	return n, first
}

// end waits until all that was begun is accepted.
func (c *clients) end() {
	c.once.Do(func() { close(c.stop) })
	c.running.Wait()
}
