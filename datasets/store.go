package datasets

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store keeps cases. It is safe for concurrent use.
type Store struct {
	db      *sql.DB
	timeout time.Duration // of one transaction
	writes  chan write    // to the one writer; never closed
	done    chan struct{}
	close   sync.Once
	writer  sync.WaitGroup
}

// ErrNoStore says that a store which was to be read does not exist.
var ErrNoStore = errors.New("no such store")

// errNewer says that an older program must not touch the tables.
var errNewer = errors.New("written by a newer evalworker: use that one, or name another store")

// Open opens the store, makes it when it does not exist, and brings its tables
// up to date. The caller must Close it.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	path := cfg.file()
	if path != memory {
		if _, err := os.Stat(filepath.Dir(path)); err != nil {
			return nil, fmt.Errorf("store %s: make its folder first: %w", cfg.URL, err)
		}
	}
	return open(ctx, cfg)
}

// OpenExisting opens the store for reading what is there. When there is none,
// the error is [ErrNoStore], and none is made.
func OpenExisting(ctx context.Context, cfg Config) (*Store, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	path := cfg.file()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store %s: %w: a worker, or evalworker eval, makes it; name another with --store or --config", cfg.URL, ErrNoStore)
	}
	return open(ctx, cfg)
}

func open(ctx context.Context, cfg Config) (*Store, error) {
	path := cfg.file()
	if err := private(path); err != nil {
		return nil, fmt.Errorf("store %s: %w", cfg.URL, err)
	}
	db, err := sql.Open("sqlite", dsn(path, cfg.Timeout))
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", cfg.URL, err)
	}
	db.SetMaxOpenConns(4) // one writes, the others read beside it
	if path == memory {
		db.SetMaxOpenConns(1) // each connection would be a store of its own
	}
	if err := migrate(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", cfg.URL, explain(err)), db.Close())
	}
	s := &Store{db: db, timeout: cfg.Timeout, writes: make(chan write), done: make(chan struct{})}
	s.writer.Go(s.write)
	return s, nil
}

// migrateTries bounds how often a process tries that starts at the same moment
// as another: SQLite has no lock that outlives a transaction.
const migrateTries = 5

func migrate(ctx context.Context, db *sql.DB) error {
	dir, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	for try := 1; ; try++ {
		err := migrateOnce(ctx, db, dir)
		if err == nil || errors.Is(err, errNewer) || try == migrateTries || ctx.Err() != nil {
			return err
		}
		pause := time.NewTimer(time.Duration(try) * 50 * time.Millisecond)
		select {
		case <-ctx.Done():
		case <-pause.C:
		}
		pause.Stop()
	}
}

func migrateOnce(ctx context.Context, db *sql.DB, dir fs.FS) error {
	p, err := goose.NewProvider(goose.DialectSQLite3, db, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	has, wants, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return err
	case has > wants:
		return errNewer
	case has == wants:
		return nil // nothing is written, so that reading beside a worker disturbs nobody
	}
	_, err = p.Up(ctx)
	return err
}

// Close waits for writes at work and closes the store. It may be called again.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		close(s.done)
		s.writer.Wait()
		err = s.db.Close()
	})
	return err
}
