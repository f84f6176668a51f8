package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/internal/base/regular"
)

// errLocked says that another process, or another Store of this one, holds a lock.
var errLocked = errors.New("taken")

// Claim reserves the store for this worker until Close or the end of the process,
// even a crash. It fails for a second worker on one SQLite file, because the two
// would keep each other waiting. Other processes may still read, and write
// occasionally, as commands do. A PostgreSQL store admits any number of workers,
// and no other process sees a store in memory, so for both Claim does nothing.
func (s *Store) Claim() error {
	if !s.cfg.claimable() || s.claim != nil {
		return nil
	}
	// The file stays when the worker ends, because removing it would be a race.
	f, err := s.cfg.openLocked(os.O_CREATE | os.O_RDWR)
	if err != nil {
		return err
	}
	s.claim = f
	if err := f.Truncate(0); err == nil {
		_, _ = fmt.Fprintln(f, os.Getpid()) // for a person to read
	}
	return nil
}

// ClaimExisting is Claim before the store is open. It does nothing while the file does not
// exist, because the lock's place follows links to the file; call Claim once the store is
// open. A worker claims before it opens, so that a worker that is refused leaves the tables
// of the worker that has the file unchanged.
func (s *Store) ClaimExisting() error {
	if s.cfg.claimable() {
		if _, err := os.Stat(s.cfg.file()); err != nil {
			return nil //nolint:nilerr // Connect makes the file, or says what is wrong with it
		}
	}
	return s.Claim()
}

// Claimed returns the error with which [Store.Claim] would fail because another
// worker has claimed the file, else nil. It creates no file. It takes the lock for
// a moment, so a concurrent Claim may fail: use it only to explain why a worker
// does not start.
func Claimed(cfg Config) error {
	if !cfg.claimable() {
		return nil
	}
	f, err := cfg.openLocked(os.O_RDWR)
	if errors.Is(err, errLocked) {
		return err
	}
	if err == nil {
		_ = f.Close() // closing unlocks it
	}
	return nil
}

// claimable reports whether the store is a file, which only one worker may use.
func (c Config) claimable() bool { return !c.Remote() && c.file() != memoryFile }

// openLocked opens and locks the lock file beside the store's file.
func (c Config) openLocked(flags int) (*os.File, error) {
	path := c.file()
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // two links to one file share a claim
	}
	// A file of its own: a lock on the database would get in the way of SQLite's locks.
	path += ".lock"
	if info, err := os.Lstat(path); err == nil {
		if err := regular.Check(info.Mode()); err != nil {
			return nil, fmt.Errorf("store %s: %s: %w: remove it", c.URL, path, err)
		}
	}
	f, err := os.OpenFile(path, flags, 0o600) //nolint:gosec // the path is the operator's
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", c.URL, err)
	}
	if err := lock(f); err != nil {
		content := make([]byte, 20)
		n, _ := f.Read(content)
		err = errors.Join(err, f.Close())
		if errors.Is(err, errLocked) {
			return nil, &claimError{url: c.URL, holder: strings.TrimSpace(string(content[:n]))}
		}
		return nil, fmt.Errorf("store %s: lock: %w", c.URL, err)
	}
	return f, nil
}

// claimError names the process that has claimed a file, if the lock file does.
type claimError struct{ url, holder string }

func (e *claimError) Error() string {
	process := ""
	if n, err := strconv.Atoi(e.holder); err == nil {
		process = fmt.Sprintf(" (process %d)", n)
	}
	return fmt.Sprintf("store %s: another worker%s keeps its cases in this file: stop it or set store.url to another file; "+
		"workers of a fleet share a postgres:// store", e.url, process)
}

func (e *claimError) Unwrap() error { return errLocked }
