package datasets_test

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/eval"
)

// TestPostgresErrors: what somebody has to mend is told at once and in one line;
// what passes by itself is told apart. No error has the password.
func TestPostgresErrors(t *testing.T) {
	t.Parallel()
	good := onPostgres(t)
	closed, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	password := "canary" + "/" + "word"
	for name, tt := range map[string]struct {
		change  func(*url.URL)
		passes  bool
		mention string
	}{
		"wrong password":   {func(u *url.URL) { u.User = url.UserPassword("postgres", password) }, false, "refuses the user or its password"},
		"unknown user":     {func(u *url.URL) { u.User = url.UserPassword("nobody", password) }, false, "refuses the user or its password"},
		"unknown database": {func(u *url.URL) { u.Path = "/nowhere" }, false, "no such database"},
		"unknown schema":   {func(u *url.URL) { u.RawQuery += "&search_path=nowhere" }, false, "let it own the database"},
		"nobody there":     {func(u *url.URL) { u.Host = closed.Addr().String() }, true, "connection refused"},
		"unknown host":     {func(u *url.URL) { u.Host = "nowhere.invalid" }, true, "nowhere.invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := good
			u, err := url.Parse(good.URL)
			if err != nil {
				t.Fatal(err)
			}
			own, _ := u.User.Password()
			tt.change(u)
			cfg.URL = u.String()
			_, err = datasets.Open(t.Context(), cfg)
			if err == nil || errors.Is(err, datasets.ErrUnavailable) != tt.passes || !strings.Contains(err.Error(), tt.mention) {
				t.Fatalf("error %v; want %q, to pass by itself: %v", err, tt.mention, tt.passes)
			}
			if strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), own) {
				t.Errorf("more than one line, or a password: %v", err)
			}
		})
	}
}

// TestPostgresPassword: the password in the URL, and the same one beside it.
func TestPostgresPassword(t *testing.T) {
	t.Parallel()
	inURL := onPostgres(t)
	if err := open(t, inURL).Close(); err != nil {
		t.Fatal(err)
	}
	beside := inURL.Separated()
	if strings.Contains(beside.URL, ":"+beside.Password.Reveal()+"@") || beside.Password == "" {
		t.Errorf("separated: %s", beside.URL)
	}
	open(t, beside)
}

