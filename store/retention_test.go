package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/store"
)

// addFailures adds failures of one case each, seen a millisecond apart until now.
func addFailures(t *testing.T, s *store.Store, from, to int, now time.Time) {
	t.Helper()
	err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		for i := from; i < to; i++ {
			id, seen := fmt.Sprintf("c%05d", i), now.UnixMilli()-int64(i)
			_, err := tx.Exec(ctx, `INSERT INTO cases VALUES ($1, '', '', '', '', '', '', '', '', 'candidate', 0, $2, 1)`, id, seen)
			if err != nil {
				return err
			}
			if _, err := tx.Exec(ctx, `INSERT INTO occurrences (request_id, evaluator, case_id, prompt_version, seen) VALUES ($1, '', $2, '', $3)`, id, id, seen); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestCutoff: the later of the two bounds counts.
func TestCutoff(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, cfg store.Config, _ *sql.DB) {
		s := open(t, cfg)
		now := time.Now()
		addFailures(t, s, 0, 10, now)
		for _, tt := range []struct {
			keep store.Keep
			want time.Time
		}{
			{store.Keep{}, time.Time{}},
			{store.Keep{Age: time.Hour}, now.Add(-time.Hour)},
			{store.Keep{Rows: 10}, time.UnixMilli(now.UnixMilli() - 9)},
			{store.Keep{Rows: 11}, time.Time{}},
			{store.Keep{Rows: 3, Age: time.Hour}, time.UnixMilli(now.UnixMilli() - 2)},
			{store.Keep{Rows: 30, Age: time.Hour}, now.Add(-time.Hour)},
		} {
			if got, err := s.Cutoff(t.Context(), tt.keep, now); err != nil || !got.Equal(tt.want) {
				t.Errorf("%+v: %v, %v; want %v", tt.keep, got, err, tt.want)
			}
		}
	})
}

// TestRetain: what is too old is deleted at the start and then every hour, in more than
// one transaction, and nothing is when all is kept.
func TestRetain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cfg := config(":memory:")
		cfg.Keep.Rows = 5
		s := open(t, cfg)
		addFailures(t, s, 0, 2505, time.Now())
		ctx, cancel := context.WithCancel(t.Context())
		var deleted []int
		var all sync.WaitGroup
		all.Go(func() {
			s.Retain(ctx, func(n map[string]int, err error) {
				if err != nil {
					t.Error(err)
				}
				deleted = append(deleted, n["occurrences"], n["cases"])
			})
		})
		synctest.Wait()
		addFailures(t, s, 5000, 5003, time.Now())
		<-time.After(time.Hour + time.Second)
		synctest.Wait()
		cancel()
		all.Wait()
		if got := fmt.Sprint(deleted); got != "[2500 2500 3 3]" {
			t.Errorf("deleted %s", got)
		}
		unbounded := open(t, config(":memory:"))
		unbounded.Retain(t.Context(), func(map[string]int, error) { t.Error("deleted something") })
	})
}

// TestPruneTakesSmallSteps: no transaction deletes more than a step, so that what others
// write waits for milliseconds only, and what a step has deleted stays so when a later one
// fails.
func TestPruneTakesSmallSteps(t *testing.T) {
	t.Parallel()
	eachDatabase(t, func(t *testing.T, cfg store.Config, db *sql.DB) {
		s := open(t, cfg)
		const rows, left = 2*store.PruneStep + 5, store.PruneStep + 5 // after one step
		addFailures(t, s, 0, rows, time.Now())
		trap := []string{fmt.Sprintf(`CREATE TRIGGER trap BEFORE DELETE ON occurrences WHEN (SELECT COUNT(*) FROM occurrences) <= %d
			BEGIN SELECT RAISE(ABORT, 'in the second step'); END`, left)}
		release := `DROP TRIGGER trap`
		if cfg.Remote() {
			trap = []string{
				fmt.Sprintf(`CREATE FUNCTION trap() RETURNS trigger LANGUAGE plpgsql VOLATILE AS $$
					BEGIN IF (SELECT COUNT(*) FROM occurrences) <= %d THEN RAISE EXCEPTION 'in the second step'; END IF; RETURN OLD; END $$`, left),
				`CREATE TRIGGER trap BEFORE DELETE ON occurrences FOR EACH ROW EXECUTE FUNCTION trap()`,
			}
			release = `DROP TRIGGER trap ON occurrences`
		}
		execute(t, db, trap...)
		deleted, err := s.Prune(t.Context(), time.Now().Add(time.Hour))
		if err == nil || !strings.Contains(err.Error(), "in the second step") || deleted["occurrences"] != store.PruneStep {
			t.Errorf("deleted %v, %v; want one step and an error", deleted, err)
		}
		var n int
		if err := db.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM occurrences`).Scan(&n); err != nil || n != left {
			t.Errorf("%d are left, %v; want %d", n, err, left)
		}
		execute(t, db, release)
		if deleted, err := s.Prune(t.Context(), time.Now().Add(time.Hour)); err != nil || deleted["occurrences"] != left || deleted["cases"] != rows {
			t.Errorf("the next time deleted %v, %v; want the rest", deleted, err)
		}
	})
}

// TestRetainIsOneWorkers: while a worker of a fleet deletes, no other one does.
func TestRetainIsOneWorkers(t *testing.T) {
	t.Parallel()
	cfg := onPostgres(t)
	cfg.Keep.Rows = 5
	first, second := open(t, cfg), open(t, cfg)
	addFailures(t, first, 0, 7, time.Now())
	retain := func(s *store.Store, within time.Duration) (n int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		s.Retain(ctx, func(deleted map[string]int, err error) {
			if err != nil {
				t.Error(err)
			}
			n = deleted["occurrences"]
			cancel()
		})
		return n
	}
	db := raw(t, "pgx", cfg.URL)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), `SELECT pg_advisory_lock($1)`, store.RetainLock); err != nil { // as another worker does
		t.Fatal(err)
	}
	if n := retain(second, 500*time.Millisecond); n != 0 {
		t.Errorf("%d deleted beside another worker", n)
	}
	if _, err := conn.ExecContext(t.Context(), `SELECT pg_advisory_unlock($1)`, store.RetainLock); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if n := retain(second, time.Minute); n != 2 {
		t.Errorf("%d deleted, want 2", n)
	}
}

// TestKeepIsValidated: a bound that would delete what still counts is a fault.
func TestKeepIsValidated(t *testing.T) {
	t.Parallel()
	for _, keep := range []store.Keep{{Age: time.Minute}, {Age: -time.Hour}, {Rows: -1}} {
		cfg := config(filepath.Join(t.TempDir(), "cases.db"))
		cfg.Keep = keep
		if fs := cfg.Validate(); len(fs) != 1 {
			t.Errorf("%+v: %v", keep, fs)
		}
	}
}
