package upgrade

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

func TestMain(m *testing.M) { os.Exit(containers.Main(m)) }

// envUpgrade asks for the test: it builds five programs.
const envUpgrade = "EVALWORKER_TEST_UPGRADE"

// pair is an older program and a newer one.
type pair struct{ older, newer program }

// migrates reports whether the newer program changes the tables of the older one.
func (p pair) migrates() bool { return p.newer.tables > p.older.tables }

// admitted reports whether the older program may use the tables of the newer one. All
// changes so far are additive.
func (p pair) admitted() bool { return p.older.asks || !p.migrates() }

func (p pair) String() string { return p.older.name + "-" + p.newer.name }

// TestUpgrade runs each pair on each store.
func TestUpgrade(t *testing.T) {
	if os.Getenv(envUpgrade) == "" {
		t.Skip("builds five programs and runs for minutes: make upgrade")
	}
	began := time.Now()
	all := buildAll(t)
	t.Logf("built in %.0f s", time.Since(began).Seconds())
	kafka := startKafka(t)
	sample := decisions(t, kafka, append(slices.Clone(all.earlier), all.this, all.next))

	pairs := []pair{{all.this, all.next}}
	for _, p := range all.earlier {
		pairs = append(pairs, pair{p, all.this})
	}
	t.Run("SQLite", func(t *testing.T) {
		for _, p := range pairs {
			t.Run(p.String(), func(t *testing.T) {
				t.Parallel()
				oneAfterTheOther(t, newWorld(t, kafka, "file-"+p.String()), p, newFile(t), sample)
			})
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		containers.NeedEngine(t)
		server, err := containers.StartPostgres(t.Context())
		containers.Need(t, err)
		t.Cleanup(func() {
			if err := server.Close(); err != nil {
				t.Error(err)
			}
		})
		for _, p := range pairs {
			t.Run(p.String(), func(t *testing.T) {
				t.Parallel()
				sideBySide(t, newWorld(t, kafka, "server-"+p.String()), p, newDatabase(t, server), sample)
			})
		}
	})
	t.Run("spool", func(t *testing.T) {
		for _, p := range all.earlier {
			for _, way := range []pair{{p, all.this}, {all.this, p}} {
				t.Run(way.String(), func(t *testing.T) {
					t.Parallel()
					spool(t, newWorld(t, kafka, "spool-"+way.String()), way.older, way.newer)
				})
			}
		}
	})
}

// decisions lets each program alone evaluate the same events, and returns the ids in the
// sample of the rule, on which all have to agree.
func decisions(t *testing.T, kafka string, all []program) map[string]bool {
	t.Helper()
	w := newWorld(t, kafka, "decisions")
	w.publishAll(most)
	stores := map[string]*database{}
	var workers []*process
	for _, p := range all {
		stores[p.name] = newFile(t)
		workers = append(workers, w.worker(p, "alone", "alone-"+p.name, stores[p.name].url, ""))
	}
	var sample map[string]bool
	for i, p := range all {
		eventually(t, p.name+" has done all", func() bool { return workers[i].consumed() == most })
		workers[i].stop()
		got := stores[p.name].failures()
		if sample == nil {
			sample = got
		}
		if !maps.Equal(got, sample) {
			t.Fatalf("%s has another sample, of %d, than %s, of %d", p.name, len(got), all[0].name, len(sample))
		}
	}
	fails := most/3 + 1
	if n := len(sample); n < fails*2/5 || n > fails*3/5 {
		t.Fatalf("%d of %d events are in the sample of a half", n, fails)
	}
	t.Logf("decisions: %d programs have the same %d of %d events in the sample", len(all), len(sample), fails)
	return sample
}

const group = "upgrade"

// sideBySide is the upgrade of a fleet, and the way back.
func sideBySide(t *testing.T, w *world, p pair, d *database, sample map[string]bool) {
	t.Helper()
	group := group + "-" + w.topic
	start := func(of program, name string) *process {
		t.Helper()
		return w.worker(of, name, group, d.url, judge)
	}
	a, b := start(p.older, "a"), start(p.older, "b")
	a.joined()
	b.joined()
	stop := w.publish()
	w.evaluates(a.name, 100)
	d.looks(p.newer)
	d.serves(p.newer)

	c := start(p.newer, "c").joined()
	migrated(t, p, c, d)
	w.evaluates(c.name, 100)
	w.evaluates(a.name, 20) // goes on
	a.stop()
	again := start(p.older, "again")
	promised(t, p, again, d)
	if p.admitted() {
		w.evaluates(again.joined().name, 100)
		readers(p, d)
	}
	w.evaluates(c.name, 20)
	committed := w.committed(group)
	c.kill()
	rollback(t, p, d)
	last := start(p.older, "last").joined()
	w.evaluates(last.name, 50)

	n := stop()
	settled(w, group, n)
	workers := []*process{b, last}
	if p.admitted() {
		workers = append(workers, again)
	}
	for _, k := range workers {
		k.stop()
	}
	counted(w, d, n, c, committed, sample)
	for _, k := range append(workers, a, c) {
		if said := k.troubles(); len(said) > 0 {
			t.Errorf("%s complains: %q", k.name, said)
		}
	}
}

// oneAfterTheOther is the same for a file, which has one worker at a time.
func oneAfterTheOther(t *testing.T, w *world, p pair, d *database, sample map[string]bool) {
	t.Helper()
	group := group + "-" + w.topic
	start := func(of program, name string) *process {
		t.Helper()
		return w.worker(of, name, group, d.url, judge)
	}
	second := func(of program, name string) {
		t.Helper()
		if said := start(of, name).refused(); !strings.Contains(said, "another worker") || !strings.Contains(said, "keeps its cases in this file") {
			t.Errorf("a second worker, of %s, says %q", of.name, said)
		}
	}
	a := start(p.older, "a").joined()
	stop := w.publish()
	w.evaluates(a.name, 300)
	second(p.newer, "beside")
	d.looks(p.newer)
	a.stop()
	d.serves(p.newer)

	c := start(p.newer, "c").joined()
	migrated(t, p, c, d)
	w.evaluates(c.name, 300)
	if p.older.asks {
		second(p.older, "beside")
	}
	if p.migrates() {
		d.wants(p.newer, "keeps its cases in this file", 1, "store", "rollback", "--yes")
	}
	committed := w.committed(group)
	c.kill()
	again := start(p.older, "again")
	promised(t, p, again, d)
	workers := []*process{a, c}
	if p.admitted() {
		w.evaluates(again.joined().name, 100)
		again.stop()
		readers(p, d)
		workers = append(workers, again)
	}
	rollback(t, p, d)
	last := start(p.older, "last").joined()
	w.evaluates(last.name, 50)

	n := stop()
	settled(w, group, n)
	last.stop()
	counted(w, d, n, c, committed, sample)
	for _, k := range append(workers, last) {
		if said := k.troubles(); len(said) > 0 {
			t.Errorf("%s complains: %q", k.name, said)
		}
	}
}

// readers lets both programs look at the newer one's tables. Builds that do not ask whom a
// store admits need rights to change it even for a look.
func readers(p pair, d *database) {
	d.t.Helper()
	if !p.older.asks {
		d.serves(p.newer)
		return
	}
	d.looks(p.older)
	d.serves(p.older, p.newer)
}

// migrated asserts that the newer worker says once that it has changed the tables, if it has.
func migrated(t *testing.T, p pair, c *process, d *database) {
	t.Helper()
	if got := d.version(); got != p.newer.tables {
		t.Fatalf("the tables have version %d, want %d", got, p.newer.tables)
	}
	said := c.lines(func(line map[string]any) bool {
		msg, _ := line["msg"].(string)
		return strings.HasPrefix(msg, "store migrated")
	})
	if !p.migrates() {
		if len(said) > 0 {
			t.Errorf("%s says %v", c.name, said)
		}
		return
	}
	if len(said) != 1 || said[0]["from"] != float64(p.older.tables) || said[0]["to"] != float64(p.newer.tables) {
		t.Fatalf("%s says %v", c.name, said)
	}
	d.wants(p.newer, fmt.Sprintf("changed: from version %d to %d by %s, ", p.older.tables, p.newer.tables, p.newer.name), 0, "store", "status")
}

// promised asserts that the older worker is admitted, as the store promises, or refused
// with one line, if it is of a build that does not ask.
func promised(t *testing.T, p pair, again *process, d *database) {
	t.Helper()
	d.wants(p.newer, "written by: programs that know version 1 or a newer one\n", 0, "store", "status")
	if p.admitted() {
		again.logged("worker starts")
		return
	}
	if said := again.refused(); !strings.Contains(said, "newer evalworker") {
		t.Errorf("%s is refused with %q", again.name, said)
	}
}

// rollback takes the tables back, after it was said what that loses.
func rollback(t *testing.T, p pair, d *database) {
	t.Helper()
	if !p.migrates() {
		d.wants(p.newer, "nothing to do", 0, "store", "migrate", "--dry-run")
		return
	}
	to := fmt.Sprint(p.older.tables)
	before := d.count(`SELECT COUNT(*) FROM occurrences`)
	d.wants(p.newer, fmt.Sprintf("would be taken back from version %d to %s, which loses the ", p.newer.tables, to), 0, "store", "rollback", "--to", to, "--dry-run")
	d.wants(p.newer, "--yes: missing, because version "+to+" loses the ", 2, "store", "rollback", "--to", to)
	if got := d.version(); got != p.newer.tables {
		t.Fatalf("version %d, and nobody said --yes", got)
	}
	d.wants(p.newer, fmt.Sprintf("taken back from version %d to %s, which lost the ", p.newer.tables, to), 0, "store", "rollback", "--to", to, "--yes")
	if got := d.version(); got != p.older.tables {
		t.Fatalf("version %d after the rollback, want %s", got, to)
	}
	if after := d.count(`SELECT COUNT(*) FROM occurrences`); after < before {
		t.Errorf("of %d failures %d are left", before, after)
	}
}

// settled waits until n events are evaluated and committed.
func settled(w *world, group string, n int) {
	w.t.Helper()
	eventually(w.t, fmt.Sprintf("%d events evaluated", n), func() bool {
		ids := map[string]bool{}
		for _, c := range w.answered() {
			ids[c.id] = true
		}
		return len(ids) >= n
	})
	eventually(w.t, "all is committed", func() bool { return total(w.committed(group)) == total(w.ends()) })
}

// cutOff returns how many events were in flight when a share of the topic moved from one
// worker to another. Those that end later than kafka.revoke_drain allows are done again.
func cutOff(w *world) (n int) {
	for _, p := range w.started {
		for _, line := range p.lines(func(line map[string]any) bool {
			return line["msg"] == "generation ended" && line["reason"] == "revoked"
		}) {
			if inFlight, ok := line["in_flight"].(float64); ok {
				n += int(inFlight)
			}
		}
	}
	return n
}

// counted asserts that every event was evaluated, and none twice but for two reasons: the
// killed worker had finished it and not committed, where committed was read before the kill; or
// it was cut off when a share of the topic moved, which on a quiet machine happens to none. It
// also asserts that the store holds the failures that there were, each counted once.
func counted(w *world, d *database, n int, killed *process, committed map[int]int64, sample map[string]bool) {
	t := w.t
	t.Helper()
	byID := map[string][]call{}
	workers := map[string]int{}
	for _, c := range w.answered() {
		byID[c.id] = append(byID[c.id], c)
		workers[c.worker]++
	}
	places := w.places()
	lost, repeated, moved := 0, 0, 0
	want := map[string]bool{}
	for i := range n {
		id := idOf(i)
		calls := byID[id]
		if len(calls) == 0 {
			lost++
		}
		if len(calls) > 1 {
			repeated += len(calls) - 1
			if at := places[id][0]; calls[0].worker != killed.name || at.offset < committed[at.partition] {
				moved += len(calls) - 1
			}
		}
		if failsJudge(i) {
			want[id+" helpfulness"] = true
		}
		if key := id + " refusal"; sample[key] {
			want[key] = true
		}
	}
	if lost > 0 || len(byID) != n {
		t.Errorf("%d of %d events lost; %d are known", lost, n, len(byID))
	}
	if cut := cutOff(w); moved > cut {
		t.Errorf("%d evaluations were repeated that %s had committed or that another worker had begun; %d were in flight when shares of the topic moved", moved, killed.name, cut)
	}
	got := d.failures()
	if !maps.Equal(got, want) {
		for key := range want {
			if got[key] {
				delete(got, key)
				delete(want, key)
			}
		}
		t.Errorf("of the failures %d are missing: %.300v\nand %d should not be there: %.300v", len(want), want, len(got), got)
	}
	if cases := d.count(`SELECT SUM(count) FROM cases`); cases != len(d.failures()) {
		t.Errorf("cases count %d failures, and there are %d", cases, len(d.failures()))
	}
	var shares []string
	for _, name := range slices.Sorted(maps.Keys(workers)) {
		shares = append(shares, fmt.Sprintf("%s %d", name, workers[name]))
	}
	t.Logf("%d events, lost %d, repeated %d (%d of them not because of the kill), failures %d, cases %d; evaluated by %s", n, lost, repeated, moved, len(d.failures()), d.count(`SELECT COUNT(*) FROM cases`), strings.Join(shares, ", "))
}
