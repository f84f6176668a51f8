package faults

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

// postgresRows are about a PostgreSQL that answers, and takes nothing.
func postgresRows() []scenario {
	rows := []scenario{
		{name: "pg-locked", title: "tables of PostgreSQL locked for 20 s", run: pgLockedRow},
		{name: "pg-backends", title: "backends of PostgreSQL killed each second for 15 s", run: pgBackendsRow},
		{name: "pg-limit", title: "no connection left at PostgreSQL for 10 s", run: pgLimitRow},
		{name: "pg-readonly", title: "PostgreSQL read-only for 10 s", run: pgReadOnlyRow},
		{name: "pg-silent", title: "packets to PostgreSQL dropped for 15 s", run: pgSilentRow},
		{name: "pg-table", title: "a table of PostgreSQL gone for 10 s", run: pgTableRow},
		{name: "pg-full", title: "disk full under PostgreSQL for 10 s", run: pgFullRow},
		{name: "pg-failover", title: "failover, the old primary read-only, several hosts in the URL", run: failoverHostsRow},
		{name: "pg-failover-name", title: "failover, the old primary read-only, the name moved", ci: true, run: failoverNameRow},
		{name: "pg-fleet", title: "PostgreSQL SIGKILL under two workers and retention", run: pgFleetRow},
	}
	for i := range rows {
		rows[i].group = groupStore
	}
	return rows
}

// execute runs statements on a connection of its own.
func (w *world) execute(server string, statements ...string) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), server)
	w.must(err)
	for _, s := range statements {
		_, err := conn.Exec(w.t.Context(), s)
		w.must(err)
	}
	w.must(conn.Close(w.t.Context()))
}

// ask returns the one value of a query.
func ask[T any](w *world, server, query string) (value T) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), server)
	w.must(err)
	w.must(conn.QueryRow(w.t.Context(), query).Scan(&value))
	w.must(conn.Close(w.t.Context()))
	return value
}

// database returns the name of the workers' database.
func (w *world) database() string {
	w.t.Helper()
	u, err := url.Parse(w.storeURL(nil))
	w.must(err)
	return strings.TrimPrefix(u.Path, "/")
}

// endBackends returns the statement that ends the connections of workers.
func (w *world) endBackends() string {
	return "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'evalworker' AND datname = '" + w.database() + "'"
}

// pgLockedRow locks what workers write, for twice as long as a write may take.
func pgLockedRow(w *world) {
	w.onPostgres()
	var lock *pgx.Conn
	w.outage(storeFault{
		down: func() {
			var err error
			lock, err = pgx.Connect(w.t.Context(), w.storeURL(nil))
			w.must(err)
			_, err = lock.Exec(w.t.Context(), "BEGIN; LOCK TABLE occurrences IN ACCESS EXCLUSIVE MODE")
			w.must(err)
		},
		up:    func() { w.must(lock.Close(w.t.Context())) },
		lasts: 20 * time.Second,
		why:   "another session holds a lock",
	})
}

// pgBackendsRow ends all connections of a worker again and again. It makes others, and
// nobody has to know.
func pgBackendsRow(w *world) {
	p := w.onPostgres()
	w.model.script(failing)
	w.kafkaConfig(storeInFlight)
	w.begin(8, "A")
	a := w.workers["A"]
	w.publish(7000)
	w.answered(300)

	a.fault()
	began := time.Now()
	probes, failed := 0, 0
	for kill := began; time.Since(began) < 15*time.Second; w.lasting(100 * time.Millisecond) {
		if probes++; !a.ready() {
			failed++
		}
		if time.Since(kill) >= time.Second {
			kill = time.Now()
			w.execute(p.URL(), w.endBackends())
		}
	}
	w.tells(a, "200", "")
	w.note("%d of %d probes failed; a partition stood still for %.1f s at most", failed, probes, w.standstill(began, time.Now()).Seconds())
	w.bound(failed == 0, "%d of %d probes failed", failed, probes)
	w.kept(a, 0, 0)
}

