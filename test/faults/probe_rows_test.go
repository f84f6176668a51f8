package faults

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/evalworker/evalworker/internal/testkit/crowd"
)

// probeRows are about an orchestrator's probes.
func probeRows() []scenario {
	return []scenario{
		{name: "probes", title: "idle connections and halves of requests, 64 and 512 of each", group: groupProbes, ci: true, run: probesRow},
	}
}

const (
	siege      = 30 * time.Second
	probeEvery = time.Second
	// probePatience is how long an orchestrator waits, by default of Kubernetes.
	probePatience = time.Second
)

// probesRow besets a worker and a sidecar with clients that never finish a request. Each
// is probed once a second, and is thought dead at one failure.
func probesRow(w *world) {
	w.begin(4, "A")
	w.publish(500)
	addrs := map[string]string{"worker": w.workers["A"].logged("worker starts")["health"].(string), "sidecar": w.sidecar()}
	for _, size := range []int{64, 512} {
		probed, failed := w.beset(slices.Collect(maps.Values(addrs)), size)
		w.note("%d of each: %d of %d probes failed", size, failed, probed)
		w.bound(failed == 0, "%d probes failed among %d clients of each kind", failed, size)
	}
	w.finish()
	w.nothingRepeated()
}

// beset sends clients of each kind to each address for as long as a siege lasts, and
// returns how many probes there were meanwhile and how many of them failed.
func (w *world) beset(addrs []string, size int) (probed, failed int) {
	w.t.Helper()
	for _, addr := range addrs {
		manners := crowd.Manners("/v1/events")
		for _, kind := range []string{"idle", "half header", "half body"} {
			defer crowd.Gather(w.t.Context(), addr, size, manners[kind])()
		}
	}
	end := time.NewTimer(siege)
	defer end.Stop()
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		for _, addr := range addrs {
			for _, path := range []string{"/livez", "/readyz"} {
				probed++
				if err := crowd.Probe(w.t.Context(), addr, path, probePatience); err != nil {
					failed++
					w.t.Log(err)
				}
			}
		}
		select {
		case <-tick.C:
		case <-end.C:
			return probed, failed
		}
	}
}

// sidecar starts emitter serve and returns its address. It ends with the row.
func (w *world) sidecar() string {
	w.t.Helper()
	dir := w.t.TempDir()
	binary := filepath.Join(dir, "emitter")
	out, err := exec.CommandContext(w.t.Context(), "go", "build", "-o", binary, "github.com/evalworker/evalworker/cmd/emitter").CombinedOutput()
	if err != nil {
		w.t.Fatalf("build emitter: %v\n%s", err, out)
	}
	said, err := os.Create(filepath.Join(dir, "log"))
	w.must(err)
	// The test's context ends before its cleanup, which stops the sidecar in good order.
	cmd := exec.CommandContext(context.WithoutCancel(w.t.Context()), binary, "serve", "--brokers", strings.Join(w.brokers, ","), "--topic", w.topic,
		"--listen", "127.0.0.1:0", "--spool-dir", filepath.Join(dir, "spool"), "--grace", "1s")
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, said, said
	w.must(cmd.Start())
	w.t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		if err := cmd.Wait(); err != nil {
			w.t.Errorf("the sidecar: %v", err)
		}
		said.Close()
	})
	var line struct{ Msg, Addr string }
	w.eventually("the sidecar listens", func() bool {
		text, err := os.ReadFile(said.Name())
		return err == nil && json.NewDecoder(strings.NewReader(string(text))).Decode(&line) == nil && line.Msg == "sidecar starts"
	})
	return line.Addr
}
