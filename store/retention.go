package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// table says how long the rows of a table are kept.
type table struct {
	name string
	key  string // columns of the primary key
	age  string // column by which Prune deletes, in milliseconds since 1970; "": never
	// young is a further condition on what Prune deletes: that no person has decided
	// about it. Empty: none.
	open string
}

// retention has a row for each table of the migrations. A table that refers to
// another one precedes it.
func retention() []table {
	return []table{
		{"exemplars", "case_id, request_id", "seen", "case_id IN (SELECT id FROM cases WHERE status = 'candidate')"},
		{"occurrences", "request_id, evaluator", "seen", ""},
		{"cases", "id", "last_seen", "status = 'candidate'"},
	}
}

// pruneStep bounds the rows that one transaction deletes, so that it delays other
// changes by milliseconds only.
const pruneStep = 2000

// old is the condition that a row may be deleted, with the time as $1.
func (t *table) old() string {
	if t.open == "" {
		return t.age + " < $1"
	}
	return t.age + " < $1 AND " + t.open
}

// Prune deletes rows older than a time: exemplars, even the first of a case that
// still occurs; occurrences, which are counted again if they are offered again; and
// cases not seen since. A case that a person has confirmed or dismissed stays, with its
// exemplars. The count of a remaining case does not change. It returns the number of
// rows deleted from each table. After an error it may be called again.
func (s *Store) Prune(ctx context.Context, before time.Time) (map[string]int, error) {
	deleted := map[string]int{}
	for _, t := range retention() {
		if t.age == "" {
			continue
		}
		// The age is tested twice: a row that another worker is just updating is
		// locked, and no longer old when the lock is released.
		query := fmt.Sprintf("DELETE FROM %[1]s WHERE %[3]s AND (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE %[3]s LIMIT %[4]d)", t.name, t.key, t.old(), pruneStep)
		for n := int64(pruneStep); n == pruneStep; {
			err := s.Write(ctx, func(ctx context.Context, tx *Tx) (err error) {
				n, err = tx.Exec(ctx, query, before.UnixMilli())
				return err
			})
			if err != nil {
				return deleted, fmt.Errorf("prune %s: %w", t.name, err)
			}
			deleted[t.name] += int(n)
		}
	}
	return deleted, nil
}

// Prunable counts what Prune would delete.
func (s *Store) Prunable(ctx context.Context, before time.Time) (map[string]int, error) {
	out := map[string]int{}
	for _, t := range retention() {
		if t.age == "" {
			continue
		}
		var n int
		if err := s.db.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+t.name+" WHERE "+t.old(), before.UnixMilli()).Scan(&n); err != nil {
			return nil, fmt.Errorf("count %s: %w", t.name, s.engine.explain(err))
		}
		out[t.name] = n
	}
	return out, nil
}

// Cutoff returns the time before which k keeps nothing, or a zero time if it keeps all
// that there is.
func (s *Store) Cutoff(ctx context.Context, k Keep, now time.Time) (time.Time, error) {
	var cutoff time.Time
	if k.Age > 0 {
		cutoff = now.Add(-k.Age)
	}
	if k.Rows <= 0 {
		return cutoff, nil
	}
	var seen int64
	err := s.db.QueryRowContext(ctx, `SELECT seen FROM occurrences ORDER BY seen DESC LIMIT 1 OFFSET $1`, k.Rows-1).Scan(&seen)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return cutoff, nil // there are fewer
	case err != nil:
		return cutoff, fmt.Errorf("count occurrences: %w", s.engine.explain(err))
	}
	if oldest := time.UnixMilli(seen); oldest.After(cutoff) {
		cutoff = oldest
	}
	return cutoff, nil
}

// retainEvery is the interval at which a worker deletes what is not kept.
const retainEvery = time.Hour

// Retain deletes what [Config.Keep] does not keep, now and then every hour until ctx
// ends, and calls done with what each time has deleted. Of the workers that share a store
// one does it at a time; for the others done is not called.
func (s *Store) Retain(ctx context.Context, done func(deleted map[string]int, err error)) {
	if !s.cfg.Keep.bounded() {
		return
	}
	tick := time.NewTicker(retainEvery)
	defer tick.Stop()
	for {
		var deleted map[string]int
		ran, err := s.engine.one(ctx, func(ctx context.Context) error {
			before, err := s.Cutoff(ctx, s.cfg.Keep, time.Now())
			if err != nil || before.IsZero() {
				return err
			}
			deleted, err = s.Prune(ctx, before)
			return err
		})
		if ctx.Err() == nil && (ran || err != nil) {
			done(deleted, err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// one calls fn: a file has one worker.
func (*sqliteFile) one(ctx context.Context, fn func(context.Context) error) (bool, error) {
	return true, fn(ctx)
}

// retainLock is the number of the advisory lock of the worker that deletes.
const retainLock = migrateLock + 1

// one calls fn if no other worker does the same at the moment. The lock has a connection
// of its own and ends with it.
func (p *postgres) one(ctx context.Context, fn func(context.Context) error) (ran bool, err error) {
	db, err := p.openPool(p.cfg.Timeout)
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return false, p.explain(err)
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := conn.QueryRowContext(ctx, `SELECT pg_try_advisory_lock($1)`, int64(retainLock)).Scan(&ran); err != nil || !ran {
		return false, p.explain(err)
	}
	return true, fn(ctx)
}
