package store_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/store"
)

// claimStore names the file that TestClaim's victim claims until it is killed.
const claimStore = "EVALWORKER_TEST_CLAIM_STORE"

// TestClaim: one worker has a file, under any name, exactly as long as it lives.
// Other processes may read it, and write occasionally.
func TestClaim(t *testing.T) {
	if path := os.Getenv(claimStore); path != "" {
		if err := open(t, config(path)).Claim(); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintln(os.Stdout, "kept it")
		select {} // until killed
	}
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "cases.db")
	victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestClaim$") //nolint:gosec // this very program
	victim.Env = append(os.Environ(), claimStore+"="+path)
	out, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanln(out, new(string), new(string)); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{path, link} {
		want := fmt.Sprintf("another worker (process %d) keeps its cases in this file", victim.Process.Pid)
		if err := open(t, config(name)).Claim(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("a second worker on %s: %v, want %q", filepath.Base(name), err, want)
		}
		if err := store.Claimed(config(name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("who has %s: %v, want %q", filepath.Base(name), err, want)
		}
	}
	cfg := config(path)
	if err := open(t, cfg).Write(t.Context(), insert("a")); err != nil {
		t.Errorf("a command beside a worker: %v", err)
	}

	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = victim.Wait()
	next := open(t, cfg)
	for range 2 {
		if err := store.Claimed(cfg); err != nil {
			t.Errorf("nobody has it: %v", err)
		}
	}
	for range 2 {
		if err := next.Claim(); err != nil {
			t.Errorf("after the worker was killed: %v", err)
		}
	}
	if err := open(t, cfg).Claim(); err == nil {
		t.Error("a second worker in this process")
	}
	if err := next.Close(); err != nil {
		t.Fatal(err)
	}
	if err := open(t, cfg).Claim(); err != nil {
		t.Errorf("after the worker ended: %v", err)
	}
}

// TestClaimNothing: a store that workers share, and one in memory, have no owner.
func TestClaimNothing(t *testing.T) {
	t.Parallel()
	t.Run("memory", func(t *testing.T) {
		t.Parallel()
		claimTwice(t, config(":memory:"))
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		t.Parallel()
		claimTwice(t, onPostgres(t))
	})
}

// TestClaimedMakesNothing: asking who has claimed a file creates none.
func TestClaimedMakesNothing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cases.db")
	if err := store.Claimed(config(path)); err != nil {
		t.Error(err)
	}
	if made, _ := filepath.Glob(path + "*"); len(made) != 0 {
		t.Errorf("made %v", made)
	}
}

func claimTwice(t *testing.T, cfg store.Config) {
	t.Helper()
	defer func() {
		if err := store.Claimed(cfg); err != nil {
			t.Error(err)
		}
	}()
	for range 2 {
		if err := open(t, cfg).Claim(); err != nil {
			t.Error(err)
		}
	}
}
