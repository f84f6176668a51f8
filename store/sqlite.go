package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite" // also the driver "sqlite"

	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/internal/base/regular"
)

// sqliteFile is the engine of a database in a file, or in memory.
type sqliteFile struct{ cfg Config }

func (*sqliteFile) dialect() Dialect { return SQLite }

func (f *sqliteFile) connect(ctx context.Context, create bool) (*sql.DB, error) {
	path := f.cfg.file()
	switch _, err := os.Stat(path); {
	case !create && errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: a worker, or evalworker eval, creates it; name another with --store or --config", ErrNoStore)
	case path != memoryFile:
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("create its folder first: %w", err)
		}
	}
	if err := createPrivate(path); err != nil {
		return nil, err
	}
	if err := makePrivate(path, create); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path, f.cfg.Timeout))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4) // one to write and three to read
	if path == memoryFile {
		db.SetMaxOpenConns(1) // each further connection would get its own database
	}
	if err := f.migrate(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// migrateTries bounds the attempts to migrate when two processes start at the same
// time: SQLite has no lock that outlives a transaction.
const migrateTries = 5

func (f *sqliteFile) migrate(ctx context.Context, db *sql.DB) error {
	pause := backoff.Backoff{Min: 50 * time.Millisecond, Max: 250 * time.Millisecond}
	for try := 1; ; try++ {
		err := migrate(ctx, db, goose.DialectSQLite3, SQLite)
		if err == nil || errors.Is(err, errNewer) || try == migrateTries || !pause.Wait(ctx, try) {
			return err
		}
	}
}

// dsn returns the data source name for a file. With these settings readers do not
// wait for writers (WAL), a second writer waits for its turn, a commit is on disk
// when it returns, and deleted content is overwritten where that costs nothing.
// busy_timeout is 90 % of the store timeout, so that SQLite reports "busy" before
// our own deadline hides it.
func dsn(path string, timeout time.Duration) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", timeout.Milliseconds()*9/10), "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(fast)",
	}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// createPrivate creates the file, if it does not exist, with access for its owner
// only, because it holds users' texts, even if redacted. SQLite creates its other
// files with the same mode.
func createPrivate(path string) error {
	if path == memoryFile {
		return nil
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // the path is the operator's
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	return f.Close()
}

// makePrivate takes an existing database back from users for whom it is not, if mend is
// set. That its group may read it stays, because somebody wanted that. It is an error
// that all users can write to the database and that this cannot be mended.
func makePrivate(path string, mend bool) error {
	if path == memoryFile {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := regular.Check(info.Mode()); err != nil {
		return fmt.Errorf("%w: name another", err)
	}
	if !mend {
		return nil
	}
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm()&0o007 == 0 {
			continue // as it should be, or there is none
		}
		if err := os.Chmod(path+suffix, 0o600); err != nil && info.Mode().Perm()&0o002 != 0 {
			return fmt.Errorf("every user can write to the file: make this process's user the owner of it, or give it the mode 0600: %w", err)
		}
	}
	return nil
}

// Primary result codes (https://www.sqlite.org/rescode.html).
const (
	codeBusy     = 5
	codeLocked   = 6
	codeReadOnly = 8
	codeIOErr    = 10
	codeFull     = 13
	codeCantOpen = 14
	codeNotADB   = 26
)

// resultCode returns the primary result code of a SQLite error, else 0.
func resultCode(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

func (f *sqliteFile) explain(err error) error {
	switch resultCode(err) {
	case codeBusy, codeLocked:
		return fmt.Errorf("another process writes and did not end in time: wait for it, or raise store.timeout: %w", err)
	case codeFull:
		return fmt.Errorf("no space is left: %w", err)
	case codeReadOnly:
		return fmt.Errorf("the file is read-only: make the worker's user the owner of it and its folder: %w", err)
	case codeIOErr:
		return fmt.Errorf("the disk fails: %w", err)
	case codeNotADB:
		return fmt.Errorf("the file is not a SQLite database: name another: %w", err)
	}
	return err
}

func (f *sqliteFile) general(err error) bool {
	switch resultCode(err) {
	case codeBusy, codeLocked, codeReadOnly, codeIOErr, codeFull, codeCantOpen, codeNotADB:
		return true
	}
	return false
}

// retryable returns false: a transaction takes the only write lock when it begins,
// so no other one can interfere.
func (f *sqliteFile) retryable(error) bool { return false }
