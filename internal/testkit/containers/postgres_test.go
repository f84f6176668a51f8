package containers_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

// TestPostgresComesBack: a database that was killed serves again, at the address
// and with the rows that it had.
func TestPostgresComesBack(t *testing.T) {
	t.Parallel()
	containers.NeedEngine(t)
	ctx := t.Context()
	p, err := containers.StartPostgres(ctx)
	containers.Need(t, err)
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	url, err := p.Database(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(sql string) (n int) {
		t.Helper()
		conn, err := pgx.Connect(ctx, url)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(ctx) }()
		if err := conn.QueryRow(ctx, sql).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, "CREATE TABLE kept AS SELECT 7 AS n"); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(ctx)
	if err := p.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if n := ask("SELECT n FROM kept"); n != 7 {
		t.Errorf("kept %d", n)
	}
	if err := p.Pause(ctx); err != nil {
		t.Fatal(err)
	}
	if err := p.Unpause(ctx); err != nil {
		t.Fatal(err)
	}
	if n := ask("SELECT n FROM kept"); n != 7 {
		t.Errorf("after a pause: %d", n)
	}
}
