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
	cfg    Config
	engine engine
	db     *sql.DB // set by Connect
	// Set by Connect: the versions of tables and program, and the version that the
	// tables had before.
	versions Versions
	from     int
	changes  chan change   // to the writer; never closed
	done     chan struct{} // closed by Close
	close    sync.Once
	writer   sync.WaitGroup
	writing  outage.Outage // whether writes fail, and why
	claim    *os.File      // the locked file; nil: not claimed
}

// engine is one kind of database.
type engine interface {
	dialect() Dialect
	// open opens a pool of connections. Without create it makes no database and changes
	// none, and returns ErrNoStore when there is none.
	open(ctx context.Context, create bool) (*sql.DB, error)
	// hasTable reports whether there is a table.
	hasTable(ctx context.Context, db querier, name string) (bool, error)
	// alone calls fn, which changes tables, while no other process does the same. Where
	// there is no lock for that it calls fn again when fn has failed.
	alone(ctx context.Context, db *sql.DB, fn func(context.Context, *sql.DB) error) error
	// one calls fn and reports so, unless another worker is calling its own at the moment.
	one(ctx context.Context, fn func(context.Context) error) (bool, error)
	// unavailable reports whether an error of opening may be over later.
	unavailable(err error) bool
	// forbidden reports whether the user lacks a right.
	forbidden(err error) bool
	// size returns the bytes of the store.
	size(ctx context.Context, db *sql.DB) (int64, error)
	// users returns what else has the store open.
	users(ctx context.Context, db *sql.DB) ([]string, error)
	// closed returns an error if what was read cannot be relied on.
	closed() error
	// explain adds a remedy to an error of the database.
	explain(err error) error
	// general reports whether an error concerns the whole store and not just one
	// change.
	general(err error) bool
	// retryable reports whether the same transaction may succeed when it is tried again,
	// because another one was in its way.
	retryable(err error) bool
	// lost reports whether an error comes from a connection that is of no use any more,
	// and the others of the pool probably neither: the server has ended or gone away, or
	// has become a standby.
	lost(err error) bool
}

var (
	// ErrNoStore says that a store to be read does not exist.
	ErrNoStore = errors.New("no such store")
	// ErrUnavailable says that the database's server cannot be reached or is not
	// working at the moment; a retry may help.
	ErrUnavailable = errors.New("not reachable")
)

// Open opens the store, creates it when it does not exist, and brings its tables
// up to date. The caller must Close it.
func Open(ctx context.Context, cfg Config) (*Store, error) { return open(ctx, cfg, true) }

// OpenExisting opens a store for a command that reads it, or writes for a moment. It
// never creates one: if there is none it returns [ErrNoStore]. It does not change the
// tables either, so that a look does not keep older programs from working. They may be
// older or newer than the program's, which [Store.Versions] tells. The right to read is
// enough.
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
		s.engine = &sqliteFile{cfg: cfg}
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
	db, err := s.engine.open(ctx, create)
	if err == nil {
		if err = s.prepare(ctx, db, create); err != nil {
			err = errors.Join(err, db.Close())
		}
	}
	if err != nil {
		if s.engine.unavailable(err) && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return fmt.Errorf("store %s: %w", s.cfg.URL, s.engine.explain(err))
	}
	s.db = db
	s.writer.Go(s.writeLoop)
	return nil
}

// prepare reads the versions, and with create brings the tables up to date.
func (s *Store) prepare(ctx context.Context, db *sql.DB, create bool) error {
	found, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	v, err := readVersions(found, db, s.engine)
	s.from = v.Store
	busy := err != nil && !s.cfg.Remote() // another process makes the file at the moment
	if create && (busy || err == nil && !v.current()) {
		err = s.engine.alone(ctx, db, func(ctx context.Context, db *sql.DB) (err error) {
			s.from, err = s.migrate(ctx, db)
			return err
		})
		if err == nil {
			v, err = readVersions(ctx, db, s.engine)
		}
	}
	if err != nil {
		return err
	}
	if v.Store == 0 {
		return errNoTables
	}
	s.versions = v
	return v.check(create)
}

// errNoTables says that there is nothing to read.
var errNoTables = fmt.Errorf("%w: a worker, or evalworker eval, creates it; name another with --store or --config", ErrNoStore)

// Close waits for the transaction in flight and closes the store. It may be called
// again.
func (s *Store) Close() error {
	var err error
	s.close.Do(func() {
		close(s.done)
		s.writer.Wait()
		if s.db != nil {
			err = errors.Join(s.db.Close(), s.engine.closed())
		}
		if s.claim != nil {
			err = errors.Join(err, s.claim.Close()) // closing the file unlocks it
		}
	})
	return err
}
