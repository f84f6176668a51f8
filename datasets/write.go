package datasets

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// write is one change that somebody waits for.
type write struct {
	apply func(context.Context, *sql.Tx) error
	done  chan error // of capacity one
}

// maxGroup bounds the changes of one transaction.
const maxGroup = 256

var errClosed = errors.New("store is closed")

// submit hands a change to the writer and waits until it is on disk. When ctx
// ends first the change may still happen.
func (s *Store) submit(ctx context.Context, apply func(context.Context, *sql.Tx) error) error {
	w := write{apply, make(chan error, 1)}
	select {
	case s.writes <- w:
	case <-s.done:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write is the one goroutine that writes. It takes all changes that wait into
// one transaction: a commit costs a flush to disk, however much it holds.
func (s *Store) write() {
	for {
		var group []write
		select {
		case <-s.done:
			return
		case w := <-s.writes:
			group = append(group, w)
		}
	gather:
		for len(group) < maxGroup {
			select {
			case w := <-s.writes:
				group = append(group, w)
			default:
				break gather
			}
		}
		err := s.commit(group)
		if err != nil && len(group) > 1 && !general(err) && !errors.Is(err, context.DeadlineExceeded) {
			// One change may be what fails: each on its own.
			for _, w := range group {
				w.done <- s.commit([]write{w})
			}
			continue
		}
		for _, w := range group {
			w.done <- err
		}
	}
}

// commit applies changes in one transaction. It has no context of a caller's:
// those of a group are many, and the configured timeout bounds it.
func (s *Store) commit(group []write) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", explain(err))
	}
	defer func() {
		if err == nil {
			return
		}
		if undo := tx.Rollback(); !errors.Is(undo, sql.ErrTxDone) { // done when its time was up
			err = errors.Join(err, undo)
		}
	}()
	for _, w := range group {
		if err := w.apply(ctx, tx); err != nil {
			return explain(err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", explain(err))
	}
	return nil
}
