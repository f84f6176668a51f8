package store_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/testkit/containers"
	"github.com/evalworker/evalworker/store"
)

func TestMain(m *testing.M) { os.Exit(containers.Main(m, containers.WithPostgres)) }

func config(path string) store.Config {
	cfg := store.DefaultConfig()
	cfg.URL = "sqlite:" + path
	return cfg
}

func open(tb testing.TB, cfg store.Config) *store.Store {
	tb.Helper()
	s, err := store.Open(tb.Context(), cfg)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// onPostgres returns the configuration of an empty database, or skips the test where
// there is no server.
func onPostgres(t testing.TB) store.Config {
	t.Helper()
	url, ok := containers.UsePostgres(t)
	if !ok {
		t.Skip("needs a PostgreSQL")
	}
	cfg := store.DefaultConfig()
	cfg.URL = url
	return cfg
}

// raw opens a database with a second connection pool.
func raw(t *testing.T, driver, name string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, name)
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

func rawFile(t *testing.T, path string) *sql.DB {
	t.Helper()
	return raw(t, "sqlite", path+"?_pragma=busy_timeout(10000)")
}

// insert is a change that adds a row with an id.
func insert(id string) func(context.Context, *store.Tx) error {
	return func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, `
			INSERT INTO cases (id, evaluator, type, reason, label, feature, prompt_name, first_version, last_version, status, first_seen, last_seen, count)
			VALUES ($1, '', '', '', '', '', '', '', '', '', 0, 0, 1)`, id)
		return err
	}
}

