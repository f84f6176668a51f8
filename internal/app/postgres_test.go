package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/internal/testkit/containers"
)

// strict is the script of a model that fails answers with "wrong".
func strict(r modelserver.Request) modelserver.Reply {
	verdict := "pass"
	if strings.Contains(string(r.Body), "wrong") {
		verdict = "fail"
	}
	var out []modelserver.Verdict
	for _, id := range r.Criteria {
		out = append(out, modelserver.Verdict{ID: id, Evidence: "this is", Reason: "as it is", Verdict: verdict})
	}
	return modelserver.Answer(out)
}

// onPostgres returns a world whose store is a new database on a server that the
// test may stop.
func onPostgres(t *testing.T, script modelserver.Script) (*world, *containers.Postgres) {
	t.Helper()
	containers.NeedEngine(t)
	server, err := containers.StartPostgres(t.Context())
	containers.Need(t, err)
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	w := newWorld(t, script)
	w.storeTimeout = "2s" // after which the store is down
	if w.database, err = server.Database(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w, server
}

// must fails the test if an operation on a server failed.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPostgresStops: while the database is killed, and while it is frozen, failing
// events wait and the worker says so; passing ones go on. When it is back nothing
// is missing, and no event has been judged twice.
func TestPostgresStops(t *testing.T) {
	t.Parallel()
	w, server := onPostgres(t, strict)
	ctx := t.Context()
	k := w.start(w.load(w.configure(judgePolicy)))
	k.ready(http.StatusOK, "ok")

	var all [][]event.Event
	emit := func(prefix string, n int, output string) {
		t.Helper()
		events := numbered(prefix, n, output)
		all = append(all, events)
		w.emit(ctx, events...)
	}
	before := func() (n int) {
		for _, events := range all {
			n += len(events)
		}
		return n
	}
	emit("before", 5, "this is wrong")
	k.consumed(before())

	for _, outage := range []struct {
		name        string
		begin, over func() error
	}{
		{"killed", func() error { return server.Kill(ctx) }, func() error { return server.Start(ctx) }},
		{"frozen", func() error { return server.Pause(ctx) }, func() error { return server.Unpause(ctx) }},
	} {
		must(t, outage.begin())
		done := before()
		emit(outage.name+"-bad", 5, "this is wrong")
		k.ready(http.StatusServiceUnavailable, "store: down since")
		emit(outage.name+"-good", 5, "this is right")
		k.consumed(done + 5)
		k.holds(5)
		if s := k.Status(); s.Store.Error == "" || s.Store.DownSince.IsZero() || s.Events.Consumed != int64(done)+5 || s.Consumer.InFlight != 5 {
			t.Errorf("%s: store %+v, events %+v, %d in flight", outage.name, s.Store, s.Events, s.Consumer.InFlight)
		}
		must(t, outage.over())
		k.consumed(before())
		k.ready(http.StatusOK, "ok")
	}

	k.halt()
	if d := cmp.Diff(once(all...), w.seen.evaluated()); d != "" {
		t.Errorf("evaluations (-want +got):\n%s", d)
	}
	if n := len(w.model.asked()); n != before() {
		t.Errorf("the model was asked %d times about %d events", n, before())
	}
	if cases := w.cases(t); len(cases) != 1 || cases[0].Count != 15 {
		t.Errorf("cases %+v, want one of 15 requests", cases)
	}
	if log := w.log.text(); strings.Count(log, "store is down") != 2 || strings.Count(log, "store is back") != 2 {
		t.Errorf("the log says %d times that the store is down, and %d times that it is back; want 2 and 2",
			strings.Count(log, "store is down"), strings.Count(log, "store is back"))
	}
}

// TestPostgresDownAtStart: a worker that starts before its database waits for it,
// is alive and not ready, says why, and takes no events; it may be stopped.
func TestPostgresDownAtStart(t *testing.T) {
	t.Parallel()
	w, server := onPostgres(t, passing)
	must(t, server.Kill(t.Context()))
	cfg := w.load(w.configure(rulePolicy))

	given := w.start(cfg)
	given.ready(http.StatusServiceUnavailable, "store: down since")
	given.halt()

	k := w.start(cfg)
	bad := numbered("bad", 5, "this is wrong")
	w.emit(t.Context(), bad...)
	k.ready(http.StatusServiceUnavailable, "not reachable: failed to connect")
	if status, _ := k.get("/livez"); status != http.StatusOK {
		t.Errorf("/livez = %d: a restart would mend nothing", status)
	}
	if s := k.Status(); s.Consumer.Joined || s.Store.Error == "" || strings.Contains(s.Store.URL, password(t, w.database)) {
		t.Errorf("status: store %+v, joined %v", s.Store, s.Consumer.Joined)
	}
	must(t, server.Start(t.Context()))
	k.consumed(len(bad))
	k.ready(http.StatusOK, "ok")
	k.halt()
	if cases := w.cases(t); len(cases) != 1 || cases[0].Count != len(bad) {
		t.Errorf("cases %+v, want one of %d requests", cases, len(bad))
	}
	log := w.log.text()
	refused := 0 // a server that starts is another cause, which is a line at once
	for line := range strings.Lines(log) {
		if strings.Contains(line, "store is down: no events are taken") && strings.Contains(line, "connection refused") {
			refused++
		}
	}
	if refused != 2 || !strings.Contains(log, "store is reachable") {
		t.Errorf("log of two starts:\n%s", log)
	}
	if strings.Contains(log, password(t, w.database)) {
		t.Error("the log has the password")
	}
}

func password(t *testing.T, database string) string {
	t.Helper()
	u, err := url.Parse(database)
	must(t, err)
	p, ok := u.User.Password()
	if !ok || p == "" {
		t.Fatal("no password: the test shows nothing")
	}
	return p
}

// TestPostgresRefuses: an error that waiting does not cure ends the worker, with
// one line.
func TestPostgresRefuses(t *testing.T) {
	t.Parallel()
	w, _ := onPostgres(t, passing)
	right := w.database
	for name, tt := range map[string]struct{ database, want string }{
		"wrong password":   {strings.Replace(right, password(t, right), "guess", 1), "the server refuses the user or its password"},
		"unknown database": {strings.Replace(right, "/test_", "/nowhere_", 1), "the server has no such database"},
	} {
		w.database = tt.database
		err := func() error {
			k := w.start(w.load(w.configure(rulePolicy)))
			<-k.ended
			return k.err
		}()
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "guess") {
			t.Errorf("%s: %v, want one line with %q", name, err, tt.want)
		}
	}
}