// pgLimitRow lets the workers' role have no connection.
func pgLimitRow(w *world) {
	p := w.onPostgres()
	role, database := "limited", w.database()
	w.execute(p.URL(), "DROP ROLE IF EXISTS "+role, "CREATE ROLE "+role+" LOGIN PASSWORD 'known'", "ALTER DATABASE "+database+" OWNER TO "+role)
	u, err := url.Parse(w.storeURL(nil))
	w.must(err)
	u.User = url.UserPassword(role, "known")
	w.config["store"] = fmt.Sprintf("{url: %q}", u)
	w.outage(storeFault{
		down:  func() { w.execute(p.URL(), "ALTER ROLE "+role+" CONNECTION LIMIT 0", w.endBackends()) },
		up:    func() { w.execute(p.URL(), "ALTER ROLE "+role+" CONNECTION LIMIT -1") },
		lasts: 10 * time.Second,
		why:   "no connection left",
	})
	w.execute(p.URL(), "DROP DATABASE "+database+" WITH (FORCE)", "DROP ROLE "+role)
}

func pgReadOnlyRow(w *world) {
	p := w.onPostgres()
	w.outage(storeFault{
		down: func() {
			w.execute(p.URL(), "ALTER DATABASE "+w.database()+" SET default_transaction_read_only = on", w.endBackends())
		},
		up:    func() { w.execute(p.URL(), "ALTER DATABASE "+w.database()+" RESET default_transaction_read_only") },
		lasts: 10 * time.Second,
		why:   "the server is read-only",
	})
}

// storeDetour puts a forwarder between the workers and the server of their store.
func (w *world) storeDetour() *forwarder {
	w.t.Helper()
	u, err := url.Parse(w.storeURL(nil))
	w.must(err)
	f := newForwarder(w.t, "127.0.0.1:0")
	f.towards(u.Host)
	u.Host = f.addr
	w.config["store"] = fmt.Sprintf("{url: %q}", u)
	return f
}

func pgSilentRow(w *world) {
	w.onPostgres()
	f := w.storeDetour()
	w.outage(storeFault{
		down: f.cut, up: f.heal, lasts: 15 * time.Second,
		why: "the server has not answered in time",
	})
}

// pgTableRow takes a table away, as somebody who cleans up does, and brings it back.
func pgTableRow(w *world) {
	w.onPostgres()
	w.outage(storeFault{
		down:  func() { w.execute(w.storeURL(nil), "ALTER TABLE occurrences RENAME TO gone") },
		up:    func() { w.execute(w.storeURL(nil), "ALTER TABLE gone RENAME TO occurrences") },
		lasts: 10 * time.Second,
		why:   `a table of the store is gone`,
	})
}

// pgFullRow keeps the workers' database in the container's small disk of shared memory,
// and fills that.
func pgFullRow(w *world) {
	p := w.onPostgres()
	const disk = "/dev/shm/small"
	name := "small_" + w.database()
	shell := func(script string) {
		_, err := p.Exec(w.t.Context(), "sh", "-c", script)
		w.must(err)
	}
	shell("mkdir " + disk + " && chown postgres " + disk)
	w.execute(p.URL(), "CREATE TABLESPACE small LOCATION '"+disk+"'", "CREATE DATABASE "+name+" TABLESPACE small")
	u, err := url.Parse(p.URL())
	w.must(err)
	u.Path = "/" + name
	w.config["store"] = fmt.Sprintf("{url: %q}", u)
	w.outage(storeFault{
		down:  func() { shell("dd if=/dev/zero of=/dev/shm/filler bs=4k 2>/dev/null; [ -s /dev/shm/filler ]") },
		up:    func() { shell("rm /dev/shm/filler") },
		lasts: 10 * time.Second,
		why:   "the server has no space left",
		again: 5, // what fits into a page that is not full yet
	})
	w.execute(p.URL(), "DROP DATABASE "+name+" WITH (FORCE)", "DROP TABLESPACE small", "CHECKPOINT") // later rows kill the server
	shell("rm -r " + disk)
}

// failoverLimit bounds the time from the promotion until workers go on.
const failoverLimit = 10 * time.Second

