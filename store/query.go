package store

import (
	"context"
	"database/sql"
	"errors"
)

// Dialect is the SQL of a database.
type Dialect string

// The dialects.
const (
	SQLite     Dialect = "sqlite"
	PostgreSQL Dialect = "postgres"
)

// Querier is a source for [Query]: a [Store], or a [Tx], which also sees its own
// changes.
type Querier interface {
	query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// Row is one row of a result.
type Row interface {
	Scan(dest ...any) error
}

// Query returns the result of scan for each row of a query. It is never nil without
// an error.
func Query[T any](ctx context.Context, q Querier, scan func(Row) (T, error), query string, args ...any) ([]T, error) {
	out := []T{}
	err := Each(ctx, q, func(row Row) error {
		v, err := scan(row)
		out = append(out, v)
		return err
	}, query, args...)
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Each calls fn with each row of a query, until fn returns an error.
func Each(ctx context.Context, q Querier, fn func(Row) error, query string, args ...any) (err error) {
	rows, err := q.query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := fn(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *Store) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := s.db.QueryContext(ctx, query, args...)
	if s.engine.lost(err) {
		s.dropConnections()
		rows, err = s.db.QueryContext(ctx, query, args...)
	}
	if err != nil {
		return nil, s.engine.explain(err)
	}
	return rows, nil
}

// Tx is the transaction in which a change is made.
type Tx struct {
	tx      *sql.Tx
	dialect Dialect
	// prepared caches the statements that have been used, because for SQLite
	// preparing is half of the work; nil for PostgreSQL, whose driver does the
	// same. The statements end with the transaction.
	prepared map[string]*sql.Stmt
}

func newTx(tx *sql.Tx, dialect Dialect) *Tx {
	t := &Tx{tx: tx, dialect: dialect}
	if dialect == SQLite {
		t.prepared = map[string]*sql.Stmt{}
	}
	return t
}

// Dialect returns the SQL dialect of the database.
func (t *Tx) Dialect() Dialect { return t.dialect }

// Exec executes a statement and returns the number of rows that it changed.
func (t *Tx) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	var res sql.Result
	stmt, err := t.prepare(ctx, query)
	switch {
	case err != nil:
		return 0, err
	case stmt != nil:
		res, err = stmt.ExecContext(ctx, args...)
	default:
		res, err = t.tx.ExecContext(ctx, query, args...)
	}
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (t *Tx) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	stmt, err := t.prepare(ctx, query)
	switch {
	case err != nil:
		return nil, err
	case stmt != nil:
		return stmt.QueryContext(ctx, args...)
	}
	return t.tx.QueryContext(ctx, query, args...)
}

// prepare returns a prepared statement, or nil where none is needed.
func (t *Tx) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if t.prepared == nil {
		return nil, nil
	}
	if stmt, ok := t.prepared[query]; ok {
		return stmt, nil
	}
	stmt, err := t.tx.PrepareContext(ctx, query)
	if err == nil {
		t.prepared[query] = stmt
	}
	return stmt, err
}
