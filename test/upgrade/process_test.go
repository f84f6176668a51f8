package upgrade

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/app"
)

const (
	// patience ends a wait for something that does not come.
	patience = 2 * time.Minute
	// look is how often other processes are polled.
	look = 50 * time.Millisecond
)

// process is a program that runs.
type process struct {
	t     *testing.T
	name  string
	cmd   *exec.Cmd
	log   string // file with its output
	ended chan struct{}
	err   error // set when ended is closed
}

// start starts a program with nothing of the test's environment but what it needs.
func (w *world) start(name string, command ...string) *process {
	w.t.Helper()
	dir, err := os.MkdirTemp(w.dir, name+"-")
	if err != nil {
		w.t.Fatal(err)
	}
	said, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		w.t.Fatal(err)
	}
	p := &process{t: w.t, name: name, log: said.Name(), ended: make(chan struct{})}
	p.cmd = exec.CommandContext(context.WithoutCancel(w.t.Context()), command[0], command[1:]...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, said, said
	p.cmd.Env = environment(dir)
	if err := p.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	w.started = append(w.started, p)
	w.t.Cleanup(func() {
		_ = p.cmd.Process.Kill() // it may have ended
		<-p.ended
		_ = said.Close()
		if w.t.Failed() {
			w.t.Logf("%s said:\n%s", name, p.text())
		}
	})
	return p
}

func environment(dir string) []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "DD_INSTRUMENTATION_TELEMETRY_ENABLED=false", "NO_PROXY=127.0.0.1"}
}

// text returns the end of what the process has said.
func (p *process) text() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Error(err)
	}
	return string(text[max(0, len(text)-10_000):])
}

// lines returns the lines of the log for which want returns true.
func (p *process) lines(want func(line map[string]any) bool) (out []map[string]any) {
	text, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	for text := range bytes.Lines(text) {
		var line map[string]any
		if json.Unmarshal(text, &line) == nil && want(line) {
			out = append(out, line)
		}
	}
	return out
}

// logged waits for a line of the log and returns it.
func (p *process) logged(begins string) (line map[string]any) {
	p.t.Helper()
	eventually(p.t, p.name+" says "+begins, func() bool {
		found := p.lines(func(line map[string]any) bool { msg, _ := line["msg"].(string); return strings.HasPrefix(msg, begins) })
		if len(found) > 0 {
			line = found[0]
			return true
		}
		select {
		case <-p.ended:
			p.t.Fatalf("%s ended before it said %q: %v", p.name, begins, p.err)
		default:
		}
		return false
	})
	return line
}

// refused waits for the end of a process that has to fail, and returns the one reason that
// it has: in its log, or beside it, where early builds have it. Some have it in both places.
func (p *process) refused() string {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s goes on", p.name)
	}
	if p.err == nil {
		p.t.Fatalf("%s ended without an error", p.name)
	}
	var reasons []string
	for text := range strings.Lines(p.text()) {
		var line struct{ Level, Error string }
		logged := json.Unmarshal([]byte(text), &line) == nil
		switch {
		case logged && line.Level == "ERROR":
			reasons = append(reasons, line.Error)
		case !logged && !slices.ContainsFunc(reasons, func(r string) bool { return strings.HasSuffix(strings.TrimSpace(text), r) }):
			reasons = append(reasons, strings.TrimSpace(text))
		}
	}
	if len(reasons) != 1 {
		p.t.Errorf("%s has %d reasons to end, want one: %q", p.name, len(reasons), reasons)
	}
	return strings.Join(reasons, "")
}

// stop ends a process that has to end cleanly.
func (p *process) stop() {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatalf("%s does not end", p.name)
	}
	if p.err != nil {
		p.t.Errorf("%s ended with %v", p.name, p.err)
	}
}

// kill ends a process with SIGKILL.
func (p *process) kill() {
	p.t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		p.t.Fatalf("%s: %v", p.name, err)
	}
	<-p.ended
}

// consumed returns how many events a worker is done with.
func (p *process) consumed() int64 {
	var s app.Status
	if !getJSON(p.t, fmt.Sprintf("http://%s/statusz", p.logged("worker starts")["health"]), &s) {
		return 0
	}
	return s.Events.Consumed
}

// joined waits until a worker has a share of the topic.
func (p *process) joined() *process {
	p.t.Helper()
	line := p.logged("worker starts")
	eventually(p.t, p.name+" has a share of the topic", func() bool {
		type membership struct {
			Joined     bool
			Partitions []struct{ Partition int }
		}
		var s struct{ Consumer, Stream membership } // Stream is its name on the page of early builds
		if !getJSON(p.t, fmt.Sprintf("http://%s/statusz", line["health"]), &s) {
			return false
		}
		return s.Consumer.Joined && len(s.Consumer.Partitions) > 0 || s.Stream.Joined && len(s.Stream.Partitions) > 0
	})
	return p
}

// troubles returns the messages of a worker at WARN and above that are not expected. That
// the tables were changed is; and that the group was made anew while a worker joined it,
// because here workers come and go within seconds.
func (p *process) troubles() (out []string) {
	for _, line := range p.lines(func(line map[string]any) bool { return line["level"] == "WARN" || line["level"] == "ERROR" }) {
		msg, _ := line["msg"].(string)
		err := fmt.Sprint(line["error"])
		if strings.HasPrefix(msg, "store migrated") || strings.HasPrefix(msg, "group not joined") && strings.Contains(err, "Rebalance In Progress") {
			continue
		}
		out = append(out, msg+": "+err)
	}
	return out
}

// getJSON reads JSON, and reports whether the answer was 200.
func getJSON(t *testing.T, url string, into any) bool {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client().Do(req)
	if err != nil {
		return false
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode == http.StatusOK && json.NewDecoder(resp.Body).Decode(into) == nil
}

// client keeps no connection open, because processes come and go.
func client() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
}

// eventually polls until ok returns true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for end := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}
