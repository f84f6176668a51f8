package app_test

import (
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/store"
)

// TestStoreDown: while the store takes nothing, failing events wait, the worker
// says so, and passing ones go on. When it is back nothing is missing.
func TestStoreDown(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	w.storeTimeout = "1s" // after which the store is down
	k := w.start(w.load(w.configure(rulePolicy)))
	k.ready(http.StatusOK, "ok")

	unlock := lock(t, w.store())
	bad, good := numbered("bad", 5, "this is wrong"), numbered("good", 5, "this is right")
	w.emit(t.Context(), bad[0])
	k.ready(http.StatusServiceUnavailable, "store: down since")
	w.emit(t.Context(), bad[1:]...)
	w.emit(t.Context(), good...)
	k.consumed(len(good))
	k.holds(len(bad))
	down := k.Status().Store.DownSince.Format(time.RFC3339)
	eventually(t, "a second write fails, which says why", func() bool { return strings.Contains(k.Status().Store.Error, "another process writes") })
	_, first := k.get("/readyz")
	for range 200 { // while events fail by themselves and as those that wait behind others
		if _, body := k.get("/readyz"); body != first || strings.Contains(body, "bad-") || !strings.HasPrefix(body, "store: down since "+down+": begin: another process writes") {
			t.Fatalf("/readyz says %q after %q", body, first)
		}
	}
	if s := k.Status(); s.Store.Error == "" || s.Store.DownSince.IsZero() || s.Events.Consumed != 5 || s.Consumer.InFlight != 5 {
		t.Errorf("status while the store is down: store %+v, events %+v, %d in flight", s.Store, s.Events, s.Consumer.InFlight)
	}
	if status, _ := k.get("/livez"); status != http.StatusOK {
		t.Errorf("/livez = %d: a restart would mend nothing", status)
	}

	unlock()
	k.consumed(len(bad) + len(good))
	k.ready(http.StatusOK, "ok")
	k.halt()
	if d := cmp.Diff(once(bad, good), w.seen.evaluated()); d != "" {
		t.Errorf("evaluations (-want +got):\n%s", d)
	}
	if cases := w.cases(t); len(cases) != 1 || cases[0].Count != len(bad) {
		t.Errorf("cases %+v, want one of %d requests", cases, len(bad))
	}
	if n := strings.Count(w.log.text(), "store is down"); n != 1 || !strings.Contains(w.log.text(), "store is back") {
		t.Errorf("%d lines say that the store is down, want 1", n)
	}
}

// TestRetentionStatus: the page says what is kept and what the last run deleted.
func TestRetentionStatus(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	seed := w.load(w.configure(rulePolicy))
	k := w.start(seed)
	k.ready(http.StatusOK, "ok")
	w.emit(t.Context(), numbered("old", 3, "this is wrong")...)
	k.consumed(3)
	w.emit(t.Context(), numbered("new", 2, "this is wrong")...)
	k.consumed(5)
	if s := k.Status().Store; s.Version < 2 || s.Retention != (app.RetentionStatus{}) {
		t.Errorf("store %+v", s)
	}
	k.halt()
	cfg := w.load(w.configure(rulePolicy))
	cfg.Store.Keep = store.Keep{Age: 48 * time.Hour, Rows: 2}
	k = w.start(cfg)
	k.ready(http.StatusOK, "ok")
	eventually(t, "old failures are deleted", func() bool { return !k.Status().Store.Retention.LastRun.IsZero() })
	got := k.Status().Store.Retention
	got.LastRun = time.Time{}
	if d := cmp.Diff(app.RetentionStatus{Age: "48h0m0s", Rows: 2, Deleted: app.Deleted{Failures: 3, Exemplars: 3}}, got); d != "" {
		t.Errorf("retention (-want +got):\n%s", d)
	}
}