// failover makes a primary read-only that stays up, and promotes its standby.
func (w *world) failover(first, second *containers.Postgres, moved func()) {
	w.t.Helper()
	ctx := w.t.Context()
	w.outage(storeFault{
		down: func() {
			w.execute(first.URL(), "ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
		},
		up: func() {
			at := ask[string](w, first.URL(), "SELECT pg_current_wal_lsn()::text")
			w.eventually("the standby has caught up", func() bool {
				return ask[bool](w, second.URL(), "SELECT pg_last_wal_replay_lsn() >= '"+at+"'::pg_lsn")
			})
			w.execute(second.URL(), "SELECT pg_promote(true, 60)")
			moved()
		},
		lasts: 5 * time.Second,
		why:   "read-only",
	})
	w.within(w.row.recover, failoverLimit, "consumed %.1f s after the promotion")
	old := ask[string](w, first.URL(), "SHOW default_transaction_read_only")
	w.bound(old == "on" && ctx.Err() == nil, "the old primary is not read-only any more")
}

// pair starts a primary with the workers' database, and its standby.
func (w *world) pair() (first, second *containers.Postgres, u *url.URL) {
	w.t.Helper()
	first, err := containers.StartPostgres(w.t.Context())
	w.must(err)
	w.t.Cleanup(func() {
		if err := first.Close(); err != nil {
			w.t.Error(err)
		}
	})
	second, err = first.Standby(w.t.Context())
	w.must(err)
	w.t.Cleanup(func() {
		if err := second.Close(); err != nil {
			w.t.Error(err)
		}
	})
	db, err := first.Database(w.t.Context())
	w.must(err)
	u, err = url.Parse(db)
	w.must(err)
	return first, second, u
}

func failoverHostsRow(w *world) {
	first, second, u := w.pair()
	u.Host = first.Addr() + "," + second.Addr()
	w.config["store"] = fmt.Sprintf("{url: %q}", u.String()+"&target_session_attrs=read-write")
	w.failover(first, second, func() {})
}

func failoverNameRow(w *world) {
	first, second, u := w.pair()
	w.config["store"] = fmt.Sprintf("{url: %q}", u)
	f := w.storeDetour()
	w.failover(first, second, func() { f.towards(second.Addr()) })
}

// pgFleetRow kills the database while one of two workers deletes what is not kept.
func pgFleetRow(w *world) {
	const old = 400_000
	ctx := w.t.Context()
	p := w.onPostgres()
	server := w.storeURL(nil)
	w.model.script(failing)
	w.kafkaConfig(storeInFlight / 2)
	w.begin(8, "first") // makes the tables
	w.workers["first"].stop()
	w.execute(server, fmt.Sprintf(`INSERT INTO cases SELECT ('old-' || n)::text, '', '', '', '', '', '', '', '', 'candidate', 0, 0, 0 FROM generate_series(1, %d) n`, old))
	w.config["store"] = fmt.Sprintf("{url: %q, keep: {age: 1h}}", server)
	w.start("A")
	w.start("B")
	w.joined(8, "A", "B")
	a := w.workers["A"]
	w.publish(storeEvents)
	left := func() int { return ask[int](w, server, "SELECT COUNT(*) FROM cases WHERE id LIKE 'old-%'") }
	w.eventually("retention has begun", func() bool { return left() < old })

	a.fault()
	w.must(p.Kill(ctx))
	w.tells(a, "refused", "failed to connect") // whichever line is first: about what it writes or deletes
	w.lasting(5 * time.Second)
	_, alive := a.get("/livez")
	w.bound(alive == http.StatusOK, "/livez answers %d", alive)
	w.must(p.Start(context.WithoutCancel(ctx)))
	back := time.Now()
	w.row.recover = w.resumed(back)
	w.note("%d of %d old cases left", left(), old)
	w.settled()
	w.finish()
	w.nothingRepeated()
	n := w.cases(a)
	w.bound(n == w.row.evaluated, "%d failures in the store, of %d that were judged", n, w.row.evaluated)
}
