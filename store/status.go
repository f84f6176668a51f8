package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strconv"
)

// Status describes a store to a person who has to decide about it.
type Status struct {
	URL string `json:"url"`
	Versions
	Pending []string    `json:"pending"` // migrations that this program would make
	Bytes   int64       `json:"bytes"`   // on disk, with indexes; of the file or the tables
	Tables  []TableSize `json:"tables"`
	// Users are what else has the store open: the worker that has claimed a file, or the
	// connections of evalworkers to the database by their addresses.
	Users []string `json:"users"`
}

// TableSize is the number of rows of a table.
type TableSize struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"`
}

// Status returns the status of a store. It reads all rows of an index of each table.
func (s *Store) Status(ctx context.Context) (Status, error) {
	st := Status{URL: s.cfg.URL, Versions: s.versions}
	var err error
	if st.Pending, err = s.Pending(); err != nil {
		return st, err
	}
	for _, t := range retention() {
		size := TableSize{Name: t.name}
		if err := s.db.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+t.name).Scan(&size.Rows); err != nil {
			return st, fmt.Errorf("store %s: %w", s.cfg.URL, s.engine.explain(err))
		}
		st.Tables = append(st.Tables, size)
	}
	if st.Bytes, err = s.engine.size(ctx, s.db); err == nil {
		st.Users, err = s.engine.users(ctx, s.db)
	}
	if err != nil {
		return st, fmt.Errorf("store %s: %w", s.cfg.URL, s.engine.explain(err))
	}
	return st, nil
}

func (f *sqliteFile) size(context.Context, *sql.DB) (int64, error) {
	var total int64
	for _, suffix := range []string{"", "-wal"} {
		info, err := os.Stat(f.cfg.file() + suffix)
		if err == nil {
			total += info.Size()
		} else if !errors.Is(err, os.ErrNotExist) {
			return 0, err
		}
	}
	return total, nil
}

func (f *sqliteFile) users(context.Context, *sql.DB) ([]string, error) {
	claim, ok := errors.AsType[*claimError](Claimed(f.cfg))
	if !ok {
		return nil, nil
	}
	if _, err := strconv.Atoi(claim.holder); err != nil {
		return []string{"a worker"}, nil
	}
	return []string{"a worker, process " + claim.holder}, nil
}

func (*postgres) size(ctx context.Context, db *sql.DB) (total int64, err error) {
	for _, t := range retention() {
		var bytes int64
		if err := db.QueryRowContext(ctx, `SELECT pg_total_relation_size(to_regclass($1))`, t.name).Scan(&bytes); err != nil {
			return 0, err
		}
		total += bytes
	}
	return total, nil
}

func (*postgres) users(ctx context.Context, db *sql.DB) (out []string, err error) {
	rows, err := db.QueryContext(ctx, `SELECT COALESCE(host(client_addr), 'the server itself'), COUNT(*) FROM pg_stat_activity
		WHERE datname = current_database() AND application_name = '`+applicationName+`' AND pid <> pg_backend_pid() GROUP BY 1 ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var address string
		var n int
		if err := rows.Scan(&address, &n); err != nil {
			return nil, err
		}
		unit := "connections"
		if n == 1 {
			unit = "connection"
		}
		out = append(out, fmt.Sprintf("%d %s from %s", n, unit, address))
	}
	return out, rows.Err()
}