// TestRefusedWorkerChangesNothing: a newer worker that is refused, because another one is
// at work on the file, has not changed the tables under it.
func TestRefusedWorkerChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	cfg := w.load(w.configure(rulePolicy))
	s, err := store.Open(t.Context(), cfg.Store)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := errors.Join(s.Claim(), s.Rollback(t.Context(), 1)); err != nil {
		t.Fatal(err)
	}
	if _, err := app.New(t.Context(), cfg, app.Deps{Log: w.logger()}); err == nil || !strings.Contains(err.Error(), "another worker") {
		t.Fatalf("a second worker: %v", err)
	}
	looked, err := store.OpenExisting(t.Context(), cfg.Store)
	if err != nil {
		t.Fatal(err)
	}
	defer looked.Close()
	if v := looked.Versions().Store; v != 1 {
		t.Errorf("a worker that was refused made version %d of the tables", v)
	}
}

// TestStoreDownOverStop: events that wait for the store when the worker has to stop
// go to the next worker, which keeps their cases.
func TestStoreDownOverStop(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	w.storeTimeout = "1s"
	first := w.start(w.load(w.configure(rulePolicy, "shutdown: {grace: 100ms}")))
	first.ready(http.StatusOK, "ok")
	unlock := lock(t, w.store())
	bad := numbered("bad", 3, "this is wrong")
	w.emit(t.Context(), bad...)
	first.ready(http.StatusServiceUnavailable, "store: down since")
	if err := first.end(); err == nil || !strings.Contains(err.Error(), "3 messages were not finished") {
		t.Errorf("error %v, want what others will do again", err)
	}
	if n := len(w.seen.evaluated()); n != 0 {
		t.Errorf("%d events were reported whose cases are not kept", n)
	}
	unlock()

	second := w.start(w.load(w.configure(rulePolicy)))
	second.consumed(len(bad))
	second.halt()
	if cases := w.cases(t); len(cases) != 1 || cases[0].Count != len(bad) {
		t.Errorf("cases %+v, want one of %d requests", cases, len(bad))
	}
	if d := cmp.Diff(once(bad), w.seen.evaluated()); d != "" {
		t.Errorf("evaluations (-want +got):\n%s", d)
	}
}

// TestStoreMigrated: a worker that changes the tables says from which version and to which.
func TestStoreMigrated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	start := func() {
		t.Helper()
		k := w.start(w.load(w.configure(rulePolicy)))
		k.ready(http.StatusOK, "ok")
		k.halt()
	}
	start()
	if strings.Contains(w.log.text(), "store migrated") {
		t.Errorf("a new store was migrated:\n%s", w.log.text())
	}
	cfg := store.DefaultConfig()
	cfg.URL = "sqlite:" + w.store()
	s, err := store.OpenExisting(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	newest := s.Versions().Store
	if err := errors.Join(s.Rollback(t.Context(), 1), s.Close()); err != nil {
		t.Fatal(err)
	}
	start()
	start()
	if text := w.log.text(); strings.Count(text, "store migrated") != 1 || !strings.Contains(text, fmt.Sprintf(`"from":1,"to":%d`, newest)) {
		t.Errorf("the log does not say once what was migrated:\n%s", text)
	}
}

// TestStoreThatIsNone: a file that is not a store is a clear error.
func TestStoreThatIsNone(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		make func(path string) error
		want string
	}{
		"a folder":     {func(path string) error { return os.Mkdir(path, 0o750) }, "it is a folder, not a regular file: name another"},
		"another file": {func(path string) error { return os.WriteFile(path, []byte(strings.Repeat("words ", 1000)), 0o600) }, "not a database"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, passing)
			if err := tt.make(w.store()); err != nil {
				t.Fatal(err)
			}
			err := w.refused(w.load(w.configure(rulePolicy)))
			if err == nil || !strings.Contains(err.Error(), "store sqlite:"+w.store()) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want the store's URL and %q", err, tt.want)
			}
		})
	}
}

// lock holds the store's only write lock, as a backup or a stuck process does.
func lock(t *testing.T, path string) (unlock func()) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	return func() {
		t.Helper()
		if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
