package datasets

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"time"

	"modernc.org/sqlite" // also the driver "sqlite"
)

// dsn gives the driver's name of a file. Readers do not wait for writers (WAL),
// a second writer waits its turn, a commit is on disk when it returns, and what
// is deleted is overwritten where that costs nothing.
func dsn(path string, timeout time.Duration) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		fmt.Sprintf("busy_timeout(%d)", timeout.Milliseconds()), "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)", "secure_delete(fast)",
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

// explain adds what to do about an error of SQLite's.
func explain(err error) error {
	switch code(err) {
	case codeBusy, codeLocked:
		return fmt.Errorf("another process writes and did not end in time: wait for it, or raise store.timeout: %w", err)
	case codeFull:
		return fmt.Errorf("no space is left: %w", err)
	case codeNotADB:
		return fmt.Errorf("the file is something else: name another: %w", err)
	}
	return err
}

// general reports whether an error is the store's and not that of one change.
func general(err error) bool {
	switch code(err) {
	case codeBusy, codeLocked, codeReadOnly, codeIOErr, codeFull, codeCantOpen, codeNotADB:
		return true
	}
	return false
}
