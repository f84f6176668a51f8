package datasets_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestWhyNothingIsWritten holds SQLite's one write lock. Whoever waits for the
// writer while that waits for the lock runs out of time first, and has to be told
// what for all the same; afterwards nobody is told of a fault that is over.
func TestWhyNothingIsWritten(t *testing.T) {
	t.Parallel()
	const why = "another process writes"
	path := filepath.Join(t.TempDir(), "cases.db")
	cfg := config(path)
	cfg.Timeout = 500 * time.Millisecond
	a, _ := archive(t, open(t, cfg), cfg)
	offer := func(n int) error {
		r := failing(n, "q", "a")
		_, err := a.Offer(t.Context(), r, r.Event)
		return err
	}
	tx, err := raw(t, path).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `DELETE FROM cases`); err != nil { // takes the lock
		t.Fatal(err)
	}
	// On a machine that is busy the time may be up before the lock is given up.
	for try := 0; err == nil || !strings.Contains(err.Error(), why); try++ {
		if err = offer(1); err == nil || try == 20 {
			t.Fatalf("offer = %v, want %q", err, why)
		}
	}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			if err := offer(n); err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("offer = %v, want %q", err, why)
			}
		})
	}
	all.Wait()

	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	for try := 0; err != nil || try == 0; try++ {
		if err = offer(9); err != nil && try == 20 {
			t.Fatalf("the lock is free: %v", err)
		}
	}
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	r := failing(10, "q", "a")
	if _, err := a.Offer(late, r, r.Event); err != nil && strings.Contains(err.Error(), why) {
		t.Errorf("told of a fault that is over: %v", err)
	}
}