// ids returns the ids of all rows in their order.
func ids(t *testing.T, s *store.Store) string {
	t.Helper()
	scan := func(row store.Row) (id string, err error) {
		err = row.Scan(&id)
		return id, err
	}
	out, err := store.Query(t.Context(), s, scan, `SELECT id FROM cases ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(out, " ")
}

// TestOpenTogether: ten processes start on one new file, and ten workers on one
// empty database.
func TestOpenTogether(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]func(*testing.T) store.Config{
		"SQLite":     func(t *testing.T) store.Config { return config(filepath.Join(t.TempDir(), "cases.db")) },
		"PostgreSQL": func(t *testing.T) store.Config { return onPostgres(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := cfg(t)
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() {
					s, err := store.Open(t.Context(), cfg)
					if err != nil {
						t.Error(err)
						return
					}
					if err := s.Close(); err != nil {
						t.Error(err)
					}
				})
			}
			wg.Wait()
		})
	}
}

func TestOpenErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := store.OpenExisting(t.Context(), config(filepath.Join(dir, "none.db"))); !errors.Is(err, store.ErrNoStore) {
		t.Errorf("a store that does not exist: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none.db")); err == nil {
		t.Error("reading created the store")
	}
	if _, err := store.Open(t.Context(), config(filepath.Join(dir, "no", "such", "folder.db"))); err == nil || !strings.Contains(err.Error(), "create its folder first") {
		t.Errorf("in a folder that does not exist: %v", err)
	}
	garbage := filepath.Join(dir, "garbage.db")
	if err := os.WriteFile(garbage, bytes.Repeat([]byte("no database "), 500), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(t.Context(), config(garbage)); err == nil {
		t.Error("a file that is no database is opened")
	}
	if fs := (store.Config{URL: "mysql://x"}).Validate(); len(fs) != 5 {
		t.Errorf("faults: %v", fs)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	s := open(t, config(":memory:"))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), insert("a")); err == nil {
		t.Error("a closed store takes a change")
	}
}

// TestBeside: another process reads and writes the file that a worker has open.
func TestBeside(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cases.db")
	cfg := config(path)
	s := open(t, cfg)
	if err := s.Write(t.Context(), insert("a")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others may read the file: %v, %v", info.Mode(), err)
	}

	tx, err := rawFile(t, path).BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.ExecContext(t.Context(), `UPDATE cases SET label = label`); err != nil { // takes the lock
		t.Fatal(err)
	}
	quick := cfg
	quick.Timeout = time.Second
	impatient, err := store.OpenExisting(t.Context(), quick)
	if err != nil {
		t.Fatalf("a store to which another process writes cannot be opened: %v", err)
	}
	if got := ids(t, impatient); got != "a" {
		t.Errorf("read meanwhile: %q", got)
	}
	if err := impatient.Write(t.Context(), insert("b")); err == nil || eval.IsPermanent(err) {
		t.Errorf("written while another writes: %v", err)
	}
	if err := impatient.Close(); err != nil {
		t.Error(err)
	}

	done := make(chan error, 1)
	go func() { done <- s.Write(t.Context(), insert("b")) }() // waits for its turn
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("did not get its turn: %v", err)
	}
}

// limitConnections makes a store use one connection, on which a pragma then applies.
func limitConnections(t *testing.T, s *store.Store) (pragma func(string)) {
	t.Helper()
	s.DB().SetMaxOpenConns(1)
	return func(text string) {
		t.Helper()
		if _, err := s.DB().ExecContext(t.Context(), "PRAGMA "+text); err != nil {
			t.Fatal(err)
		}
	}
}

// TestDiskFull: without space a change fails with a clear error and leaves nothing;
// once there is space it succeeds.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	s := open(t, config(filepath.Join(t.TempDir(), "cases.db")))
	pragma := limitConnections(t, s)
	pragma("max_page_count = 1") // as many as there are
	change := insert(strings.Repeat("long ", 100_000))
	if err := s.Write(t.Context(), change); err == nil || !strings.Contains(err.Error(), "no space is left") || eval.IsPermanent(err) {
		t.Errorf("on a full disk: %v", err)
	}
	if got := ids(t, s); got != "" {
		t.Errorf("by half: %.20q", got)
	}
	pragma("max_page_count = 1048576")
	if err := s.Write(t.Context(), change); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

// TestReadOnly: the error for a read-only file says so.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	s := open(t, config(filepath.Join(t.TempDir(), "cases.db")))
	limitConnections(t, s)("query_only = 1") // also for root
	if _, err := s.Prune(t.Context(), time.Now()); err == nil || !strings.Contains(err.Error(), "the file is read-only") {
		t.Errorf("error %v", err)
	}
}

// TestModesAreMended: a database that others could read or write is taken back by a
// program that writes to it; what its group may do stays.
func TestModesAreMended(t *testing.T) {
	t.Parallel()
	for mode, want := range map[os.FileMode]os.FileMode{0o666: 0o600, 0o644: 0o600, 0o662: 0o600, 0o600: 0o600, 0o640: 0o640, 0o660: 0o660} {
		path := filepath.Join(t.TempDir(), "cases.db")
		if err := open(t, config(path)).Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		open(t, config(path))
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%o became %o, %v; want %o", mode, info.Mode().Perm(), err, want)
		}
	}
}

// TestIrregularFiles: what is not a file is an error that says so, and nothing waits for it.
func TestIrregularFiles(t *testing.T) {
	t.Parallel()
	pipe, folder := filepath.Join(t.TempDir(), "pipe"), t.TempDir()
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{pipe: "it is a named pipe, not a regular file", folder: "it is a folder, not a regular file"} {
		if s, err := store.Open(t.Context(), config(path)); err == nil || !strings.Contains(err.Error(), want) {
			if err == nil {
				_ = s.Close()
			}
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, option := range []string{"sslrootcert", "passfile"} {
		cfg := store.DefaultConfig()
		cfg.URL = "postgres://user@db/cases?" + option + "=" + pipe
		if fs := cfg.Validate(); len(fs) != 1 || !strings.Contains(fs[0].Problem, option+" "+pipe+": it is a named pipe") {
			t.Errorf("%s: %v", option, fs)
		}
	}
	path := filepath.Join(t.TempDir(), "cases.db")
	victim := path + "-victim"
	s := open(t, config(path))
	if err := errors.Join(os.WriteFile(victim, nil, 0o600), os.Symlink(victim, path+".lock")); err != nil {
		t.Fatal(err)
	}
	if err := s.Claim(); err == nil || !strings.Contains(err.Error(), "it is a link") {
		t.Errorf("Claim = %v", err)
	}
}

// TestJournalIsCut: the write-ahead log of a store that is written to does not stay large
// after a reader that held it has gone.
func TestJournalIsCut(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "cases.db")
	s := open(t, config(path))
	held, err := rawFile(t, path).BeginTx(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := held.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM cases`).Scan(&rows); err != nil { // a snapshot
		t.Fatal(err)
	}
	content := strings.Repeat("x", 4<<20)
	write := func(id string) {
		t.Helper()
		if err := s.Write(t.Context(), insert(id+content)); err != nil {
			t.Fatal(err)
		}
	}
	size := func() int64 {
		t.Helper()
		info, err := os.Stat(path + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	for n := 0; size() <= store.MaxJournal; n++ {
		write(fmt.Sprint(n))
	}
	if err := held.Rollback(); err != nil {
		t.Fatal(err)
	}
	for n := range 3 { // the log begins anew, and is cut then
		write(fmt.Sprint("after", n))
	}
	if got := size(); got > store.MaxJournal {
		t.Errorf("the log keeps %d bytes", got)
	}
}
