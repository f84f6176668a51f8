package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

// networkRows are about what is between workers and one broker. The test's own client
// goes around it.
func networkRows() []scenario {
	return []scenario{
		{name: "cut", title: "cut off from all brokers for 30 s", group: groupNetwork, run: cutRow},
		{name: "cut-answers", title: "answers of all brokers dropped for 15 s, requests arrive", group: groupNetwork, run: cutAnswersRow},
		{name: "latency", title: "300 ms latency and 2 % loss to the brokers", group: groupNetwork, ci: true, run: latencyRow},
		{name: "address-hangs", title: "the first of two addresses answers nothing when a worker starts", group: groupNetwork, ci: true, run: addressHangsRow},
		{name: "name-moves", title: "the broker's name moves to another address", group: groupNetwork, run: nameMovesRow},
	}
}

// detour makes workers use the way to the shared broker on which things happen.
func (w *world) detour() *forwarder {
	w.t.Helper()
	_, err := w.suite.broker(w.t.Context())
	w.must(err)
	f := w.suite.detour
	w.t.Cleanup(func() {
		f.heal() // usually it is already
		f.secure(nil)
		f.reset()
	})
	w.entry = []string{f.addr}
	return f
}

// cutRow drops all packets for longer than a session lasts, so that the coordinator
// counts both workers as gone.
func cutRow(w *world) {
	answers := 0
	w.cutOff(30*time.Second, "not a member of the consumer group", func(f *forwarder) {
		answers = w.model.answers()
		f.cut()
	}, func() { w.note("%d evaluated meanwhile", w.model.answers()-answers) })
}

// cutAnswersRow drops the packets of the broker only: heartbeats and commits arrive, and
// the workers never learn it.
func cutAnswersRow(w *world) {
	w.cutOff(15*time.Second, noAnswer, (*forwarder).cutAnswers, func() {})
}

// cutOff cuts two workers under load off from their broker. Ready is what /readyz says of
// that; before is called at the end of the fault.
func (w *world) cutOff(lasts time.Duration, ready string, cut func(*forwarder), before func()) {
	f := w.detour()
	w.begin(8, "A", "B")
	w.publish(8000)
	w.answered(1000)
	a := w.workers["A"]
	a.fault()
	cut(f)
	cutAt := time.Now()
	w.tells(a, ready, noAnswer)
	w.lasting(lasts - time.Since(cutAt))
	before()
	f.heal()
	w.row.recover = w.resumed(time.Now())
	w.finish()
	w.nothingRepeated()
	w.within(w.row.recover, backLimit, "consumed again after %.1f s")
}

// latencyRow runs workers far away from their brokers, over a bad line.
func latencyRow(w *world) {
	const (
		latency = 300 * time.Millisecond // there and back
		loss    = 0.02
		events  = 2000
	)
	f := w.detour()
	f.set(weather{delay: latency / 2, loss: loss})
	w.allSound = true
	w.begin(8, "A", "B")
	a := w.workers["A"]
	a.fault()
	began := time.Now()
	w.publish(events)
	w.settled()
	took := time.Since(began)
	w.tells(a, "200", "")
	w.note("%.0f events/s", events/took.Seconds())
	w.finish()
	w.nothingRepeated()
	w.within(took, backLimit, "evaluated after %.1f s")
}

// addressHangsRow starts a worker whose first address drops everything, like a broker
// that was taken away for good.
func addressHangsRow(w *world) {
	gone := newForwarder(w.t, "127.0.0.1:0")
	gone.cut()
	f := w.detour()
	w.entry = []string{gone.addr, f.addr}
	w.allSound = true
	w.open(8)
	w.coordinator() // a cluster without groups has none at first, which is another subject
	w.publish(1000)
	began := time.Now()
	a := w.start("A")
	w.row.recover = w.resumed(began)
	w.publish(1000)
	w.settled()
	w.tells(a, "200", "")
	w.finish()
	w.nothingRepeated()
	w.within(w.row.recover, backLimit, "consumed after %.1f s")
}

// brokerName is a name that only the workers of nameMovesRow can resolve.
const brokerName = "broker.evalworker.test"

// nameMovesRow starts the broker again at another address, and its name is moved there.
// At the old address nothing answers any more, as when a machine is gone. Workers see a
// file of hosts of their own, which takes a mount namespace.
func nameMovesRow(w *world) {
	ctx := w.t.Context()
	hosts := filepath.Join(w.dir, "hosts")
	point := func(address string) {
		w.must(os.WriteFile(hosts, fmt.Appendf(nil, "127.0.0.1 localhost\n%s %s\n", address, brokerName), 0o644)) // in place: it is mounted
	}
	const before, after = "127.0.0.2", "127.0.0.3"
	point(before)
	w.wrap = []string{"unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, hosts}
	if os.Getuid() != 0 {
		w.wrap = append([]string{"unshare", "--map-current-user", "--user", "--keep-caps"}, w.wrap[1:]...)
	}
	if out, err := exec.CommandContext(ctx, w.wrap[0], append(w.wrap[1:], "grep", "-q", brokerName, "/etc/hosts")...).CombinedOutput(); err != nil {
		w.t.Skipf("workers cannot have hosts of their own here: %v: %s", err, out)
	}
	old := newForwarder(w.t, before+":0")
	port := old.listener.Addr().String()[len(before):]
	moved := newForwarder(w.t, after+port)
	cfg := kafkaConfig()
	cfg.Detour = func(int) string { return brokerName + port }
	broker, err := containers.StartKafka(ctx, cfg)
	w.must(err)
	w.t.Cleanup(func() {
		if err := broker.Close(); err != nil {
			w.t.Error(err)
		}
	})
	old.towards(broker.Behind())
	moved.towards(broker.Behind())
	w.kafka = broker
	w.connect(broker.Addr())
	w.entry = []string{brokerName + port}
	w.begin(8, "A", "B")
	w.publish(8000)
	w.answered(1000)
	a := w.workers["A"]
	a.fault()
	old.cut()
	w.must(broker.Kill(ctx))
	w.tells(a, noAnswer, noAnswer)
	w.must(broker.Start(ctx))
	point(after)
	w.row.recover = w.resumed(time.Now())
	w.finish()
	w.nothingRepeated()
	w.within(w.row.recover, backLimit, "consumed again after %.1f s")
}
