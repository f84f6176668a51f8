package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/evalworker/evalworker/internal/testkit/containers"
	"github.com/evalworker/evalworker/store"
)

// storeCost measures what commands cost that read a store with many cases: of one request
// each, or of a second and a third one, with 1 KB of content, and 4,000 causes.
func storeCost(ctx context.Context, out io.Writer, opts options) (err error) {
	dir, err := os.MkdirTemp("", "evalworker-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program := filepath.Join(dir, "evalworker")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/evalworker")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build evalworker, from the root of the module: %w", err)
	}
	fmt.Fprintf(out, "\nstore: %d cases\n%-12s %-48s %8s %8s %10s\n", opts.cases, "", "", "time", "CPU", "peak RSS")
	if err := storeFigures(ctx, out, program, "sqlite:"+filepath.Join(dir, "cases.db"), opts.cases); err != nil {
		return err
	}
	if err := containers.Engine(ctx); err != nil {
		fmt.Fprintf(out, "PostgreSQL: %v\n", err)
		return nil
	}
	server, err := containers.StartPostgres(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	return storeFigures(ctx, out, program, server.URL(), opts.cases)
}

func storeFigures(ctx context.Context, out io.Writer, program, url string, cases int) error {
	cfg := store.DefaultConfig()
	cfg.URL, cfg.Timeout = url, 10*time.Minute
	if err := fillStore(ctx, cfg, cases); err != nil {
		return err
	}
	name := "SQLite"
	if cfg.Remote() {
		name = "PostgreSQL"
	}
	for _, args := range []string{
		"datasets list", "datasets list --by case", "datasets list --by version", "datasets list --json",
		"datasets export --out /dev/null", "datasets export --format csv --out /dev/null", "store status",
	} {
		cmd := exec.CommandContext(ctx, program, append(strings.Fields(args), "--store", url)...) //nolint:gosec // built above
		var said strings.Builder
		cmd.Stderr = &said
		began := time.Now()
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w: %s", args, err, said.String())
		}
		took := time.Since(began)
		peak := int64(0)
		if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
			peak = usage.Maxrss
			if runtime.GOOS == "darwin" {
				peak >>= 10 // it counts bytes there
			}
		}
		cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		fmt.Fprintf(out, "%-12s %-48s %7.2fs %7.2fs %7d MB\n", name, args, took.Seconds(), cpu.Seconds(), peak>>10)
	}
	return nil
}

// fillStore writes cases without the worker, which would take minutes.
func fillStore(ctx context.Context, cfg store.Config, cases int) (err error) {
	s, err := store.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	numbers, hex := fmt.Sprintf(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d)`, cases-1), `printf('%016x', i * 7919 * 1000003)`
	if cfg.Remote() {
		numbers, hex = fmt.Sprintf(`WITH n AS (SELECT i FROM generate_series(0, %d) AS s (i))`, cases-1), `lpad(to_hex(i::bigint * 7919 * 1000003), 16, '0')`
	}
	text := strings.Repeat("Where is my order? ", 30)
	statistics := `SELECT 1` // PostgreSQL makes them by itself within a minute
	if cfg.Remote() {
		statistics = `ANALYZE`
	}
	for _, query := range []string{
		`INSERT INTO cases (id, evaluator, type, reason, label, feature, prompt_name, first_version, last_version, status, first_seen, last_seen, count) ` +
			numbers + ` SELECT ` + hex + `, 'evaluator' || (i % 9), 'rule', 'reason of some length ' || (i % 64), 'label', 'feature' || (i % 5), 'prompt' || (i % 7),
			'v' || (i / 10000), 'v' || (i / 10000 + i % 2), 'candidate', 1700000000000 + i, 1700000000000 + i, 1 + i % 3 FROM n`,
		`INSERT INTO occurrences (request_id, evaluator, case_id, prompt_version, seen, feature)
			SELECT 'req-0000-' || c.id || '-' || k.k, c.evaluator, c.id, c.last_version, c.last_seen, c.feature
			FROM cases c JOIN (SELECT 1 AS k UNION SELECT 2 UNION SELECT 3) k ON k.k <= c.count`,
		`INSERT INTO exemplars (case_id, request_id, seen, body)
			SELECT case_id, request_id, seen, '{"request_id":"' || request_id || '","occurred_at":"2026-01-02T03:04:05Z","input":"` + text + `","output":"` + text + `"}' FROM occurrences`,
		statistics,
	} {
		err := s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, query)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