// TestFleetOnPostgres: workers that start at once on an empty database share its
// cases.
func TestFleetOnPostgres(t *testing.T) {
	t.Parallel()
	w, _ := onPostgres(t, passing)
	cfg := w.load(w.configure(rulePolicy))
	var fleet []*worker
	for range 3 {
		fleet = append(fleet, w.start(cfg))
	}
	eventually(t, "every worker has a partition", func() bool {
		for _, k := range fleet {
			if len(k.Status().Consumer.Partitions) == 0 {
				return false
			}
		}
		return true
	})
	bad := numbered("bad", 300, "this is wrong")
	w.emit(t.Context(), bad...)
	eventually(t, "all events consumed", func() bool {
		n := int64(0)
		for _, k := range fleet {
			n += k.Status().Events.Consumed
		}
		return n >= int64(len(bad))
	})
	for _, k := range fleet {
		k.halt()
	}
	if d := cmp.Diff(once(bad), w.seen.evaluated()); d != "" {
		t.Errorf("evaluations (-want +got):\n%s", d)
	}
	if cases := w.cases(t); len(cases) != 1 || cases[0].Count != len(bad) || len(cases[0].Exemplars) != 5 {
		t.Errorf("%d cases, want one of %d requests", len(cases), len(bad))
	}
}

// TestSecondWorkerOnFile: a file belongs to one worker, and a second one fails at
// start with the way out. Readers disturb neither.
func TestSecondWorkerOnFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	cfg := w.load(w.configure(rulePolicy))
	first := w.start(cfg)
	bad := numbered("bad", 3, "this is wrong")
	w.emit(t.Context(), bad...)
	first.consumed(len(bad))
	err := w.refused(cfg)
	if err == nil || !strings.Contains(err.Error(), "another worker (process ") || !strings.Contains(err.Error(), "workers of a fleet share a postgres:// store") {
		t.Errorf("error %v, want who has it and what to do", err)
	}
	if cases := w.cases(t); len(cases) != 1 || cases[0].Count != len(bad) {
		t.Errorf("cases beside a worker: %+v", cases)
	}
	first.halt()
	w.start(cfg).halt()
}