// TestPostgresIsEmpty: reading makes nothing.
func TestPostgresIsEmpty(t *testing.T) {
	t.Parallel()
	cfg := onPostgres(t)
	if _, err := datasets.OpenExisting(t.Context(), cfg); !errors.Is(err, datasets.ErrNoStore) || errors.Is(err, datasets.ErrUnavailable) {
		t.Errorf("an empty database: %v", err)
	}
	var tables int
	if err := rawPostgres(t, cfg).QueryRowContext(t.Context(), `SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'public'`).Scan(&tables); err != nil || tables != 0 {
		t.Errorf("reading made %d tables, %v", tables, err)
	}
	open(t, cfg)
	s, err := datasets.OpenExisting(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestPostgresNewer: an older program keeps its hands off.
func TestPostgresNewer(t *testing.T) {
	t.Parallel()
	cfg := onPostgres(t)
	open(t, cfg)
	if _, err := rawPostgres(t, cfg).ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, true)`); err != nil {
		t.Fatal(err)
	}
	if _, err := datasets.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "newer evalworker") || errors.Is(err, datasets.ErrUnavailable) {
		t.Errorf("opened: %v", err)
	}
}

// TestPostgresIsolation: a database whose default is stricter than read committed does
// not make workers that fail alike end each other's writes, until some give up.
func TestPostgresIsolation(t *testing.T) {
	t.Parallel()
	cfg := onPostgres(t)
	_, err := rawPostgres(t, cfg).ExecContext(t.Context(), `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = %L', current_database(), 'repeatable read'); END $$`)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for worker := range 6 {
		a, _ := archive(t, open(t, cfg), cfg)
		wg.Go(func() {
			for i := range 50 {
				if _, err := a.Offer(t.Context(), failing(100*worker+i, "q", "a"), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// TestPostgresHangs: a worker that stops in the middle of a transaction, as one
// does whose machine is frozen, does not stop the others for longer than a write
// may take.
func TestPostgresHangs(t *testing.T) {
	t.Parallel()
	cfg := onPostgres(t)
	a, _ := archive(t, open(t, cfg), cfg)
	if _, err := a.Offer(t.Context(), failing(1, "q", "a"), nil); err != nil {
		t.Fatal(err)
	}
	tx, err := rawPostgres(t, cfg).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `UPDATE cases SET label = label`); err != nil { // holds the row
		t.Fatal(err)
	}
	quick := cfg
	quick.Timeout = 100 * time.Millisecond
	b, _ := archive(t, open(t, cfg), quick)
	if _, err := b.Offer(t.Context(), failing(2, "q", "a"), nil); err == nil || eval.IsPermanent(err) {
		t.Errorf("written while another holds the case: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := a.Offer(t.Context(), failing(3, "q", "a"), nil)
		done <- err
	}()
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("did not get its turn: %v", err)
	}
}

// TestPostgresPruneRace: a case that another worker sees again while it is being
// pruned stays, with what it has counted.
func TestPostgresPruneRace(t *testing.T) {
	t.Parallel()
	cfg := onPostgres(t)
	s := open(t, cfg)
	a, _ := archive(t, s, cfg)
	old := failing(1, "q", "a")
	old.Event.OccurredAt = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := a.Offer(t.Context(), old, nil); err != nil {
		t.Fatal(err)
	}
	db := rawPostgres(t, cfg)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `UPDATE cases SET count = count + 1, last_seen = $1`, time.Now().UnixMilli()); err != nil {
		t.Fatal(err)
	}
	type result struct {
		n   int
		err error
	}
	pruned := make(chan result, 1)
	go func() {
		n, err := s.Prune(t.Context(), time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC))
		pruned <- result{n, err}
	}()
	waitFor(t, db, `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if r := <-pruned; r.err != nil || r.n != 0 {
		t.Errorf("pruned %d cases, %v; want none", r.n, r.err)
	}
	if cases, err := s.List(t.Context(), datasets.Filter{}); err != nil || len(cases) != 1 || cases[0].Count != 2 {
		t.Errorf("cases %+v, %v", cases, err)
	}
}

// TestPostgresDeadlock: of two transactions that wait in a circle the database
// ends one; it is tried again, and its caller hears nothing of it.
func TestPostgresDeadlock(t *testing.T) {
	t.Parallel()
	cfg := onPostgres(t)
	s := open(t, cfg)
	a, _ := archive(t, s, cfg)
	both := failing(1, "q", "a")
	second := both.Verdicts[0]
	second.Eval = "f"
	both.Verdicts = append(both.Verdicts, second)
	if _, err := a.Offer(t.Context(), both, nil); err != nil {
		t.Fatal(err)
	}
	cases, err := s.List(t.Context(), datasets.Filter{})
	if err != nil || len(cases) != 2 {
		t.Fatal(cases, err)
	}
	low, high := min(cases[0].ID, cases[1].ID), max(cases[0].ID, cases[1].ID)
	db := rawPostgres(t, cfg)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	touch := func(id string) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE cases SET label = label WHERE id = $1`, id)
		return err
	}
	// The other one has long waited when the circle closes, so that the store is
	// the one that notices it: it looks first.
	if _, err := tx.ExecContext(t.Context(), `SET LOCAL deadlock_timeout = '1min'`); err != nil {
		t.Fatal(err)
	}
	if err := touch(high); err != nil {
		t.Fatal(err)
	}
	offered := make(chan error, 1)
	go func() {
		again := failing(2, "q", "a")
		again.Verdicts = both.Verdicts
		n, err := a.Offer(t.Context(), again, nil) // takes low, waits for high
		if err == nil && n != 2 {
			err = fmt.Errorf("%d new, want 2", n)
		}
		offered <- err
	}()
	waitFor(t, db, `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	if err := touch(low); err != nil { // waits for low until the store has given up
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := <-offered; err != nil {
		t.Error(err)
	}
}

// TestCrashOnPostgres kills a process that writes to a server as fast as it can.
func TestCrashOnPostgres(t *testing.T) {
	t.Parallel()
	cfg := onPostgres(t)
	open(t, cfg)
	victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrash$") //nolint:gosec // this very program
	victim.Env = append(os.Environ(), crashStore+"="+cfg.URL)
	told := killAfter(t, victim, 200)
	a, _ := archive(t, open(t, cfg), cfg)
	for _, id := range told {
		r := twice(id)
		if n, err := a.Offer(t.Context(), r, r.Event); err != nil || n != 0 {
			t.Fatalf("request %s was lost: %d new, %v", id, n, err)
		}
	}
	wholeReports(t, rawPostgres(t, cfg))
}

// killAfter kills a process when it has told of so many requests, and gives them.
func killAfter(t *testing.T, victim *exec.Cmd, n int) (told []string) {
	t.Helper()
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if id, ok := strings.CutPrefix(lines.Text(), "kept "); ok {
			told = append(told, id)
		}
		if len(told) == n {
			if err := victim.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := victim.Wait(); err == nil || len(told) < n {
		t.Fatalf("the process ended by itself: %v, after %d", err, len(told))
	}
	return told
}

// rawPostgres opens a store's database beside the Store.
func rawPostgres(t *testing.T, cfg datasets.Config) *sql.DB {
	t.Helper()
	db, err := sql.Open("pgx", cfg.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// waitFor polls until a count is above zero: what another session waits for
// nobody else tells.
func waitFor(t *testing.T, db *sql.DB, count string) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for range 12_000 {
		var n int
		if err := db.QueryRowContext(t.Context(), count).Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			return
		}
		<-tick.C
	}
	t.Fatalf("nobody: %s", count)
}
