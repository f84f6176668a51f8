package datasets

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// claim is the mark that a worker has put on its file.
type claim struct{ file *os.File } // nil: none

// errTaken says that somebody else holds a lock.
var errTaken = errors.New("taken")

// Claim marks the store as this worker's until Close, or the end of the process
// however it ends. A second worker on one SQLite file is refused: the two would
// keep each other waiting. Reading, and writing with a command in between, go on
// as before. A PostgreSQL store takes any number of workers, and so does one in
// memory, which nobody else can see.
func (s *Store) Claim() error {
	if s.cfg.Remote() || s.cfg.file() == memory || s.claim.file != nil {
		return nil
	}
	// It stays when the worker ends, because to remove it would be a race.
	f, err := s.cfg.lock(os.O_CREATE | os.O_RDWR)
	if err != nil {
		return err
	}
	s.claim.file = f
	if err := f.Truncate(0); err == nil {
		_, _ = fmt.Fprintln(f, os.Getpid()) // for people
	}
	return nil
}

// Claimed gives the error with which [Store.Claim] would refuse a worker, because
// another one keeps its cases in the file; nil otherwise. It makes no file and
// keeps nothing. A claim that is made at that very moment is refused, so it is
// for explaining why a worker does not start, and not for finding out whether one
// would.
func Claimed(cfg Config) error {
	if cfg.Remote() || cfg.file() == memory {
		return nil
	}
	f, err := cfg.lock(os.O_RDWR)
	if errors.Is(err, errTaken) {
		return err
	}
	if err == nil {
		_ = f.Close() // which lets go of it
	}
	return nil
}

// lock opens the file that stands for a claim on the store's, and takes it.
func (c Config) lock(flags int) (*os.File, error) {
	path := c.file()
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // two names of one file are one file
	}
	// A file of its own: a lock on the database would get in the way of SQLite's.
	f, err := os.OpenFile(path+".lock", flags, 0o600) //nolint:gosec // the path is the operator's
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", c.URL, err)
	}
	if err := lock(f); err != nil {
		holder := make([]byte, 20)
		n, _ := f.Read(holder) // only helps to find it
		err = errors.Join(err, f.Close())
		if errors.Is(err, errTaken) {
			return nil, &takenError{url: c.URL, holder: process(holder[:n])}
		}
		return nil, fmt.Errorf("store %s: lock: %w", c.URL, err)
	}
	return f, nil
}

// takenError says who has a file.
type takenError struct{ url, holder string }

func (e *takenError) Error() string {
	return fmt.Sprintf("store %s: another worker%s keeps its cases in this file: stop it or set store.url to another file; "+
		"workers of a fleet share a postgres:// store", e.url, e.holder)
}

func (e *takenError) Unwrap() error { return errTaken }

func process(holder []byte) string {
	if n, err := strconv.Atoi(strings.TrimSpace(string(holder))); err == nil {
		return fmt.Sprintf(" (process %d)", n)
	}
	return ""
}

// release gives the mark back: the lock ends with the file.
func (c *claim) release() error {
	if c.file == nil {
		return nil
	}
	err := c.file.Close()
	c.file = nil
	return err
}
