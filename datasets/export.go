package datasets

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// Format is a format of exports.
type Format string

// The formats.
const (
	JSONL Format = "jsonl" // one exemplar a line
	CSV   Format = "csv"   // one exemplar a row, below a header
)

// Formats gives all formats.
func Formats() []Format { return []Format{JSONL, CSV} }

// Row is one exemplar with its case: one line of an export.
type Row struct {
	CaseID    string    `json:"case_id"`
	Evaluator string    `json:"evaluator"`
	Type      eval.Type `json:"type"`
	Reason    string    `json:"reason"`
	Status    Status    `json:"status"`
	Count     int       `json:"count"` // occurrences of the case
	Exemplar
}

// Export writes the exemplars of the cases that a filter chooses, in the order
// of List, and gives their number.
func (s *Store) Export(ctx context.Context, w io.Writer, format Format, f Filter) (int, error) {
	if !slices.Contains(Formats(), format) {
		return 0, fmt.Errorf("export: unknown format %q: want jsonl or csv", format)
	}
	cases, err := s.List(ctx, f)
	if err != nil {
		return 0, err
	}
	write, flush := exporter(w, format)
	n := 0
	for _, c := range cases {
		exemplars, err := s.exemplars(ctx, c)
		if err != nil {
			return n, err
		}
		for _, x := range exemplars {
			if err := write(Row{c.ID, c.Evaluator, c.Type, c.Reason, c.Status, c.Count, x}); err != nil {
				return n, fmt.Errorf("export: %w", err)
			}
			n++
		}
	}
	if err := flush(); err != nil {
		return n, fmt.Errorf("export: %w", err)
	}
	return n, nil
}

func exporter(w io.Writer, format Format) (write func(Row) error, flush func() error) {
	if format == CSV {
		c := csv.NewWriter(w)
		first := true
		header := func() error {
			if !first {
				return nil
			}
			first = false
			return c.Write(csvHeader())
		}
		return func(r Row) error {
				if err := header(); err != nil {
					return err
				}
				return c.Write(r.csv())
			}, func() error {
				if err := header(); err != nil {
					return err
				}
				c.Flush()
				return c.Error()
			}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return func(r Row) error { return enc.Encode(r) }, func() error { return nil }
}

func csvHeader() []string {
	return []string{
		"case_id", "evaluator", "type", "reason", "status", "count", "feature", "prompt_name", "prompt_version", "request_id", "occurred_at",
		"provider", "model", "trace_id", "span_id", "input", "output", "expected", "chunks", "tool_calls",
		"label", "explanation", "score", "version", "probability", "content_withheld",
	}
}

func (r Row) csv() []string {
	chunks := make([]string, len(r.Chunks))
	for i, c := range r.Chunks {
		chunks[i] = string(c.ID) + ": " + c.Text
	}
	calls := make([]string, len(r.ToolCalls))
	for i, c := range r.ToolCalls {
		calls[i] = c.Name + " " + c.Arguments.Text()
	}
	fields := []string{
		r.CaseID, r.Evaluator, string(r.Type), r.Reason, string(r.Status), strconv.Itoa(r.Count), r.Feature, r.PromptName, r.PromptVersion,
		string(r.RequestID), r.OccurredAt.Format(time.RFC3339), r.Provider, r.Model, r.TraceID, r.SpanID,
		event.JSON(r.Input).Text(), event.JSON(r.Output).Text(), event.JSON(r.Expected).Text(),
		strings.Join(chunks, "\n"), strings.Join(calls, "\n"),
		r.Verdict.Label, r.Verdict.Explanation, strconv.FormatFloat(r.Verdict.Score, 'g', -1, 64), r.Verdict.Version,
		strconv.FormatFloat(r.Verdict.Probability, 'g', -1, 64), strconv.FormatBool(r.ContentWithheld),
	}
	for i, f := range fields {
		fields[i] = harmless(f)
	}
	return fields
}

// harmless keeps a spreadsheet from running a text as a formula: content is
// written by strangers. A number stays a number.
func harmless(s string) string {
	if s == "" || !strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return s
	}
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		return s
	}
	return "'" + s
}
