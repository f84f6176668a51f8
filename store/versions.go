package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Versions say which tables a store has and which programs may use them. A version of
// the tables is the number of the migration that made them; the version of a program is
// the newest that it knows.
type Versions struct {
	Store   int `json:"store"`   // of the tables; 0: there are none
	Program int `json:"program"` // of the running program
	// LowestReader and LowestWriter are the versions of the oldest programs that may
	// read the tables and write to them. An additive migration leaves them as they are,
	// so that older workers of a fleet go on.
	LowestReader int `json:"lowest_reader"`
	LowestWriter int `json:"lowest_writer"`
	// Changed says which program gave the tables this version; nil: not known.
	Changed *Change `json:"changed,omitempty"`
	// recorded reports whether the store itself says who may use it. One of an early
	// build does not, until a program that writes opens it.
	recorded bool
}

// revision says what is true of the tables once a migration has run.
type revision struct {
	lowestReader, lowestWriter int
	// lost is what a rollback of the migration loses, with a verb for its number, which
	// the query counts. Both are empty when it loses nothing.
	lost, countLost string
}

// revisions has a row for each migration, in order.
func revisions() []revision {
	return []revision{
		{lowestReader: 1, lowestWriter: 1},
		// One column with a default: older programs neither read nor write it.
		{lowestReader: 1, lowestWriter: 1, lost: "the feature of %d of the failures", countLost: `SELECT COUNT(*) FROM occurrences WHERE feature <> ''`},
	}
}

// programVersion returns the version of the tables that this program makes.
func programVersion() int { return len(revisions()) }

// VersionError says that the running program is too old for a store.
type VersionError struct {
	Versions
	Writes bool // the program wanted to write; else to read
}

func (e *VersionError) Error() string {
	use, needs := "read", e.LowestReader
	if e.Writes {
		use, needs = "written", e.LowestWriter
	}
	by := ""
	if e.Changed != nil {
		by = " (" + e.Changed.String() + ")"
	}
	return fmt.Sprintf("its tables (version %d) were changed by a newer evalworker%s and may be %s only by one that knows version %d, while this one knows %d: "+
		"use a newer one, or name another store", e.Store, by, use, needs, e.Program)
}

// check returns an error if the program may not read the store, or not write to it.
func (v Versions) check(writes bool) error {
	if v.Program < v.LowestReader || writes && v.Program < v.LowestWriter {
		return &VersionError{Versions: v, Writes: writes}
	}
	return nil
}

// current reports whether a program that writes has nothing to change.
func (v Versions) current() bool { return v.Store > v.Program || v.Store == v.Program && v.recorded }

// compatibility is the table in which a store says who may use it: one row for each
// version that it has had. It is not made by a numbered migration, because programs that
// know only those would refuse the store for one more number, and not for the tables.
const createCompatibility = `CREATE TABLE IF NOT EXISTS store_compatibility (
	version       BIGINT NOT NULL PRIMARY KEY,
	lowest_reader BIGINT NOT NULL,
	lowest_writer BIGINT NOT NULL)`

// querier is a database or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// readVersions reads the versions of a store. It changes nothing, and needs no more than
// the right to read.
func readVersions(ctx context.Context, db querier, e engine) (Versions, error) {
	v := Versions{Program: programVersion()}
	exists, err := e.hasTable(ctx, db, "goose_db_version")
	if err != nil || !exists {
		return v, err
	}
	err = db.QueryRowContext(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&v.Store)
	if err != nil || v.Store == 0 {
		return v, err
	}
	if v.Store <= v.Program {
		r := revisions()[v.Store-1]
		v.LowestReader, v.LowestWriter = r.lowestReader, r.lowestWriter
	} else {
		v.LowestReader, v.LowestWriter = v.Store, v.Store // unless the store says otherwise
	}
	if v.Changed, err = readChange(ctx, db, e, v.Store); err != nil {
		return v, err
	}
	exists, err = e.hasTable(ctx, db, "store_compatibility")
	if err != nil || !exists {
		return v, err
	}
	err = db.QueryRowContext(ctx, `SELECT lowest_reader, lowest_writer FROM store_compatibility WHERE version = $1`, v.Store).Scan(&v.LowestReader, &v.LowestWriter)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return v, nil
	case err != nil:
		return v, err
	}
	v.recorded = true
	return v, nil
}

// record writes who may use each version of the tables that this program knows, up to
// the store's, and that this program has made that version from another one.
func (s *Store) record(ctx context.Context, db *sql.DB, from, version int) (err error) {
	d := s.engine.dialect()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tx.Rollback())
		}
	}()
	if _, err := tx.ExecContext(ctx, createCompatibility); err != nil {
		return err
	}
	if d == PostgreSQL { // also to roles that were given rights before there was this table
		if _, err := tx.ExecContext(ctx, `GRANT SELECT ON store_compatibility TO PUBLIC`); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM store_compatibility WHERE version > $1`, version); err != nil {
		return err
	}
	for i, r := range revisions()[:version] {
		_, err := tx.ExecContext(ctx, `INSERT INTO store_compatibility (version, lowest_reader, lowest_writer) VALUES ($1, $2, $3)
			ON CONFLICT (version) DO UPDATE SET lowest_reader = excluded.lowest_reader, lowest_writer = excluded.lowest_writer`, i+1, r.lowestReader, r.lowestWriter)
		if err != nil {
			return err
		}
	}
	if from != version {
		if err := recordChange(ctx, tx, d, s.cfg.Build, from, version); err != nil {
			return err
		}
	}
	return tx.Commit()
}
