package datasets_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// crashStore names the store in the process that TestCrash kills.
const crashStore = "EVALWORKER_TEST_CRASH_STORE"

// TestCrash kills a process that writes as fast as it can. What it had been told
// to be on disk is there, and nothing is there by half.
func TestCrash(t *testing.T) {
	if path := os.Getenv(crashStore); path != "" {
		writeForever(t, path)
	}
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cases.db")
	victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrash$") //nolint:gosec // this very program
	victim.Env = append(os.Environ(), crashStore+"="+path)
	told := killAfter(t, victim, 200)

	cfg := config(path)
	a, _ := archive(t, open(t, cfg), cfg)
	for _, id := range told {
		r := twice(id)
		if n, err := a.Offer(t.Context(), r, r.Event); err != nil || n != 0 {
			t.Fatalf("request %s was lost: %d new, %v", id, n, err)
		}
	}
	wholeReports(t, raw(t, path))
}

// wholeReports looks for what a store by half would have.
func wholeReports(t *testing.T, db *sql.DB) {
	t.Helper()
	for name, query := range map[string]string{
		"counts that differ from occurrences":  `SELECT COUNT(*) FROM cases c WHERE count <> (SELECT COUNT(*) FROM occurrences o WHERE o.case_id = c.id)`,
		"cases without exemplars, or too many": `SELECT COUNT(*) FROM cases c WHERE (SELECT COUNT(*) FROM exemplars x WHERE x.case_id = c.id) NOT BETWEEN 1 AND 5`,
		"reports by half":                      `SELECT COUNT(*) FROM (SELECT 1 FROM occurrences GROUP BY request_id HAVING COUNT(*) <> 2) AS halves`,
	} {
		var n int
		if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil || n != 0 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
}

// twice gives a report with two failing verdicts.
func twice(id string) *eval.Report {
	r := failing(0, "question "+id[:1], "answer")
	r.Event.RequestID = event.RequestID(id)
	second := r.Verdicts[0]
	second.Eval = "f"
	r.Verdicts = append(r.Verdicts, second)
	return r
}

// writeForever tells on standard output what has been kept, until it is killed.
func writeForever(t *testing.T, path string) {
	t.Helper()
	cfg := config(path)
	if strings.HasPrefix(path, "postgres://") {
		cfg.URL = path
	}
	a, _ := archive(t, open(t, cfg), cfg)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for c := range 16 {
		wg.Go(func() {
			for n := 0; ; n++ {
				r := twice(fmt.Sprintf("%c%d", 'a'+c, n))
				if _, err := a.Offer(t.Context(), r, r.Event); err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				fmt.Fprintf(os.Stdout, "kept %s\n", r.Event.RequestID)
				mu.Unlock()
			}
		})
	}
	wg.Wait()
}

// raw opens a store's file beside the Store.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=busy_timeout(10000)")
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

// TestBeside: what another process does to the file that a worker has open.
func TestBeside(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cases.db")
	cfg := config(path)
	s := open(t, cfg)
	a, _ := archive(t, s, cfg)
	offer := func(a *datasets.Archive, n int) error {
		r := failing(n, "q", "a")
		_, err := a.Offer(t.Context(), r, r.Event)
		return err
	}
	if err := offer(a, 1); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the file: %v, %v", info.Mode(), err)
	}

	db := raw(t, path)
	tx, err := db.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `UPDATE cases SET label = label`); err != nil { // takes the lock
		t.Fatal(err)
	}
	quick := cfg
	quick.Timeout = 50 * time.Millisecond
	impatient, err := datasets.OpenExisting(t.Context(), quick)
	if err != nil {
		t.Fatalf("a store that somebody writes to cannot be opened: %v", err)
	}
	if cases, err := impatient.List(t.Context(), datasets.Filter{}); err != nil || len(cases) != 1 {
		t.Errorf("cannot be read meanwhile: %v, %v", cases, err)
	}
	b, _ := archive(t, impatient, quick)
	if err := offer(b, 2); err == nil || eval.IsPermanent(err) {
		t.Errorf("written while another writes: %v", err)
	}
	if err := impatient.Close(); err != nil {
		t.Error(err)
	}

	done := make(chan error, 1)
	go func() { done <- offer(a, 2) }() // waits for its turn
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("did not get its turn: %v", err)
	}
}

// TestNewerStore: an older program keeps its hands off.
func TestNewerStore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cases.db")
	if err := open(t, config(path)).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := raw(t, path).ExecContext(t.Context(), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`); err != nil {
		t.Fatal(err)
	}
	if _, err := datasets.Open(t.Context(), config(path)); err == nil || !strings.Contains(err.Error(), "newer evalworker") {
		t.Errorf("opened: %v", err)
	}
	if _, err := datasets.OpenExisting(t.Context(), config(path+"x")); !errors.Is(err, datasets.ErrNoStore) {
		t.Errorf("a store that does not exist: %v", err)
	}
}
