package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/evalworker/evalworker/internal/app"
)

// worker is one process of evalworker run. Only processes that a world started
// are ever signalled.
type worker struct {
	process
	name   string
	cmd    *exec.Cmd
	ended  chan struct{} // closed when the process is gone; err and exited are set then
	err    error
	exited time.Time

	killed bool         // with SIGKILL, by the row
	hung   bool         // a dependency hung at the end: an exit with an error is right
	termAt time.Time    // when SIGTERM was sent; a second one would end it at once
	rss    atomic.Int64 // largest resident memory seen, in bytes
}

// start starts a worker under a new name.
func (w *world) start(name string) *worker {
	w.t.Helper()
	if w.workers[name] != nil {
		w.t.Fatalf("there was a worker %s", name)
	}
	dir := filepath.Join(w.dir, name)
	if err := os.Mkdir(dir, 0o750); err != nil {
		w.t.Fatal(err)
	}
	file := filepath.Join(dir, "evalworker.yaml")
	if err := os.WriteFile(file, []byte(w.configuration(name, dir)), 0o600); err != nil {
		w.t.Fatal(err)
	}
	said, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		w.t.Fatal(err)
	}
	k := &worker{process: process{t: w.t, log: said.Name(), starts: "worker starts", health: "health"}, name: name, ended: make(chan struct{})}
	command := slices.Concat(w.wrap, []string{w.suite.binary, "run", "-c", file})
	k.cmd = exec.CommandContext(context.WithoutCancel(w.t.Context()), command[0], command[1:]...)
	k.cmd.Dir, k.cmd.Stdout, k.cmd.Stderr = dir, said, said
	k.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir, "DD_INSTRUMENTATION_TELEMETRY_ENABLED=false"}
	k.cmd.Env = append(k.cmd.Env, w.env...)
	if err := k.cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	go func() {
		defer close(k.ended)
		k.err = k.cmd.Wait()
		k.exited = time.Now()
	}()
	measured := make(chan struct{})
	go func() {
		defer close(measured)
		k.measure()
	}()
	w.t.Cleanup(func() {
		_ = k.cmd.Process.Kill() // it may have ended
		<-k.ended
		<-measured
		said.Close()
		if text, err := os.ReadFile(k.log); err == nil && w.t.Failed() {
			w.t.Logf("worker %s said:\n%s", name, text)
		}
	})
	w.workers[name] = k
	return k
}

// configuration returns the file of one worker.
func (w *world) configuration(name, dir string) string {
	entry := w.entry
	if entry == nil {
		entry = w.brokers
	}
	quoted := make([]string, len(entry))
	for i, b := range entry {
		quoted[i] = strconv.Quote(b)
	}
	fill := strings.NewReplacer("NAME", name, "DIR", dir, "MODEL", w.model.endpoint(name), "BROKERS", strings.Join(quoted, ", "))
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(w.config)) {
		fmt.Fprintf(&b, "%s: %s\n", key, fill.Replace(w.config[key]))
	}
	return b.String()
}

// measure watches the memory of the process until it ends.
func (k *worker) measure() {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		k.rss.Store(max(k.rss.Load(), peakRSS(k.cmd.Process.Pid)))
		select {
		case <-tick.C:
		case <-k.ended:
			return
		}
	}
}

// peakRSS returns the high-water mark of a process's resident memory; 0 where the
// system does not provide it.
func peakRSS(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		var kb int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kb); n == 1 {
			return kb << 10
		}
	}
	return 0
}

// terminate sends SIGTERM, unless that was done before.
func (k *worker) terminate() {
	k.t.Helper()
	if k.termAt.IsZero() {
		k.termAt = time.Now()
		k.signal(syscall.SIGTERM)
	}
}

// stop sends SIGTERM, waits for the exit and returns how long that took. finish
// asserts that it was clean.
func (k *worker) stop() time.Duration {
	k.t.Helper()
	k.terminate()
	select {
	case <-k.ended:
	case <-time.After(patience):
		k.t.Fatalf("worker %s still runs %v after SIGTERM", k.name, patience)
	}
	return k.exited.Sub(k.termAt)
}

// kill ends the worker with SIGKILL and returns the time.
func (k *worker) kill() time.Time {
	k.t.Helper()
	k.killed = true
	at := time.Now()
	k.signal(syscall.SIGKILL)
	<-k.ended
	return at
}

func (k *worker) signal(s syscall.Signal) {
	k.t.Helper()
	if err := k.cmd.Process.Signal(s); err != nil {
		k.t.Fatalf("worker %s: %v", k.name, err)
	}
}

// status reads /statusz; ok is false while there is no answer.
func (k *worker) status() (s app.Status, ok bool) {
	text, code := k.get("/statusz")
	return s, code == http.StatusOK && json.Unmarshal(text, &s) == nil
}

// ready reports whether /readyz says so.
func (k *process) ready() bool {
	_, code := k.get("/readyz")
	return code == http.StatusOK
}

// get asks the health server; code is 0 while there is no answer.
func (k *process) get(path string) (body []byte, code int) {
	addr := k.logged(k.starts)[k.health]
	if addr == nil {
		return nil, 0
	}
	ctx, cancel := context.WithTimeout(k.t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s%s", addr, path), http.NoBody)
	if err != nil {
		k.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, 0
	}
	defer resp.Body.Close()
	if body, err = io.ReadAll(resp.Body); err != nil {
		return nil, 0
	}
	return body, resp.StatusCode
}

// accounting returns what the worker had counted when it stopped cleanly.
func (k *worker) accounting() (a app.Accounting, ok bool) {
	line := k.logged("worker stopped")
	text, err := json.Marshal(line)
	if err != nil || line == nil {
		return a, false
	}
	return a, json.Unmarshal(text, &a) == nil
}

// logged returns the last line of the log with a message; nil when there is none.
func (k *process) logged(msg string) map[string]any {
	lines := k.linesOf(msg)
	if len(lines) == 0 {
		return nil
	}
	return lines[len(lines)-1]
}

// linesOf returns the lines of the log with a message.
func (k *process) linesOf(msg string) []map[string]any {
	text, err := os.ReadFile(k.log)
	if err != nil {
		return nil
	}
	var found []map[string]any
	for text := range bytes.Lines(text) {
		var line map[string]any
		if json.Unmarshal(text, &line) == nil && line["msg"] == msg {
			found = append(found, line)
		}
	}
	return found
}
