package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/evalworker/evalworker/internal/base/backoff"
)

// Bounds of one transaction.
const (
	maxGroup      = 256     // changes
	maxGroupBytes = 8 << 20 // of what they hold
)

var errClosed = errors.New("store is closed")

// change is one change whose caller waits for the result.
type change struct {
	// apply makes the change or, if it has a batch, all changes of that batch in
	// the transaction, whose values it receives.
	apply  func(ctx context.Context, tx *Tx, values []any) error
	batch  any // the *Batch; nil: none
	value  any // of the batch's type
	size   int
	result chan<- error // of capacity one, so that the writer never waits for a caller
}

// Write makes a change in a transaction that it may share with other changes. It
// returns once the change is on disk, or when the configured timeout is over, which
// bounds first the wait for earlier changes and then the write. If ctx ends first,
// the change may still be made.
//
// apply may be called several times, and must not call the store. It must return only
// errors of the database, because any other may be mistaken for a failure of the
// store, with which the whole transaction fails; other results go into a variable.
func (s *Store) Write(ctx context.Context, apply func(ctx context.Context, tx *Tx) error) error {
	return s.submit(ctx, change{apply: func(ctx context.Context, tx *Tx, _ []any) error { return apply(ctx, tx) }})
}

// Batch is a kind of change. All changes of one kind in a transaction are applied
// by one call.
type Batch[T any] struct {
	store *Store
	size  func(T) int
	apply func(ctx context.Context, tx *Tx, changes []T) error
}

// NewBatch returns a batch. size returns about how many bytes a change holds in
// memory. apply makes the given changes, in order of arrival, and obeys the rules
// of [Store.Write]. It may be called several times for a change; then the last call
// counts.
func NewBatch[T any](s *Store, size func(T) int, apply func(ctx context.Context, tx *Tx, changes []T) error) *Batch[T] {
	return &Batch[T]{store: s, size: size, apply: apply}
}

// Write makes a change as [Store.Write] does, together with the others of its batch.
func (b *Batch[T]) Write(ctx context.Context, c T) error {
	return b.store.submit(ctx, change{batch: b, value: c, size: b.size(c), apply: b.applyAll})
}

func (b *Batch[T]) applyAll(ctx context.Context, tx *Tx, values []any) error {
	changes := make([]T, len(values))
	for i, v := range values {
		changes[i] = v.(T) // Write put a T there
	}
	return b.apply(ctx, tx, changes)
}

// submit passes a change to the writer and waits for the result.
func (s *Store) submit(ctx context.Context, c change) error {
	if err := s.versions.check(true); err != nil { // it was opened for reading
		return fmt.Errorf("store %s: %w", s.cfg.URL, err)
	}
	result := make(chan error, 1)
	c.result = result
	queued, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	select {
	case s.changes <- c:
	case <-s.done:
		return errClosed
	case <-queued.Done():
		return s.explainTimeout(queued.Err())
	}
	// The writer bounds the write and reports the result. A caller that gave up at
	// the same moment would miss that its change was made, so it waits twice the
	// timeout, for the case that the disk hangs and the writer with it.
	written, cancel := context.WithTimeout(ctx, 2*s.cfg.Timeout)
	defer cancel()
	select {
	case err := <-result:
		return s.explainTimeout(err)
	case <-written.Done():
		return s.explainTimeout(written.Err())
	}
}

// WriteFault returns why the last write failed; nil while writes succeed. It is the same
// for all whose changes wait, of whom some have its error and others only know that they
// waited in vain.
func (s *Store) WriteFault() error {
	_, err := s.writing.Now()
	return err
}

// explainTimeout adds the reason why the last write failed, if it did, to the error
// of a caller that timed out.
func (s *Store) explainTimeout(err error) error {
	late := errors.Is(err, context.DeadlineExceeded)
	if !late && !errors.Is(err, context.Canceled) {
		return err
	}
	if _, why := s.writing.Now(); why != nil {
		err = fmt.Errorf("%w: the last write failed: %w", err, why)
	}
	if late {
		err = fmt.Errorf("not written within store.timeout (%s): %w", s.cfg.Timeout, err)
	}
	return err
}

