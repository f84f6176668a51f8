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

	"modernc.org/sqlite" // also the driver "sqlite"

	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/internal/base/regular"
)

// sqliteFile is the engine of a database in a file, or in memory.
type sqliteFile struct {
	cfg       Config
	unchanged fs.FileInfo // of a file that is read as one that nobody changes; else nil
}

func (*sqliteFile) dialect() Dialect { return SQLite }

func (f *sqliteFile) open(_ context.Context, create bool) (*sql.DB, error) {
	path := f.cfg.file()
	if !create {
		return f.openExisting(path)
	}
	if path != memoryFile {
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("create its folder first: %w", err)
		}
		if err := createPrivate(path); err != nil {
			return nil, err
		}
		if err := makePrivate(path); err != nil {
			return nil, err
		}
	}
	// Readers do not wait for writers (WAL), and the log of what is written is cut after
	// it has grown because of a reader that held it.
	db, err := sql.Open("sqlite", f.dsn(path, url.Values{"_pragma": {"journal_mode(WAL)", fmt.Sprintf("journal_size_limit(%d)", maxJournal)}}))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4) // one to write and three to read
	if path == memoryFile {
		db.SetMaxOpenConns(1) // each further connection would get its own database
	}
	return db, nil
}

// maxJournal bounds the bytes that the write-ahead log keeps on disk once it is empty.
const maxJournal = 64 << 20

// openExisting opens a file as it is, and makes none. One that may not be written to, such
// as a copy in an archive, is opened for reading only; if no worker has it open, SQLite is
// told that nobody changes it, because otherwise it would have to make files beside it.
func (f *sqliteFile) openExisting(path string) (*sql.DB, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, errNoTables
	case err != nil:
		return nil, err
	}
	if err := regular.Check(info.Mode()); err != nil {
		return nil, fmt.Errorf("%w: name another", err)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // SQLite's other files are beside the target
	}
	options := url.Values{"mode": {"rw"}}
	if !writable(path) || !writable(filepath.Dir(path)) {
		options.Set("mode", "ro")
		if !inUse(path) {
			options.Set("immutable", "1")
			f.unchanged = info
		}
	}
	db, err := sql.Open("sqlite", f.dsn(path, options))
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	return db, nil
}

// inUse reports whether a process has a file open, or has left what it wrote in the
// write-ahead log.
func inUse(path string) bool {
	if _, err := os.Stat(path + "-shm"); err == nil {
		return true
	}
	log, err := os.Stat(path + "-wal")
	return err == nil && log.Size() > 0
}

// closed returns an error if a file that was read as one that nobody changes was changed
// meanwhile, because then what was read may be wrong.
func (f *sqliteFile) closed() error {
	if f.unchanged == nil {
		return nil
	}
	now, err := os.Stat(f.cfg.file())
	if err == nil && (now.Size() != f.unchanged.Size() || !now.ModTime().Equal(f.unchanged.ModTime())) {
		err = errors.New("the file was changed while it was read: read it again")
	}
	if err != nil {
		return fmt.Errorf("store %s: %w", f.cfg.URL, err)
	}
	return nil
}

func (*sqliteFile) hasTable(ctx context.Context, db querier, name string) (exists bool, err error) {
	err = db.QueryRowContext(ctx, `SELECT COUNT(*) > 0 FROM sqlite_master WHERE type = 'table' AND name = $1`, name).Scan(&exists)
	return exists, err
}

// migrateTries bounds the attempts to migrate when two processes start at the same
// time: SQLite has no lock that outlives a transaction.
const migrateTries = 5

func (*sqliteFile) alone(ctx context.Context, db *sql.DB, fn func(context.Context, *sql.DB) error) error {
	pause := backoff.Backoff{Min: 50 * time.Millisecond, Max: 250 * time.Millisecond}
	for try := 1; ; try++ {
		err := fn(ctx, db)
		if _, old := errors.AsType[*VersionError](err); err == nil || old || try == migrateTries || !pause.Wait(ctx, try) {
			return err
		}
	}
}

// dsn returns the data source name for a file. With these settings a second writer
// waits for its turn, a commit is on disk when it returns, and deleted content is
// overwritten where that costs nothing. busy_timeout is 90 % of the store timeout, so
// that SQLite reports "busy" before our own deadline hides it.
func (f *sqliteFile) dsn(path string, options url.Values) string {
	options.Set("_txlock", "immediate")
	options["_pragma"] = append([]string{fmt.Sprintf("busy_timeout(%d)", f.cfg.Timeout.Milliseconds()*9/10)},
		append(options["_pragma"], "synchronous(FULL)", "foreign_keys(1)", "secure_delete(fast)")...)
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + options.Encode()
}

// createPrivate creates the file, if it does not exist, with access for its owner
// only, because it holds users' texts, even if redacted. SQLite creates its other
// files with the same mode.
func createPrivate(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600) //nolint:gosec // the path is the operator's
	switch {
	case errors.Is(err, fs.ErrExist):
		return nil
	case err != nil:
		return err
	}
	return f.Close()
}

// makePrivate takes an existing database back from users for whom it is not. That its
// group may read it stays, because somebody wanted that. It is an error that all users
// can write to the database and that this cannot be mended.
func makePrivate(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if err := regular.Check(info.Mode()); err != nil {
		return fmt.Errorf("%w: name another", err)
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
	case codeCantOpen:
		return fmt.Errorf("the file, or those that SQLite keeps beside it (-wal, -shm), cannot be opened: give this user the right to read them, or copy the file while no worker runs: %w", err)
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
func (*sqliteFile) retryable(error) bool { return false }

// lost, unavailable and forbidden return false: a file needs no connection, waiting does
// not cure its faults, and it has no users.
func (*sqliteFile) lost(error) bool        { return false }
func (*sqliteFile) unavailable(error) bool { return false }
func (*sqliteFile) forbidden(error) bool   { return false }
