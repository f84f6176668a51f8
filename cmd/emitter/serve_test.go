package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// server is the command emitter serve as a process.
type server struct {
	cmd  *exec.Cmd
	url  string
	logs sync.WaitGroup // the goroutine that reads its log
	said chan string    // the messages of its log, as many as it holds
}

// serve starts the command and waits until it listens.
func serve(t *testing.T, args ...string) *server {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{said: make(chan string, 100)}
	// The test's binary acts as the program by whose name it is called.
	s.cmd = &exec.Cmd{Path: self, Args: append([]string{"emitter", "serve", "--listen", "127.0.0.1:0"}, args...)}
	out, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	addr := make(chan string, 1)
	s.logs.Go(func() {
		defer close(addr)
		defer close(s.said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var line struct{ Msg, Addr string }
			if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
				t.Errorf("the log has a line that is no JSON: %s", lines.Bytes())
			}
			select {
			case s.said <- line.Msg:
			default:
			}
			if line.Msg == "sidecar starts" {
				addr <- line.Addr
			}
		}
	})
	at, ok := <-addr
	if !ok {
		t.Fatal("the sidecar ended before it listened")
	}
	s.url = "http://" + at
	return s
}

// kill ends the process as a crash would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill() // it may have ended
	s.logs.Wait()
	_ = s.cmd.Wait() // the error says that it was killed
}

// stop ends the process in good order and returns its exit code.
func (s *server) stop(t *testing.T) int {
	t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	s.logs.Wait()
	if err := s.cmd.Wait(); err != nil {
		if _, ok := errors.AsType[*exec.ExitError](err); !ok {
			t.Fatal(err)
		}
	}
	return s.cmd.ProcessState.ExitCode()
}

func post(ctx context.Context, client *http.Client, url, body string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/events", strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, resp.Body.Close()
}

