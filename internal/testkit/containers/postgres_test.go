package containers_test

import (
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/evalworker/evalworker/internal/base/backoff"
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

// TestStandby: a standby has the rows of its primary, also later ones, and takes writes
// once it is promoted.
func TestStandby(t *testing.T) {
	t.Parallel()
	containers.NeedEngine(t)
	ctx := t.Context()
	first, err := containers.StartPostgres(ctx)
	containers.Need(t, err)
	second, err := first.Standby(ctx)
	if err != nil {
		t.Fatal(errors.Join(err, first.Close()))
	}
	t.Cleanup(func() {
		if err := errors.Join(first.Close(), second.Close()); err != nil {
			t.Error(err)
		}
	})
	one, err := pgx.Connect(ctx, first.URL())
	if err != nil {
		t.Fatal(err)
	}
	other, err := pgx.Connect(ctx, second.URL())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := one.Exec(ctx, "CREATE TABLE followed AS SELECT 7 AS n"); err != nil {
		t.Fatal(err)
	}
	n := 0
	for n != 7 {
		if !backoff.Wait(ctx, 10*time.Millisecond) {
			t.Fatal("the row does not come")
		}
		_ = other.QueryRow(ctx, "SELECT n FROM followed").Scan(&n) // there is no table at first
	}
	if _, err := other.Exec(ctx, "INSERT INTO followed VALUES (8)"); err == nil {
		t.Error("a standby takes writes")
	}
	if _, err := other.Exec(ctx, "SELECT pg_promote()"); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Exec(ctx, "INSERT INTO followed VALUES (8)"); err != nil {
		t.Errorf("after the promotion: %v", err)
	}
	if err := errors.Join(one.Close(ctx), other.Close(ctx)); err != nil {
		t.Error(err)
	}
}
