package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// migrationNames returns the names of all migrations in order, such as 0001_cases.
func migrationNames(d Dialect) ([]string, error) {
	files, err := fs.Glob(migrations, "migrations/"+string(d)+"/*.sql") // in alphabetical order
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".sql")
	}
	return files, err
}

func newProvider(db *sql.DB, folder Dialect) (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations/"+string(folder))
	if err != nil {
		return nil, err
	}
	dialect := goose.DialectSQLite3
	if folder == PostgreSQL {
		dialect = goose.DialectPostgres
	}
	return goose.NewProvider(dialect, db, dir, goose.WithDisableGlobalRegistry(true))
}

// migrate brings the tables up to date, if the program may write to them, and returns
// the version that they had. The caller ensures that no other process does so at the
// same time, or tries again.
func (s *Store) migrate(ctx context.Context, db *sql.DB) (from int, err error) {
	v, err := readVersions(ctx, db, s.engine)
	if err != nil {
		return 0, err
	}
	if err := v.check(true); err != nil || v.current() {
		return v.Store, err
	}
	if v.Store < v.Program {
		p, err := newProvider(db, s.engine.dialect())
		if err != nil {
			return v.Store, err
		}
		if _, err := p.Up(ctx); err != nil {
			return v.Store, err
		}
	}
	err = s.record(ctx, db, v.Store, v.Program)
	if s.engine.forbidden(err) && v.Store == v.Program {
		err = nil // a role that may only change rows need not say who may use them
	}
	return v.Store, err
}

// Migrated returns the version that the tables had when the store was opened, and the one
// that they have since. The two are equal if they were up to date, and the first is 0 if
// there were none.
func (s *Store) Migrated() (from, to int) { return s.from, s.versions.Store }

// Versions returns the versions as they were found when the store was opened, or made.
func (s *Store) Versions() Versions { return s.versions }

// Pending returns the names of the migrations that [Open] would make, in order.
func (s *Store) Pending() ([]string, error) {
	names, err := migrationNames(s.engine.dialect())
	if err != nil || s.versions.Store >= len(names) {
		return nil, err
	}
	return names[s.versions.Store:], nil
}

// Loses returns what a rollback to an older version of the tables loses, such as "the
// feature of 3 of the failures"; it is empty if that is nothing.
func (s *Store) Loses(ctx context.Context, to int) ([]string, error) {
	if err := s.checkRollback(to); err != nil {
		return nil, err
	}
	var out []string
	for version := s.versions.Store; version > to; version-- {
		r := revisions()[version-1]
		if r.countLost == "" {
			continue
		}
		var n int
		if err := s.db.QueryRowContext(ctx, r.countLost).Scan(&n); err != nil {
			return nil, s.engine.explain(err)
		}
		if n > 0 {
			out = append(out, fmt.Sprintf(r.lost, n))
		}
	}
	return out, nil
}

// Rollback gives the tables the form of an older version, for programs that do not know
// the newer one. Programs that do must have stopped. What only the newer tables hold is
// lost: see [Store.Loses].
func (s *Store) Rollback(ctx context.Context, to int) error {
	if err := s.checkRollback(to); err != nil {
		return err
	}
	err := s.engine.alone(ctx, s.db, func(ctx context.Context, db *sql.DB) error {
		p, err := newProvider(db, s.engine.dialect())
		if err != nil {
			return err
		}
		if _, err := p.DownTo(ctx, int64(to)); err != nil {
			return err
		}
		return s.record(ctx, db, s.versions.Store, to)
	})
	if err != nil {
		return fmt.Errorf("store %s: roll back: %w", s.cfg.URL, s.engine.explain(err))
	}
	s.versions, err = readVersions(ctx, s.db, s.engine)
	return err
}

func (s *Store) checkRollback(to int) error {
	switch v := s.versions; {
	case v.Store > v.Program:
		return fmt.Errorf("store %s: its tables are of version %d and this program knows %d: only a newer one can change them back", s.cfg.URL, v.Store, v.Program)
	case v.Store <= 1:
		return fmt.Errorf("store %s: its tables are of version %d, and there is no older one: %w", s.cfg.URL, v.Store, ErrNoRollback)
	case to < 1 || to >= v.Store:
		return fmt.Errorf("store %s: version %d is not older than that of its tables, %d: want 1 to %d: %w", s.cfg.URL, to, v.Store, v.Store-1, ErrNoRollback)
	}
	return nil
}

// ErrNoRollback says that there is no such older version of the tables.
var ErrNoRollback = errors.New("nothing to roll back")
