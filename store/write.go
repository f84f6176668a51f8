package datasets

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// write is one change that somebody waits for: records, or anything else.
type write struct {
	records []record
	fresh   *int // number of records that were new; set before done
	change  func(context.Context, *sql.Tx) error
	done    chan<- error // of capacity one
}

// size is about what a change holds in memory, in bytes.
func (w write) size() int {
	n := 0
	for _, rec := range w.records {
		n += len(rec.body)
	}
	return n
}

// Bounds of one transaction.
const (
	maxGroup      = 256     // changes
	maxGroupBytes = 8 << 20 // of content
)

var errClosed = errors.New("store is closed")

// fault remembers why writes fail: whoever waits behind one that fails runs out of
// time before he is told anything.
type flt struct {
	mu  sync.Mutex
	err error // guarded by mu; nil after a write that succeeded
}

// note takes the result of a write. One that ran out of time itself knows no
// reason, and leaves the one that is known.
func (f *flt) note(err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

// explain adds what is known to the error of somebody who waited in vain.
func (f *flt) explain(err error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		return err
	}
	return fmt.Errorf("%w: the last write failed: %w", err, f.err)
}

// submit hands a change to the writer and waits until it is on disk. When ctx
// ends first the change may still happen.
func (s *Store) submit(ctx context.Context, w write) error {
	done, err := s.hand(ctx, w)
	if err != nil {
		return err
	}
	return s.await(ctx, done)
}

// hand gives a change to the writer, which begins with it at once. After an error
// it does not happen.
func (s *Store) hand(ctx context.Context, w write) (done <-chan error, err error) {
	result := make(chan error, 1)
	w.done = result
	select {
	case s.writes <- w:
		return result, nil
	case <-s.done:
		return nil, errClosed
	case <-ctx.Done():
		return nil, s.fault.explain(ctx.Err())
	}
}

// await waits for what became of a change.
func (s *Store) await(ctx context.Context, done <-chan error) error {
	select {
	case err := <-done:
		if errors.Is(err, context.DeadlineExceeded) {
			err = s.fault.explain(err)
		}
		return err
	case <-ctx.Done():
		return s.fault.explain(ctx.Err())
	}
}

// write is the one goroutine that writes. It takes all changes that wait into
// one transaction: a commit costs a flush to disk, however much it holds.
func (s *Store) write() {
	for {
		var group []write
		size := 0
		select {
		case <-s.done:
			return
		case w := <-s.writes:
			group, size = append(group, w), w.size()
		}
	gather:
		for len(group) < maxGroup && size < maxGroupBytes {
			select {
			case w := <-s.writes:
				group, size = append(group, w), size+w.size()
			default:
				break gather
			}
		}
		err := s.commit(group)
		s.fault.note(err)
		if err != nil && len(group) > 1 && !s.down(err) {
			// One change may be what fails: each on its own, while that goes.
			for _, w := range group {
				if !s.down(err) {
					err = s.commit([]write{w})
				}
				w.done <- err
			}
			continue
		}
		for _, w := range group {
			w.done <- err
		}
	}
}

// down reports whether an error is one that the next change would meet as well.
func (s *Store) down(err error) bool {
	return err != nil && (s.engine.general(err) || errors.Is(err, context.DeadlineExceeded))
}

// commitTries bounds how often a transaction is tried that met another one.
const commitTries = 5

// commit applies changes in one transaction. It has no context of a caller's:
// those of a group are many, and the configured timeout bounds it.
func (s *Store) commit(group []write) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.Timeout)
	defer cancel()
	for try := 1; ; try++ {
		err := s.transact(ctx, group)
		if err == nil || !s.engine.again(err) || try == commitTries || ctx.Err() != nil {
			return err
		}
		pause(ctx, rand.N(time.Duration(try)*20*time.Millisecond)) //nolint:gosec // a pause needs no strong randomness
	}
}

func (s *Store) transact(ctx context.Context, group []write) (err error) {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", s.engine.explain(err))
	}
	defer func() {
		if err == nil {
			return
		}
		if undo := tx.Rollback(); !errors.Is(undo, sql.ErrTxDone) { // done when its time was up
			err = errors.Join(err, undo)
		}
	}()
	fresh, err := s.apply(ctx, tx, group)
	if err != nil {
		return s.engine.explain(err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", s.engine.explain(err))
	}
	for i, w := range group {
		if w.fresh != nil {
			*w.fresh = fresh[i]
		}
	}
	return nil
}

// apply makes the changes of a group, and gives how many records of each are new.
func (s *Store) apply(ctx context.Context, tx *sql.Tx, group []write) ([]int, error) {
	var records []record
	var owner []int // of each record, in group
	for i, w := range group {
		for _, rec := range w.records {
			records, owner = append(records, rec), append(owner, i)
		}
	}
	fresh := make([]int, len(group))
	if len(records) > 0 {
		isNew, err := s.engine.insert(ctx, tx, records, s.cfg.MaxExemplars)
		if err != nil {
			return nil, fmt.Errorf("insert: %w", err)
		}
		for i := range records {
			if isNew[i] {
				fresh[owner[i]]++
			}
		}
	}
	for _, w := range group {
		if w.change != nil {
			if err := w.change(ctx, tx); err != nil {
				return nil, err
			}
		}
	}
	return fresh, nil
}
