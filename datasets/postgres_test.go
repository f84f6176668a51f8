package datasets_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/eval"
)

// TestPostgresIsolation: a database whose default is stricter than read committed does
// not make workers that fail alike end each other's writes, until some give up.
func TestPostgresIsolation(t *testing.T) {
	t.Parallel()
	cfg := onPostgres(t)
	_, err := raw(t, "pgx", cfg.URL).ExecContext(t.Context(), `DO $$ BEGIN
		EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = %L', current_database(), 'repeatable read'); END $$`)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for worker := range 6 {
		k := keeper(t, open(t, cfg), cfg)
		wg.Go(func() {
			for i := range 50 {
				if _, err := k.Offer(t.Context(), failing(100*worker+i, "q", "a"), nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// TestPostgresHangs: a worker that stops in the middle of a transaction, for example
// because its machine is frozen, stops the others no longer than a write may take.
func TestPostgresHangs(t *testing.T) {
	t.Parallel()
	cfg := onPostgres(t)
	k := keeper(t, open(t, cfg), cfg)
	if _, err := k.Offer(t.Context(), failing(1, "q", "a"), nil); err != nil {
		t.Fatal(err)
	}
	tx, err := raw(t, "pgx", cfg.URL).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `UPDATE cases SET label = label`); err != nil { // holds the row
		t.Fatal(err)
	}
	quick := cfg
	quick.Timeout = time.Second
	b := keeper(t, open(t, quick), quick)
	if _, err := b.Offer(t.Context(), failing(2, "q", "a"), nil); err == nil || eval.IsPermanent(err) {
		t.Errorf("written while another holds the case: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := k.Offer(t.Context(), failing(3, "q", "a"), nil)
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
// pruned stays, with its count.
func TestPostgresPruneRace(t *testing.T) {
	t.Parallel()
	cfg := onPostgres(t)
	s := open(t, cfg)
	k := keeper(t, s, cfg)
	old := failing(1, "q", "a")
	old.Event.OccurredAt = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	if _, err := k.Offer(t.Context(), old, nil); err != nil {
		t.Fatal(err)
	}
	db := raw(t, "pgx", cfg.URL)
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
		pruned <- result{n["cases"], err}
	}()
	waitFor(t, db, `SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	if r := <-pruned; r.err != nil || r.n != 0 {
		t.Errorf("pruned %d cases, %v; want none", r.n, r.err)
	}
	if cases, err := datasets.NewCases(s).List(t.Context(), datasets.Filter{}); err != nil || len(cases) != 1 || cases[0].Count != 2 {
		t.Errorf("cases %+v, %v", cases, err)
	}
}

// TestPostgresDeadlock: the database aborts one of two deadlocked transactions; it
// is tried again, and its caller notices nothing.
func TestPostgresDeadlock(t *testing.T) {
	t.Parallel()
	cfg := onPostgres(t)
	s := open(t, cfg)
	k := keeper(t, s, cfg)
	both := failing(1, "q", "a")
	second := both.Verdicts[0]
	second.Eval = "f"
	both.Verdicts = append(both.Verdicts, second)
	if _, err := k.Offer(t.Context(), both, nil); err != nil {
		t.Fatal(err)
	}
	cases, err := datasets.NewCases(s).List(t.Context(), datasets.Filter{})
	if err != nil || len(cases) != 2 {
		t.Fatal(cases, err)
	}
	low, high := min(cases[0].ID, cases[1].ID), max(cases[0].ID, cases[1].ID)
	db := raw(t, "pgx", cfg.URL)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	touch := func(id string) error {
		_, err := tx.ExecContext(t.Context(), `UPDATE cases SET label = label WHERE id = $1`, id)
		return err
	}
	// The other transaction looks for a deadlock much later, so that the store finds it.
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
		n, err := k.Offer(t.Context(), again, nil) // takes low, waits for high
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
	k := keeper(t, open(t, cfg), cfg)
	for _, id := range told {
		r := twice(id)
		if n, err := k.Offer(t.Context(), r, r.Event); err != nil || n != 0 {
			t.Fatalf("request %s was lost: %d new, %v", id, n, err)
		}
	}
	wholeReports(t, raw(t, "pgx", cfg.URL))
}

// killAfter kills a process when it has printed n requests, and returns them.
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

// waitFor polls until a count is above zero, because no event reports what another
// session waits for.
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
