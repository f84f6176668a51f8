package datasets

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
)

// sqliteFile is a database in a file, or in memory.
type sqliteFile struct{ cfg Config }

func (f *sqliteFile) connect(ctx context.Context, create bool) (*sql.DB, error) {
	path := f.cfg.file()
	switch _, err := os.Stat(path); {
	case !create && errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: a worker, or evalworker eval, makes it; name another with --store or --config", ErrNoStore)
	case path != memory:
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("make its folder first: %w", err)
		}
	}
	if err := private(path); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", dsn(path, f.cfg.Timeout))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4) // one writes, the others read beside it
	if path == memory {
		db.SetMaxOpenConns(1) // each connection would be a store of its own
	}
	if err := f.migrate(ctx, db); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// migrateTries bounds how often a process tries that starts at the same moment
// as another: SQLite has no lock that outlives a transaction.
const migrateTries = 5

func (f *sqliteFile) migrate(ctx context.Context, db *sql.DB) error {
	for try := 1; ; try++ {
		err := migrate(ctx, db, goose.DialectSQLite3, "sqlite")
		if err == nil || errors.Is(err, errNewer) || try == migrateTries || ctx.Err() != nil {
			return err
		}
		pause(ctx, time.Duration(try)*50*time.Millisecond)
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// dsn gives the driver's name of a file. Readers do not wait for writers (WAL),
// a second writer waits its turn, a commit is on disk when it returns, and what
// is deleted is overwritten where that costs nothing. Who waits in vain gives up a
// little before his time is up, or he would not be told what he waited for.
func dsn(path string, timeout time.Duration) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", timeout.Milliseconds()*9/10), "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(fast)",
	}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// private makes the file when it does not exist, for its owner alone: it holds
// what users wrote, if redacted. SQLite gives its other files the same mode.
func private(path string) error {
	if path == memory {
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

// code gives the primary result code of an error of SQLite's, else 0.
func code(err error) int {
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		return e.Code() & 0xff
	}
	return 0
}

func (f *sqliteFile) explain(err error) error {
	switch code(err) {
	case codeBusy, codeLocked:
		return fmt.Errorf("another process writes and did not end in time: wait for it, or raise store.timeout: %w", err)
	case codeFull:
		return fmt.Errorf("no space is left: %w", err)
	case codeReadOnly:
		return fmt.Errorf("the file may only be read: give it, and its folder, to the worker's user: %w", err)
	case codeIOErr:
		return fmt.Errorf("the disk fails: %w", err)
	case codeNotADB:
		return fmt.Errorf("the file is something else: name another: %w", err)
	}
	return err
}

func (f *sqliteFile) general(err error) bool {
	switch code(err) {
	case codeBusy, codeLocked, codeReadOnly, codeIOErr, codeFull, codeCantOpen, codeNotADB:
		return true
	}
	return false
}

// again is never true: a transaction takes the one write lock before it begins.
func (f *sqliteFile) again(error) bool { return false }
