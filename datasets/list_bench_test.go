package datasets_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/store"
)

// BenchmarkRead shows what lists and exports of 100,000 cases cost that were seen
// 200,000 times, with some 3,000 causes.
func BenchmarkRead(b *testing.B) {
	for name, cfg := range map[string]func(*testing.B) store.Config{
		"sqlite":   func(b *testing.B) store.Config { return config(filepath.Join(b.TempDir(), "cases.db")) },
		"postgres": func(b *testing.B) store.Config { return onPostgres(b) },
	} {
		b.Run(name, func(b *testing.B) {
			s := open(b, cfg(b))
			fill(b, s, name)
			cases := datasets.NewCases(s)
			causes, _, err := cases.Groups(b.Context(), datasets.ByCause, datasets.Filter{Limit: 1})
			if err != nil {
				b.Fatal(err)
			}
			reads := map[string]func() error{
				"page":  func() error { _, err := cases.List(b.Context(), datasets.Filter{Limit: 20}); return err },
				"all":   func() error { _, err := cases.List(b.Context(), datasets.Filter{}); return err },
				"count": func() error { _, err := cases.CountsOf(b.Context(), datasets.Filter{}); return err },
				"names": func() error { _, err := cases.Unknown(b.Context(), datasets.Filter{PromptVersion: "x"}); return err },
				"since": func() error {
					_, _, err := cases.Groups(b.Context(), datasets.ByCause, datasets.Filter{Limit: 20, Since: time.UnixMilli(1_700_000_090_000)}) // a tenth
					return err
				},
				"questions": func() error {
					list, err := cases.List(b.Context(), datasets.Filter{Limit: 20, Cause: causes[0].Cause})
					return errors.Join(err, cases.Questions(b.Context(), list))
				},
				"export": func() error {
					_, err := cases.Export(b.Context(), io.Discard, datasets.JSONL(), datasets.Filter{})
					return err
				},
			}
			for _, by := range datasets.Groupings() {
				reads["by "+string(by)] = func() error {
					_, _, err := cases.Groups(b.Context(), by, datasets.Filter{Limit: 20})
					return err
				}
			}
			for name, read := range reads {
				b.Run(name, func(b *testing.B) {
					for b.Loop() {
						if err := read(); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}

// fill writes cases without a keeper, which would take minutes.
func fill(b *testing.B, s *store.Store, dialect string) {
	b.Helper()
	numbers, hex := `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)`, `printf('%016x', i * 7919 * 1000003)`
	if dialect == "postgres" {
		numbers, hex = `WITH n AS (SELECT i FROM generate_series(0, 99999) AS s (i))`, `lpad(to_hex(i::bigint * 7919 * 1000003), 16, '0')`
	}
	for _, query := range []string{
		`INSERT INTO cases (id, evaluator, type, reason, label, feature, prompt_name, first_version, last_version, status, first_seen, last_seen, count) ` +
			numbers + ` SELECT ` + hex + `, 'evaluator' || (i % 9), 'rule', 'reason of some length ' || (i % 50), 'label', 'feature' || (i % 5), 'prompt' || (i % 7),
			'v' || (i / 10000), 'v' || (i / 10000 + i % 2), 'candidate', 1700000000000 + i, 1700000000000 + i, 1 + i % 3 FROM n`,
		`INSERT INTO occurrences (request_id, evaluator, case_id, prompt_version, seen, feature)
			SELECT 'req-0000-' || c.id || '-' || k.k, c.evaluator, c.id, c.last_version, c.last_seen, c.feature
			FROM cases c JOIN (SELECT 1 AS k UNION SELECT 2 UNION SELECT 3) k ON k.k <= c.count`,
		`INSERT INTO exemplars (case_id, request_id, seen, body) SELECT case_id, request_id, seen, '{"request_id":"r","occurred_at":"2026-01-02T03:04:05Z","input":"Where is my order?"}' FROM occurrences`,
	} {
		err := s.Write(b.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, query)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}
