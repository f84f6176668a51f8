package store_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/evalworker/evalworker/store"
)

// TestMigrations: each database has the same migrations.
func TestMigrations(t *testing.T) {
	t.Parallel()
	names := map[store.Dialect][]string{}
	for _, dialect := range []store.Dialect{store.SQLite, store.PostgreSQL} {
		files, err := os.ReadDir(filepath.Join("migrations", string(dialect)))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d migrations, %v", dialect, len(files), err)
		}
		for _, f := range files {
			names[dialect] = append(names[dialect], f.Name())
		}
	}
	if !slices.Equal(names[store.SQLite], names[store.PostgreSQL]) {
		t.Errorf("a migration is missing for one database: %v", names)
	}
	if n := len(names[store.SQLite]); n != store.Revisions {
		t.Errorf("%d migrations, and versions.go has %d rows", n, store.Revisions)
	}
}

// TestRetention: the program knows how long the rows of each table are kept.
func TestRetention(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		cfg    func(*testing.T) store.Config
		tables string
	}{
		"SQLite":     {func(*testing.T) store.Config { return config(":memory:") }, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`},
		"PostgreSQL": {func(t *testing.T) store.Config { return onPostgres(t) }, `SELECT tablename FROM pg_tables WHERE schemaname = 'public'`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, test.cfg(t))
			scan := func(row store.Row) (name string, err error) {
				err = row.Scan(&name)
				return name, err
			}
			tables, err := store.Query(t.Context(), s, scan, test.tables)
			if err != nil {
				t.Fatal(err)
			}
			tables = slices.DeleteFunc(tables, func(name string) bool {
				return slices.Contains([]string{"goose_db_version", "store_compatibility", "store_changes"}, name)
			})
			slices.Sort(tables)
			if declared := slices.Sorted(maps.Keys(store.Retention())); !slices.Equal(tables, declared) {
				t.Errorf("tables are %v, and retention.go has %v", tables, declared)
			}
			for table, columns := range store.Retention() {
				for _, column := range columns {
					if column == "" {
						continue
					}
					if _, err := s.DB().ExecContext(t.Context(), "SELECT "+column+" FROM "+table); err != nil {
						t.Errorf("%s: %v", table, err)
					}
				}
			}
		})
	}
}
