package datasets

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/evalworker/evalworker/eval"
)

// Format is a format of exports.
type Format struct {
	Name        string // for choosing the format
	Description string // for help texts
	Ending      string // file name extension, with its dot
	newWriter   func(io.Writer) rowWriter
}

// rowWriter writes the rows of one export.
type rowWriter interface {
	write(Row) error
	// end is called after the last row, and also when there is none.
	end() error
}

// Formats returns all formats, the default one first. A new one is a file of its own
// with its test, and a row here.
func Formats() []Format { return []Format{JSONL(), CSV()} }

// Row is one exemplar with its case: one line of an export.
type Row struct {
	CaseID    string    `json:"case_id"`
	Evaluator string    `json:"evaluator"`
	Type      eval.Type `json:"type"`
	Reason    string    `json:"reason"`
	Status    Status    `json:"status"`
	Count     int       `json:"count"` // occurrences of the case
	Cause     string    `json:"cause"` // id of the cause
	Exemplar
}

// Export writes the exemplars of the cases that a filter chooses, in the order
// of List, and returns their number.
func (c *Cases) Export(ctx context.Context, w io.Writer, format Format, f Filter) (int, error) {
	buffer := bufio.NewWriterSize(w, 64<<10)
	rows := format.newWriter(buffer)
	n := 0
	err := c.Rows(ctx, f, func(r Row) error {
		if err := rows.write(r); err != nil {
			return fmt.Errorf("export: %w", err)
		}
		n++
		return nil
	})
	if err != nil {
		return n, err
	}
	if err := errors.Join(rows.end(), buffer.Flush()); err != nil {
		return n, fmt.Errorf("export: %w", err)
	}
	return n, nil
}

// Rows calls fn with the exemplars of the cases that a filter chooses, in the order of
// List, and of a case the first one first. It ends with the first error of fn.
func (c *Cases) Rows(ctx context.Context, f Filter, fn func(Row) error) error {
	return c.pages(ctx, f, func(page []Case) (bytes int, err error) {
		exemplars, bytes, err := c.exemplars(ctx, page)
		if err != nil {
			return 0, err
		}
		for _, of := range page {
			for _, x := range exemplars[of.ID] {
				if err := fn(Row{of.ID, of.Evaluator, of.Type, of.Reason, of.Status, of.Count, of.Cause, x}); err != nil {
					return 0, err
				}
			}
		}
		return bytes, nil
	})
}
