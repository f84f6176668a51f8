package faults

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/internal/testkit/containers"
	"github.com/evalworker/evalworker/store"
)

// storeRows are about a store that accepts nothing for a while. Every event in them
// fails, and so must be kept.
func storeRows() []scenario {
	return []scenario{
		{name: "store-absent", title: "PostgreSQL down when the worker starts", group: groupStore, run: storeAbsentRow},
		{name: "store-kill", title: "PostgreSQL SIGKILL, back after 10 s", group: groupStore, ci: true, run: storeKillRow},
		{name: "store-pause", title: "PostgreSQL paused for 30 s", group: groupStore, run: storePauseRow},
		{name: "store-full", title: "disk full under SQLite for 10 s", group: groupStore, run: storeFullRow},
		{name: "store-locked", title: "SQLite locked by another process for 10 s", group: groupStore, run: storeLockedRow},
	}
}

const (
	storeEvents   = 3000
	storeInFlight = 32
	// storeWait is the longest pause between two attempts to reach a store.
	storeWait = 5 * time.Second
)

// storeFault is one way in which a store accepts nothing.
type storeFault struct {
	down, up func()
	lasts    time.Duration
	why      string // what /readyz must say about the store
	again    int    // how often some writes may succeed in between, which begins another outage
}

// outage lets the store fail under load, and counts the cost.
func (w *world) outage(f storeFault) {
	w.t.Helper()
	w.model.script(failing)
	w.kafkaConfig(storeInFlight)
	w.begin(8, "A")
	a := w.workers["A"]
	w.publish(storeEvents)
	w.answered(storeEvents / 10)

	a.fault()
	f.down()
	began := time.Now()
	w.tells(a, f.why, "store is down")
	w.note("not ready after %.1f s", time.Since(began).Seconds())
	at := w.model.answers()
	w.lasting(f.lasts - time.Since(began))
	more := w.model.answers() - at
	w.bound(more <= storeInFlight, "%d judged with nowhere to keep them, more than are in flight", more)
	var unfinished int64
	// The brokers may not have said yet how much there is.
	w.eventually("/statusz shows the outage and what waits", func() bool {
		s, ok := a.status()
		unfinished = s.Consumer.Unfinished()
		return ok && unfinished > 0 && s.Consumer.InFlight == storeInFlight && !s.Store.DownSince.IsZero() && s.Store.Error != ""
	})

	f.up()
	back := time.Now()
	w.row.recover = w.resumed(back)
	w.note("%d unfinished", unfinished)
	w.eventually("the worker is ready", a.ready)
	w.kept(a, 1, 1+f.again+int(f.lasts/time.Minute))
	w.within(w.row.recover, backLimit, "consumed again after %.1f s")
}

// kept waits until everything is done, counts it, and asserts that each event was
// judged once and is in the store once. The log said so often that the store is down.
func (w *world) kept(a *worker, least, most int) {
	w.t.Helper()
	w.settled()
	w.balanced(a.name)
	n := w.cases(a)
	w.finish()
	w.nothingRepeated()
	w.bound(n == w.row.evaluated, "%d failures in the store, of %d that were judged", n, w.row.evaluated)
	said := a.count("store is down")
	w.bound(said >= least && said <= most, "the log says %d times that the store is down", said)
}

// storeURL returns the store of a running worker, as it was configured and as this
// process can reach it. One on a server is the same for all, also for none.
func (w *world) storeURL(a *worker) string {
	_, u, _ := strings.Cut(w.config["store"], `"`)
	u, _, _ = strings.Cut(u, `"`)
	if strings.Contains(u, "DIR") {
		dir := filepath.Dir(a.log)
		if w.wrap != nil {
			dir = a.root() + dir
		}
		u = strings.ReplaceAll(u, "DIR", dir)
	}
	return u
}

// root returns where this process sees the files of a worker with mounts of its own.
func (k *worker) root() string { return fmt.Sprintf("/proc/%d/root", k.cmd.Process.Pid) }

// cases counts the failures in a worker's store. A file is copied first: SQLite
// resolves a path, and here the result is another file when the worker has mounts of
// its own.
func (w *world) cases(a *worker) int {
	w.t.Helper()
	cfg := store.DefaultConfig()
	cfg.URL = w.storeURL(a)
	if file, ok := strings.CutPrefix(cfg.URL, "sqlite:"); ok {
		copied := filepath.Join(w.t.TempDir(), "cases.db")
		for _, part := range []string{"", "-wal"} {
			text, err := os.ReadFile(file + part)
			w.must(err)
			w.must(os.WriteFile(copied+part, text, 0o600))
		}
		cfg.URL = "sqlite:" + copied
	}
	s, err := store.OpenExisting(w.t.Context(), cfg)
	w.must(err)
	n, err := datasets.NewCases(s).Counts(w.t.Context())
	w.must(errors.Join(err, s.Close()))
	return n.Occurrences
}

// count returns the number of log lines whose message begins with a text.
func (k *process) count(msg string) int {
	text, err := os.ReadFile(k.log)
	if err != nil {
		k.t.Fatal(err)
	}
	return bytes.Count(text, []byte(`"msg":"`+msg))
}