// delivered returns the request ids of each trace in the order of the topic.
func delivered(t *testing.T, addr string, partitions int) map[string][]string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out := map[string][]string{}
	for p := range partitions {
		conn, err := kafka.DialLeader(ctx, "tcp", addr, topic, p)
		if err != nil {
			t.Fatal(err)
		}
		last, err := conn.ReadLastOffset()
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.Close()
		r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{addr}, Topic: topic, Partition: p, MaxWait: 100 * time.Millisecond, MinBytes: 1, MaxBytes: 4 << 20})
		for range last {
			m, err := r.ReadMessage(ctx)
			if err != nil {
				t.Fatal(err)
			}
			ev, err := event.Decode(m.Value)
			if err != nil {
				t.Fatal(err)
			}
			out[string(ev.TraceID)] = append(out[string(ev.TraceID)], string(ev.RequestID))
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// client is an application with its own trace: it posts one event after another and
// remembers the ids of those that were accepted with 202.
type client struct {
	trace string
	n     int
	safe  []string
}

// run posts until the sidecar is gone, and reports each event that is safe.
func (c *client) run(ctx context.Context, url string, accepted func()) {
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	for {
		c.n++
		id := fmt.Sprintf("%s-%06d", c.trace, c.n)
		status, err := post(ctx, &http.Client{Transport: tr}, url,
			fmt.Sprintf(`{"event":"llm_request_completed","request_id":%q,"trace_id":%q,"output":%q}`, id, c.trace, strings.Repeat("x", c.n%2000)))
		if err != nil {
			return
		}
		if status == http.StatusAccepted {
			c.safe = append(c.safe, id)
			accepted()
		}
	}
}

// TestKillSidecar: whenever the sidecar is killed, and whether or not Kafka is away,
// every event that was accepted with 202 is delivered, and those of one trace in
// order.
func TestKillSidecar(t *testing.T) {
	t.Parallel()
	const partitions, rounds, perRound = 3, 8, 150
	b, err := broker.Start(broker.Config{Topics: map[string]int32{topic: partitions}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	args := []string{"--brokers", b.Addr(), "--spool-dir", filepath.Join(t.TempDir(), "spool"), "--spool-max-bytes", "20000000"}
	clients := make([]*client, 6)
	for i := range clients {
		clients[i] = &client{trace: fmt.Sprint(100 + i)}
	}
	for round := range rounds {
		restore := func() {}
		if round%3 == 1 {
			restore = b.RefuseWrites(topic)
		}
		s := serve(t, args...)
		var accepted atomic.Int64
		enough, over := make(chan struct{}), make(chan struct{})
		var posting sync.WaitGroup
		for _, c := range clients {
			posting.Go(func() {
				c.run(t.Context(), s.url, func() {
					if accepted.Add(1) == perRound {
						close(enough)
					}
				})
			})
		}
		go func() {
			posting.Wait()
			close(over)
		}()
		select {
		case <-enough:
		case <-over:
			t.Fatal("the sidecar ended by itself")
		}
		s.kill() // while all of them are posting
		<-over
		restore()
	}
	s := serve(t, append(args, "--grace", "2m")...)
	if code := s.stop(t); code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
	got := delivered(t, b.Addr(), partitions)
	safe, repeated := 0, 0
	for _, c := range clients {
		seen := map[string]bool{}
		var order []string // of first occurrences
		for _, id := range got[c.trace] {
			if seen[id] {
				repeated++
				continue
			}
			seen[id] = true
			order = append(order, id)
		}
		if !slices.IsSorted(order) {
			t.Errorf("trace %s is out of order", c.trace)
		}
		for _, id := range c.safe {
			safe++
			if !seen[id] {
				t.Errorf("%s was answered with 202 and is lost", id)
			}
		}
	}
	t.Logf("%d kills: %d answered with 202, all delivered, %d delivered again", rounds, safe, repeated)
	// A kill repeats at most the batch in flight.
	if most := rounds * 500; repeated > most {
		t.Errorf("%d events were delivered again, want at most %d", repeated, most)
	}
}

func TestServeStopsInGoodOrder(t *testing.T) {
	t.Parallel()
	addr := embedded(t)
	dir := filepath.Join(t.TempDir(), "spool")
	s := serve(t, "--brokers", addr, "--spool-dir", dir)
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	if status, err := post(t.Context(), &http.Client{Transport: tr}, s.url, `{"event":"llm_request_completed","request_id":"a","trace_id":"7"}`); err != nil || status != http.StatusAccepted {
		t.Fatal(status, err)
	}
	// A spool in use by another process is a failure, not wrong use.
	var stderr bytes.Buffer
	if code := run(t.Context(), []string{"serve", "--listen", "127.0.0.1:0", "--spool-dir", dir}, strings.NewReader(""), io.Discard, &stderr); code != cli.ExitFailure || !strings.Contains(stderr.String(), fmt.Sprintf("in use by another process (process %d): %s; stop it, or set --spool-dir to another folder", s.cmd.Process.Pid, dir)) {
		t.Errorf("a second one in the same folder: exit code %d, %s", code, &stderr)
	}
	ready := func() int {
		return run(t.Context(), []string{"ready", "--url", s.url}, strings.NewReader(""), io.Discard, io.Discard)
	}
	if code := ready(); code != cli.ExitOK {
		t.Errorf("emitter ready: exit code %d", code)
	}
	if code := s.stop(t); code != cli.ExitOK {
		t.Errorf("exit code %d", code)
	}
	if code := ready(); code != cli.ExitFailure {
		t.Errorf("emitter ready after the stop: exit code %d", code)
	}
	if got := delivered(t, addr, 2); !slices.Equal(got["7"], []string{"a"}) {
		t.Errorf("delivered %v", got)
	}
}

// TestServeEndsAtTheSecondSignal: it says so before it ends.
func TestServeEndsAtTheSecondSignal(t *testing.T) {
	t.Parallel()
	s := serve(t, "--brokers", "127.0.0.1:1", "--spool-dir", filepath.Join(t.TempDir(), "spool"), "--grace", "1h")
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	if status, err := post(t.Context(), &http.Client{Transport: tr}, s.url, `{"event":"llm_request_completed","request_id":"a"}`); err != nil || status != http.StatusAccepted {
		t.Fatal(status, err)
	}
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for msg := range s.said {
		if strings.HasPrefix(msg, "sidecar stops") {
			break
		}
	}
	if code := s.stop(t); code != 128+int(syscall.SIGTERM) {
		t.Errorf("exit code %d", code)
	}
	var last string
	for msg := range s.said {
		last = msg
	}
	if !strings.HasPrefix(last, "a second signal") {
		t.Errorf("the log ends with %q", last)
	}
}

// TestServeThroughAnOutage: an outage costs an application nothing, and an operator
// sees it.
func TestServeThroughAnOutage(t *testing.T) {
	t.Parallel()
	cfg := broker.Config{Topics: map[string]int32{topic: 1}, Dir: t.TempDir()}
	b, err := broker.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Addr = b.Addr()
	b.Close()
	s := serve(t, "--brokers", cfg.Addr, "--spool-dir", filepath.Join(t.TempDir(), "spool"), "--grace", "2m")
	tr := &http.Transport{}
	defer tr.CloseIdleConnections()
	var want []string
	for i := range 20 {
		want = append(want, fmt.Sprintf("r%02d", i))
		if status, err := post(t.Context(), &http.Client{Transport: tr}, s.url, fmt.Sprintf(`{"event":"llm_request_completed","request_id":%q,"trace_id":"7"}`, want[i])); err != nil || status != http.StatusAccepted {
			t.Fatal(status, err)
		}
	}
	var st struct {
		State string
		Spool struct{ Events int }
		Kafka struct {
			Retries   int
			LastError string `json:"last_error"`
		}
	}
	for st.State != "kafka_down" { // an attempt to connect has to fail first
		resp, err := (&http.Client{Transport: tr}).Get(s.url + "/statusz") //nolint:noctx // on loopback
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(json.NewDecoder(resp.Body).Decode(&st), resp.Body.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if st.Spool.Events != 20 || st.Kafka.Retries == 0 || st.Kafka.LastError == "" {
		t.Errorf("status %+v", st)
	}
	again, err := broker.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(again.Close)
	if code := s.stop(t); code != cli.ExitOK { // sends what is spooled
		t.Errorf("exit code %d", code)
	}
	if got := delivered(t, cfg.Addr, 1); !slices.Equal(slices.Compact(got["7"]), want) {
		t.Errorf("delivered %v", got)
	}
}
