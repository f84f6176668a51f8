package datasets_test

import (
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// crashStore names the store in the process that TestCrash kills.
const crashStore = "EVALWORKER_TEST_CRASH_STORE"

// TestCrash kills a process that writes as fast as it can. Everything that it
// reported to be on disk is there, and nothing is there by half.
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
	k := keeper(t, open(t, cfg), cfg)
	for _, id := range told {
		r := twice(id)
		if n, err := k.Offer(t.Context(), r, r.Event); err != nil || n != 0 {
			t.Fatalf("request %s was lost: %d new, %v", id, n, err)
		}
	}
	wholeReports(t, raw(t, "sqlite", path))
}

// wholeReports looks for traces of a report that was written by half.
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

// twice returns a report with two failing verdicts.
func twice(id string) *eval.Report {
	r := failing(0, "question "+id[:1], "answer")
	r.Event.RequestID = event.RequestID(id)
	second := r.Verdicts[0]
	second.Eval = "f"
	r.Verdicts = append(r.Verdicts, second)
	return r
}

// writeForever prints the id of each report that is on disk, until it is killed.
func writeForever(t *testing.T, path string) {
	t.Helper()
	cfg := config(path)
	if strings.HasPrefix(path, "postgres://") {
		cfg.URL = path
	}
	k := keeper(t, open(t, cfg), cfg)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for c := range 16 {
		wg.Go(func() {
			for n := 0; ; n++ {
				r := twice(fmt.Sprintf("%c%d", 'a'+c, n))
				if _, err := k.Offer(t.Context(), r, r.Event); err != nil {
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