// failing fails every criterion, after the latency of the event.
func failing(q question) modelserver.Reply {
	verdicts := make([]modelserver.Verdict, 0, len(q.Criteria))
	for _, id := range q.Criteria {
		verdicts = append(verdicts, modelserver.Verdict{ID: id, Evidence: "It left our warehouse this morning", Reason: "scripted", Verdict: "fail"})
	}
	reply := modelserver.Answer(verdicts)
	reply.Delay = evenLatency(q.id)
	return reply
}

// onPostgres provides the workers with a database of their own on the shared server.
func (w *world) onPostgres() *containers.Postgres {
	w.t.Helper()
	p := w.suite.database()
	db, err := p.Database(w.t.Context())
	w.must(err)
	w.config["store"] = fmt.Sprintf("{url: %q}", db)
	// Later rows need it, whatever happens to this one.
	w.t.Cleanup(func() {
		ctx := context.WithoutCancel(w.t.Context())
		_ = p.Unpause(ctx)
		_ = p.Start(ctx)
	})
	return p
}

// storeAbsentRow starts a worker before its database.
func storeAbsentRow(w *world) {
	const lasts = 10 * time.Second
	w.model.script(failing)
	w.kafkaConfig(storeInFlight)
	p := w.onPostgres()
	w.open(8)
	w.publish(500)
	w.must(p.Kill(w.t.Context()))
	began := time.Now()
	a := w.start("A")
	w.tells(a, "refused", "store is down")
	w.lasting(lasts - time.Since(began))
	_, alive := a.get("/livez")
	w.bound(alive == http.StatusOK, "/livez answers %d", alive)
	w.bound(w.model.answers() == 0, "%d judged with nowhere to keep them", w.model.answers())
	w.must(p.Start(w.t.Context()))
	back := time.Now()
	w.row.recover = w.resumed(back)
	w.eventually("the worker is ready", a.ready)
	w.kept(a, 1, 1)
	w.within(w.row.recover, storeWait+backLimit, "consumed after %.1f s")
}

func storeKillRow(w *world) {
	p := w.onPostgres()
	w.outage(storeFault{
		down: func() { w.must(p.Kill(w.t.Context())) }, up: func() { w.must(p.Start(w.t.Context())) }, lasts: 10 * time.Second,
		why: "refused",
	})
}

func storePauseRow(w *world) {
	p := w.onPostgres()
	w.outage(storeFault{
		down: func() { w.must(p.Pause(w.t.Context())) }, up: func() { w.must(p.Unpause(w.t.Context())) }, lasts: 30 * time.Second,
		why: "the server has not answered in time",
	})
}

// storeFullRow runs the worker on a small disk in a mount namespace of its own, which
// ends with it, and fills that disk.
func storeFullRow(w *world) {
	if os.Geteuid() != 0 {
		w.t.Skip("needs root, to mount a small disk")
	}
	if _, err := exec.LookPath("unshare"); err != nil {
		w.t.Skip("needs unshare, to mount a small disk")
	}
	disk := filepath.Join(w.dir, "A", "disk")
	w.wrap = []string{"unshare", "--mount", "sh", "-c", `mkdir "$0" && mount -t tmpfs -o size=16m tmpfs "$0" && exec "$@"`, disk}
	w.config["store"] = `{url: "sqlite:DIR/disk/cases.db", timeout: 2s}`
	filler := func() string { return filepath.Join(w.workers["A"].root(), disk, "filler") }
	w.outage(storeFault{
		down: func() {
			f, err := os.Create(filler())
			w.must(err)
			chunk := make([]byte, 4096)
			for err == nil {
				_, err = f.Write(chunk)
			}
			if !errors.Is(err, syscall.ENOSPC) {
				w.must(err)
			}
			w.must(f.Close())
		},
		up:    func() { w.must(os.Remove(filler())) },
		lasts: 10 * time.Second,
		why:   "no space is left",
	})
}

// storeLockedRow takes the only write lock of a SQLite file.
func storeLockedRow(w *world) {
	w.config["store"] = `{url: "sqlite:DIR/cases.db", timeout: 2s}`
	var db *sql.DB
	var other *sql.Conn
	w.t.Cleanup(func() {
		if db != nil {
			_ = db.Close()
		}
	})
	w.outage(storeFault{
		down: func() {
			path := filepath.Join(w.dir, "A", "cases.db")
			q := url.Values{"_pragma": {"busy_timeout(20000)"}}
			var err error
			db, err = sql.Open("sqlite", "file:"+path+"?"+q.Encode()) // the driver of package datasets
			w.must(err)
			other, err = db.Conn(w.t.Context())
			w.must(err)
			_, err = other.ExecContext(w.t.Context(), "BEGIN IMMEDIATE")
			w.must(err)
		},
		up: func() {
			_, err := other.ExecContext(w.t.Context(), "ROLLBACK")
			w.must(errors.Join(err, other.Close()))
		},
		lasts: 10 * time.Second,
		why:   "another process writes",
	})
}
