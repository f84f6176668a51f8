package datasets

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"

	"github.com/evalworker/evalworker/internal/config/secret"
)

// Store keeps cases. It is safe for concurrent use.
type Store struct {
	cfg    Config
	engine engine
	db     *sql.DB       // set by Connect
	writes chan write    // to the one writer; never closed
	done   chan struct{} // closed by Close
	close  sync.Once
	writer sync.WaitGroup
	fault  flt // of the last write
	claim  claim
}

// engine is a database as a store uses it.
type engine interface {
	// connect opens the database and brings its tables up to date. Without create
	// it makes nothing that is not there, and gives ErrNoStore.
	connect(ctx context.Context, create bool) (*sql.DB, error)
	// insert writes records, and reports which of them are new. At most
	// maxExemplars requests of a case stay.
	insert(ctx context.Context, tx *sql.Tx, records []record, maxExemplars int) ([]bool, error)
	// explain adds what to do about an error of the database's.
	explain(err error) error
	// general reports whether an error is the store's and not that of one change.
	general(err error) bool
	// again reports whether a transaction only has to be tried again.
	again(err error) bool
}

var (
	// ErrNoStore says that a store which was to be read does not exist.
	ErrNoStore = errors.New("no such store")
	// ErrUnavailable says that the database's server cannot be reached, or is not
	// yet or no more at work: trying again may help.
	ErrUnavailable = errors.New("not reachable")
)

// errNewer says that an older program must not touch the tables.
var errNewer = errors.New("written by a newer evalworker: use that one, or name another store")

// Open opens the store, makes it when it does not exist, and brings its tables
// up to date. The caller must Close it.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	s, err := OpenLater(cfg)
	if err != nil {
		return nil, err
	}
	return s.opened(s.Connect(ctx))
}

// OpenExisting opens the store for reading what is there. When there is none,
// the error is [ErrNoStore], and none is made.
func OpenExisting(ctx context.Context, cfg Config) (*Store, error) {
	s, err := OpenLater(cfg)
	if err != nil {
		return nil, err
	}
	return s.opened(s.connect(ctx, false))
}

func (s *Store) opened(err error) (*Store, error) {
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// OpenLater gives a store that is not connected yet: for a caller that has to
// outlast a database which is down. [Store.Connect] has to succeed before any
// other method is called but Close. The caller must Close it.
func OpenLater(cfg Config) (*Store, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	cfg = cfg.Separated()
	s := &Store{cfg: cfg, writes: make(chan write), done: make(chan struct{})}
	if cfg.Remote() {
		s.engine = &postgres{cfg}
	} else {
		s.engine = &sqliteFile{cfg}
	}
	s.cfg.Password = secret.String("") // the engine's alone
	return s, nil
}

// Connect opens the database, makes the store when it does not exist, and brings
// its tables up to date. After an error it may be called again; that helps when
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
	s.writer.Go(s.write)
	return nil
}

// Close waits for writes in flight and closes the store. It may be called again.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		close(s.done)
		s.writer.Wait()
		if s.db != nil {
			err = s.db.Close()
		}
		err = errors.Join(err, s.claim.release())
	})
	return err
}