// writeLoop is the one goroutine that writes.
func (s *Store) writeLoop() {
	for {
		select {
		case <-s.done:
			return
		case c := <-s.changes:
			s.write(s.collect(c))
		}
	}
}

// collect returns the first change and those that wait behind it.
func (s *Store) collect(first change) []change {
	group, size := []change{first}, first.size
	for len(group) < maxGroup && size < maxGroupBytes {
		select {
		case c := <-s.changes:
			group, size = append(group, c), size+c.size
		default:
			return group
		}
	}
	return group
}

// write commits a group of changes and reports the results.
func (s *Store) write(group []change) {
	err := s.commit(group)
	switch {
	case err == nil:
		s.writing.End()
	case !errors.Is(err, context.DeadlineExceeded): // a timeout has no reason of its own, so keep the known one
		s.writing.Fail(err)
	}
	// A single change may be the cause: commit each alone, until the store itself
	// fails.
	alone := err != nil && len(group) > 1 && !s.down(err)
	for _, c := range group {
		if alone && !s.down(err) {
			err = s.commit([]change{c})
		}
		c.result <- err
	}
}

// down reports whether the next change would meet the same error.
func (s *Store) down(err error) bool {
	return err != nil && (s.engine.general(err) || errors.Is(err, context.DeadlineExceeded))
}

// commitTries bounds the attempts at a transaction that conflicts with another one.
const commitTries = 5

// lostPatience is how long a transaction is tried again on new connections before its
// callers learn that the store is down. Most restarts of a connection are over by then,
// and none of them is worth an error.
const lostPatience = time.Second

// commit applies changes in one transaction. The configured timeout bounds it, not
// a caller's context, because a group has many callers.
func (s *Store) commit(group []change) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Timeout)
	defer cancel()
	began := time.Now()
	pause := backoff.Backoff{Min: 20 * time.Millisecond, Max: 100 * time.Millisecond}
	for conflicts, losses := 0, 0; ; {
		err := s.transact(ctx, group)
		switch {
		case err == nil:
			return nil
		case s.engine.lost(err):
			s.dropConnections()
			if losses++; losses == 1 && ctx.Err() == nil {
				continue // at once: a new connection reaches whoever is the primary now
			}
			if time.Since(began) >= lostPatience || !pause.Wait(ctx, losses) {
				return err
			}
		case s.engine.retryable(err):
			if conflicts++; conflicts == commitTries || !pause.Wait(ctx, conflicts) {
				return err
			}
		default:
			if errors.Is(err, context.DeadlineExceeded) {
				s.dropConnections() // a server that does not answer on one will not on the others
			}
			return err
		}
	}
}

// dropConnections closes the connections that are not in use. The next ones resolve the
// server's name anew.
func (s *Store) dropConnections() {
	if s.cfg.Remote() {
		s.db.SetMaxIdleConns(0)
		s.db.SetMaxIdleConns(s.cfg.MaxConnections)
	}
}

func (s *Store) transact(ctx context.Context, group []change) (err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", s.engine.explain(err))
	}
	defer func() {
		if err == nil {
			return
		}
		undo := tx.Rollback()
		if errors.Is(undo, sql.ErrTxDone) || s.cfg.Remote() {
			return // a timeout has ended it already, or the server does, because the connection is gone
		}
		err = errors.Join(err, undo)
	}()
	if err := applyAll(ctx, newTx(tx, s.engine.dialect()), group); err != nil {
		return s.engine.explain(err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", s.engine.explain(err))
	}
	return nil
}

// applyAll makes the changes of a group; all changes of a batch are made with its
// first one.
func applyAll(ctx context.Context, tx *Tx, group []change) error {
	applied := map[any]bool{}
	for i, c := range group {
		var values []any
		if c.batch != nil {
			if applied[c.batch] {
				continue
			}
			applied[c.batch] = true
			for _, other := range group[i:] {
				if other.batch == c.batch {
					values = append(values, other.value)
				}
			}
		}
		if err := c.apply(ctx, tx, values); err != nil {
			return err
		}
	}
	return nil
}
