package store

import "database/sql"

// DB returns the pool of a store, for what SQLite sets per connection.
func (s *Store) DB() *sql.DB { return s.db }

// Retention returns for each table the columns of its key and of its age.
func Retention() map[string][]string {
	out := map[string][]string{}
	for _, t := range retention() {
		out[t.name] = []string{t.key, t.age, t.open}
	}
	return out
}

// SingleLine returns an error of PostgreSQL's driver as the store shows it.
func SingleLine(err error) error { return singleLineError{err} }

// Revisions is the number of versions that the program knows.
var Revisions = programVersion()

// MaxJournal is the size to which the write-ahead log is cut.
const MaxJournal = maxJournal

// RetainLock is the lock of the worker that deletes.
const RetainLock = int64(retainLock)

// PruneStep is the most that one transaction of Prune deletes.
const PruneStep = pruneStep
