package field_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/base/jsonscan"
	"github.com/evalworker/evalworker/internal/config"
)

// fewestRows is the least number of rows in all files, so that none is lost unseen.
const fewestRows = 1400

// TestField compares the verdicts on every row with those that are right.
func TestField(t *testing.T) {
	t.Parallel()
	cfg, err := config.Load("testdata/evalworker.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Store.URL = "sqlite:" + filepath.Join(t.TempDir(), "cases.db")
	off, err := app.NewOffline(t.Context(), cfg, app.Deps{Log: slog.New(slog.DiscardHandler), Version: "test", Recorder: ignore{}})
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("testdata/*.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	total := 0
	for _, file := range files {
		rows := readRows(t, file)
		total += len(rows)
		t.Run(filepath.Base(file), func(t *testing.T) {
			for i, row := range rows {
				got := verdicts(t.Context(), t, off, row.line)
				for name, want := range row.want {
					if got[name] != want {
						t.Errorf("line %d, %s: %s = %q; want %q", i+1, row.name, name, got[name], want)
					}
				}
			}
		})
	}
	if err := off.Close(); err != nil {
		t.Error(err)
	}
	if total < fewestRows {
		t.Errorf("%d rows; want at least %d", total, fewestRows)
	}
}

// row is one line of a file.
type row struct {
	name string // what it is about
	want map[string]string
	line []byte
}

func readRows(t *testing.T, file string) (rows []row) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		r := row{line: expand(t, bytes.Clone(lines.Bytes()))}
		if err := json.Unmarshal(member(r.line, "case"), &r.name); err != nil {
			t.Fatalf("%s: line %d: case: %v", file, len(rows)+1, err)
		}
		if err := json.Unmarshal(member(r.line, "want"), &r.want); err != nil {
			t.Fatalf("%s: line %d: want: %v", file, len(rows)+1, err)
		}
		rows = append(rows, r)
	}
	return rows
}

// member returns a member of a JSON object of which only the part up to there has to
// be JSON.
func member(object []byte, name string) []byte {
	s := jsonscan.New(object, 0)
	s.Next()
	for key, ok := s.Next(); ok && key.Kind == jsonscan.Key; key, ok = s.Next() {
		value, _ := s.Next()
		s.Skip(value)
		if string(object[key.Start+1:key.End-1]) == name {
			return object[value.Start:s.Pos()]
		}
	}
	return nil
}

// verdicts returns the outcome and label of every evaluator on one event.
func verdicts(ctx context.Context, t *testing.T, off *app.Offline, line []byte) map[string]string {
	t.Helper()
	report, err := off.Pipeline().Evaluate(ctx, line)
	if bad, ok := errors.AsType[*event.Error](err); ok {
		return map[string]string{"dead_letter": string(bad.Reason)}
	}
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, v := range report.Verdicts {
		got[v.Eval] = v.Outcome.String()
		if v.Outcome.Decided() && v.Label != "" {
			got[v.Eval] += "/" + v.Label
		}
	}
	return got
}

// ignore is a recorder that keeps nothing.
type ignore struct{}

func (ignore) Report(*eval.Report)           {}
func (ignore) Skipped(eval.Disposition, int) {}
func (ignore) Cases(*eval.Report, int)       {}
