package datasets

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// write is one change that somebody waits for.
type write struct {
	apply func(context.Context, *transaction) error
	done  chan error // of capacity one
}

// maxGroup bounds the changes of one transaction.
const maxGroup = 256

var errClosed = errors.New("store is closed")

// submit hands a change to the writer and waits until it is on disk. When ctx
// ends first the change may still happen.
func (s *Store) submit(ctx context.Context, apply func(context.Context, *transaction) error) error {
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
	shared := &transaction{tx: tx, prepared: map[string]*sql.Stmt{}}
	for _, w := range group {
		if err := w.apply(ctx, shared); err != nil {
			return explain(err)
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", explain(err))
	}
	return nil
}

// transaction is what the changes of a group share. Each statement is prepared
// once for all of them, which is half of the work; it ends with the transaction.
type transaction struct {
	tx       *sql.Tx
	prepared map[string]*sql.Stmt
}

func (t *transaction) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if stmt, ok := t.prepared[query]; ok {
		return stmt, nil
	}
	stmt, err := t.tx.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	t.prepared[query] = stmt
	return stmt, nil
}

// exec runs a statement and gives the number of rows that it changed.
func (t *transaction) exec(ctx context.Context, query string, args ...any) (int64, error) {
	stmt, err := t.statement(ctx, query)
	if err != nil {
		return 0, err
	}
	res, err := stmt.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// any reports whether a query has a row.
func (t *transaction) any(ctx context.Context, query string, args ...any) (bool, error) {
	stmt, err := t.statement(ctx, query)
	if err != nil {
		return false, err
	}
	var one int
	err = stmt.QueryRowContext(ctx, args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}
