package killtest

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/testkit/containers"
)

const (
	partitions = 8
	patience   = 3 * time.Minute // only ends a run that fails
)

// run is one run of the test.
type run struct {
	t      *testing.T
	events int
	job    job
	log    string   // folder of what the processes say
	server *process // nil when the broker is not started here
}

// newRun starts a broker, if there is none, and publishes the events.
func newRun(t *testing.T, events int) *run {
	t.Helper()
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	id := strings.ToLower(rand.Text()[:10])
	r := &run{t: t, events: events, log: t.TempDir()}
	r.job = job{Topic: "kill-" + id, Group: "kill-" + id, Records: filepath.Join(r.log, "records")}
	if addrs, ok := containers.UseKafka(t); ok {
		r.job.Brokers = addrs
	} else {
		r.job.Brokers = []string{r.broker()}
	}
	r.publish()
	return r
}

// process is a process that this test started. Only these are ever signalled.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	end chan error
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) wait() error {
	select {
	case err := <-p.end:
		p.end <- nil
		return err
	case <-time.After(patience):
		return fmt.Errorf("still runs after %v", patience)
	}
}

// start runs this program once more, in another role.
func (r *run) start(role, name string, stdout io.Writer, env ...string) *process {
	r.t.Helper()
	self, err := os.Executable()
	if err != nil {
		r.t.Fatal(err)
	}
	output, err := os.Create(filepath.Join(r.log, name+".log"))
	if err != nil {
		r.t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(r.t.Context()), self)
	cmd.Env = append(append(os.Environ(), envRole+"="+role), env...)
	cmd.Stdout, cmd.Stderr = stdout, output
	stdin, err := cmd.StdinPipe() // its end means that the test is gone
	if err != nil {
		r.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	p := &process{t: r.t, cmd: cmd, end: make(chan error, 1)}
	go func() { p.end <- cmd.Wait() }()
	r.t.Cleanup(func() {
		stdin.Close()
		_ = p.cmd.Process.Kill() // it may have ended
		_ = p.wait()
		output.Close()
		if text, err := os.ReadFile(output.Name()); err == nil && (r.t.Failed() || testing.Verbose()) {
			r.t.Logf("%s wrote:\n%s", name, text)
		}
	})
	return p
}

func (r *run) broker() string {
	r.t.Helper()
	var addr string
	r.server, addr = r.startAndHear("broker", "broker")
	return addr
}

// worker starts a worker and waits until it handles SIGTERM.
func (r *run) worker(name string) *process {
	r.t.Helper()
	j := r.job
	j.Name = name
	text, err := json.Marshal(j)
	if err != nil {
		r.t.Fatal(err)
	}
	p, _ := r.startAndHear("worker", name, envJob+"="+string(text))
	return p
}

// startAndHear starts a process and returns the first line that it prints.
func (r *run) startAndHear(role, name string, env ...string) (*process, string) {
	r.t.Helper()
	out, in, err := os.Pipe()
	if err != nil {
		r.t.Fatal(err)
	}
	defer out.Close()
	p := r.start(role, name, in, env...)
	in.Close()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		r.t.Fatalf("%s: %v", name, err)
	}
	return p, strings.TrimSpace(line)
}

// publish makes the topic and all events.
func (r *run) publish() {
	r.t.Helper()
	cfg := configOf(r.job)
	transport := conn.NewTransport(cfg.Config)
	defer transport.CloseIdleConnections()
	client := conn.NewClient(cfg.Config, transport)
	res, err := client.CreateTopics(r.t.Context(), &kafka.CreateTopicsRequest{
		Topics: []kafka.TopicConfig{{Topic: r.job.Topic, NumPartitions: partitions, ReplicationFactor: 1}},
	})
	if err != nil || res.Errors[r.job.Topic] != nil {
		r.t.Fatalf("create topic: %v %v", err, res)
	}
	r.poll("the topic is known", func() bool {
		found, err := conn.NewDialer(cfg.Config).LookupPartitions(r.t.Context(), "tcp", cfg.Brokers[0], r.job.Topic)
		return err == nil && len(found) == partitions
	})
	w := &kafka.Writer{
		Addr: client.Addr, Topic: r.job.Topic, Transport: transport, RequiredAcks: kafka.RequireAll,
		Balancer: &kafka.RoundRobin{}, BatchSize: 500, BatchTimeout: 5 * time.Millisecond,
	}
	defer w.Close()
	filler := strings.Repeat(" ", 500)
	for ids := range slices.Chunk(numbers(r.events), 4000) {
		batch := make([]kafka.Message, len(ids))
		for i, id := range ids {
			batch[i] = kafka.Message{Key: []byte(strconv.Itoa(id)), Value: []byte(strconv.Itoa(id)), Headers: []kafka.Header{{Key: "filler", Value: []byte(filler)}}}
		}
		if err := w.WriteMessages(r.t.Context(), batch...); err != nil {
			r.t.Fatal(err)
		}
	}
}

// evaluated waits for n lines of records.
func (r *run) evaluated(n int) {
	r.t.Helper()
	r.poll(fmt.Sprintf("%d events evaluated", n), func() bool { return len(r.lines()) >= n })
}

// joined waits for a record of a worker, or until nothing is left for it to do.
func (r *run) joined(name string) {
	r.t.Helper()
	r.poll(name+" works", func() bool {
		lines := r.lines()
		return len(lines) >= r.events || slices.ContainsFunc(lines, func(l []byte) bool { return bytes.HasPrefix(l, []byte(name+" ")) })
	})
}

// finished waits until every event has been evaluated.
func (r *run) finished() {
	r.t.Helper()
	r.poll("every event evaluated", func() bool {
		if len(r.lines()) < r.events {
			return false
		}
		seen := make(map[int]bool, r.events)
		for _, rec := range r.records() {
			seen[rec.id] = true
		}
		return len(seen) == r.events
	})
}

func (r *run) lines() [][]byte {
	text, err := os.ReadFile(r.job.Records)
	if err != nil {
		return nil // nobody has written yet
	}
	return bytes.Split(bytes.TrimSpace(text), []byte("\n"))
}

func (r *run) records() []record {
	r.t.Helper()
	lines := r.lines()
	out := make([]record, 0, len(lines))
	for _, l := range lines {
		var rec record
		var micro int64
		if _, err := fmt.Sscan(string(l), &rec.worker, &rec.partition, &rec.id, &micro); err != nil {
			r.t.Fatalf("record %q: %v", l, err)
		}
		rec.at = time.UnixMicro(micro)
		out = append(out, rec)
	}
	slices.SortFunc(out, func(x, y record) int { return cmp.Or(x.at.Compare(y.at), cmp.Compare(x.id, y.id)) })
	return out
}

// poll waits for a condition that other processes bring about.
func (r *run) poll(what string, cond func() bool) {
	r.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-deadline.C:
			r.t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func numbers(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}
