package faults

import (
	"maps"
	"slices"
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
	addrs := map[string]string{"worker": w.workers["A"].logged("worker starts")["health"].(string), "sidecar": w.sidecar().addr()}
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
