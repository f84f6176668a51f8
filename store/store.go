package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/outage"
)

// Store is a database with one writer. It is safe for concurrent use.
type Store struct {
	cfg     Config
	engine  engine
	db      *sql.DB       // set by Connect
	changes chan change   // to the writer; never closed
	done    chan struct{} // closed by Close
	close   sync.Once
	writer  sync.WaitGroup
	writing outage.Outage // whether writes fail, and why
	claim   *os.File      // the locked file; nil: not claimed
}

// engine is one kind of database.
type engine interface {
	dialect() Dialect
	// connect opens the database and brings its tables up to date. Without create
	// it creates no database and no tables, and returns ErrNoStore when there are none.
	connect(ctx context.Context, create bool) (*sql.DB, error)
	// explain adds a remedy to an error of the database.
	explain(err error) error
	// general reports whether an error concerns the whole store and not just one
	// change.
	general(err error) bool
	// retryable reports whether the same transaction may succeed when it is tried again.
	retryable(err error) bool
}

var (
	// ErrNoStore says that a store to be read does not exist.
	ErrNoStore = errors.New("no such store")
	// ErrUnavailable says that the database's server cannot be reached or is not
	// working at the moment; a retry may help.
	ErrUnavailable = errors.New("not reachable")
)

// errNewer says that an older program must not touch the tables.
var errNewer = errors.New("written by a newer evalworker: use that one, or name another store")

// Open opens the store, creates it when it does not exist, and brings its tables
// up to date. The caller must Close it.
func Open(ctx context.Context, cfg Config) (*Store, error) { return open(ctx, cfg, true) }

// OpenExisting opens a store for a command that reads it, or writes for a moment. It
// never creates one: if there is none it returns [ErrNoStore].
func OpenExisting(ctx context.Context, cfg Config) (*Store, error) { return open(ctx, cfg, false) }

func open(ctx context.Context, cfg Config, create bool) (*Store, error) {
	s, err := OpenLater(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.connect(ctx, create); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenLater returns a store that is not connected yet, for a caller that has to
// start while the database is down. Until [Store.Connect] has succeeded, only Close
// may be called. The caller must Close it.
func OpenLater(cfg Config) (*Store, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	cfg = cfg.Separated()
	s := &Store{cfg: cfg, changes: make(chan change), done: make(chan struct{})}
	if cfg.Remote() {
		s.engine = &postgres{cfg}
	} else {
		s.engine = &sqliteFile{cfg}
	}
	s.cfg.Password = secret.String("") // only the engine needs it
	return s, nil
}

// Connect opens the database, creates the store when it does not exist, and brings
// its tables up to date. After an error it may be called again, which helps when
// the error is [ErrUnavailable].
func (s *Store) Connect(ctx context.Context) error { return s.connect(ctx, true) }

func (s *Store) connect(ctx context.Context, create bool) error {
	if s.db != nil {
		return nil
	}
	db, err := s.engine.connect(ctx, create)
	if err != nil {
		return fmt.Errorf("store %s: %w", s.cfg.URL, s.engine.explain(err))
	}
	s.db = db
	s.writer.Go(s.writeLoop)
	return nil
}

// Close waits for the transaction in flight and closes the store. It may be called
// again.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		close(s.done)
		s.writer.Wait()
		if s.db != nil {
			err = s.db.Close()
		}
		if s.claim != nil {
			err = errors.Join(err, s.claim.Close()) // closing the file unlocks it
		}
	})
	return err
}
