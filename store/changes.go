package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Change says by which program the tables of a store got the version that they have, and
// when. Earlier programs did not record that.
type Change struct {
	Build string    `json:"build"` // version of the program, such as v1.2.3: see Config.Build
	From  int       `json:"from"`  // the version of the tables before; 0: there were none
	At    time.Time `json:"at"`
}

// createChanges makes the table of all changes of the tables, rollbacks included. Like
// store_compatibility it is not made by a numbered migration. It is only read to tell a
// person, so no program depends on it.
const createChanges = `CREATE TABLE IF NOT EXISTS store_changes (
	at           BIGINT NOT NULL,
	from_version BIGINT NOT NULL,
	to_version   BIGINT NOT NULL,
	build        TEXT   NOT NULL)`

// readChange returns the change that made a version of the tables; nil if that was not
// recorded.
func readChange(ctx context.Context, db querier, e engine, version int) (*Change, error) {
	exists, err := e.hasTable(ctx, db, "store_changes")
	if err != nil || !exists {
		return nil, err
	}
	var c Change
	var at int64
	var to int
	// The latest one that was recorded need not be the latest: an earlier build records none.
	err = db.QueryRowContext(ctx, `SELECT at, from_version, to_version, build FROM store_changes ORDER BY at DESC LIMIT 1`).Scan(&at, &c.From, &to, &c.Build)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	case to != version:
		return nil, nil
	}
	c.At = time.UnixMilli(at).UTC()
	return &c, nil
}

// recordChange writes that a program has changed the tables.
func recordChange(ctx context.Context, tx *sql.Tx, d Dialect, build string, from, to int) error {
	if _, err := tx.ExecContext(ctx, createChanges); err != nil {
		return err
	}
	if d == PostgreSQL { // also to roles that were given rights before there was this table
		if _, err := tx.ExecContext(ctx, `GRANT SELECT ON store_changes TO PUBLIC`); err != nil {
			return err
		}
	}
	var last int64
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(at), 0) FROM store_changes`).Scan(&last); err != nil {
		return err
	}
	at := max(time.Now().UnixMilli(), last+1) // later than the one before, even by a clock that was set back
	_, err := tx.ExecContext(ctx, `INSERT INTO store_changes (at, from_version, to_version, build) VALUES ($1, $2, $3, $4)`, at, from, to, build)
	return err
}

// String says who made the change and when, for a person.
func (c *Change) String() string {
	build := c.Build
	if build == "" {
		build = "a build without a version"
	}
	return build + ", " + c.At.Format("2006-01-02 15:04") + " UTC"
}
