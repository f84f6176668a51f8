package datasets

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Store keeps cases. It is safe for concurrent use.
type Store struct {
	db     *sql.DB
	writes chan write // to the one writer; never closed
	done   chan struct{}
	close  sync.Once
	writer sync.WaitGroup
}

// ErrNoStore says that a store which was to be read does not exist.
var ErrNoStore = errors.New("no such store")

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
	return open(ctx, cfg.URL, path)
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
	return open(ctx, cfg.URL, path)
}

func open(ctx context.Context, shown, path string) (*Store, error) {
	db, err := sql.Open("sqlite", dsn(path))
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", shown, err)
	}
	db.SetMaxOpenConns(4) // one writes, the others read beside it
	if path == memory {
		db.SetMaxOpenConns(1) // each connection would be a store of its own
	}
	if err := migrate(ctx, db); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", shown, err), db.Close())
	}
	s := &Store{db: db, writes: make(chan write), done: make(chan struct{})}
	s.writer.Go(s.write)
	return s, nil
}

// dsn gives the driver's name of a file. Readers do not wait for writers (WAL),
// a second writer waits its turn, and a commit is on disk when it returns.
func dsn(path string) string {
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
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
		provider, err := goose.NewProvider(goose.DialectSQLite3, db, dir)
		if err == nil {
			_, err = provider.Up(ctx)
		}
		if err == nil || try == migrateTries || ctx.Err() != nil {
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
