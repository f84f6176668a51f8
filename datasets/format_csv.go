package datasets

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/evalworker/evalworker/event"
)

// CSV returns the format with a header and one exemplar per row. Trace and span ids are
// hexadecimal only: a cell has no type, and spreadsheets and data frames round the
// digits of a long decimal number.
func CSV() Format {
	return Format{Name: "csv", Description: "CSV", Ending: ".csv", newWriter: func(w io.Writer) rowWriter {
		return &csvWriter{csv: csv.NewWriter(w)}
	}}
}

type csvWriter struct {
	csv     *csv.Writer
	started bool
}

func (w *csvWriter) write(r Row) error {
	if err := w.start(); err != nil {
		return err
	}
	return w.csv.Write(csvFields(r))
}

func (w *csvWriter) end() error {
	if err := w.start(); err != nil {
		return err
	}
	w.csv.Flush()
	return w.csv.Error()
}

// start writes the header once.
func (w *csvWriter) start() error {
	if w.started {
		return nil
	}
	w.started = true
	return w.csv.Write([]string{
		"case_id", "evaluator", "type", "reason", "status", "count", "feature", "prompt_name", "prompt_version", "request_id", "occurred_at",
		"provider", "model", "trace_id", "span_id", "input", "output", "expected", "chunks", "tool_calls",
		"label", "explanation", "score", "version", "probability", "content_withheld", "cause",
	})
}

func csvFields(r Row) []string {
	chunks := make([]string, len(r.Chunks))
	for i, c := range r.Chunks {
		chunks[i] = string(c.ID) + ": " + c.Text
	}
	var calls []string
	said := event.Event{Output: event.JSON(r.Output), ToolCalls: r.ToolCalls}
	for _, c := range said.Calls() {
		calls = append(calls, strings.TrimSpace(c.Name+" "+c.Arguments.Plain()))
	}
	fields := []string{
		r.CaseID, r.Evaluator, string(r.Type), r.Reason, string(r.Status), strconv.Itoa(r.Count), r.Feature, r.PromptName, r.PromptVersion,
		string(r.RequestID), r.OccurredAt.Format(time.RFC3339), r.Provider, r.Model, r.TraceID, r.SpanID,
		event.JSON(r.Input).Text(), event.JSON(r.Output).Reply(), event.JSON(r.Expected).Reply(),
		strings.Join(chunks, "\n"), strings.Join(calls, "\n"),
		r.Failure.Label, r.Failure.Explanation, strconv.FormatFloat(r.Failure.Score, 'g', -1, 64), r.Failure.Version,
		strconv.FormatFloat(r.Failure.Probability, 'g', -1, 64), strconv.FormatBool(r.ContentWithheld), r.Cause,
	}
	for i, f := range fields {
		fields[i] = escapeFormula(f)
	}
	return fields
}

// escapeFormula prevents a spreadsheet from running a text as a formula, because
// strangers write the content. A formula begins with one of a few characters, in any of
// their forms, such as the full-width ones; some programs pass over blanks and what is
// not seen before it. Numbers stay numbers.
func escapeFormula(s string) string {
	if s == "" {
		return s
	}
	first, _ := utf8.DecodeRuneInString(strings.TrimLeftFunc(s, unseen))
	begins := s[0] == '\t' || s[0] == '\r' || s[0] == '\n' || strings.ContainsAny(norm.NFKC.String(string(first)), "=+-@|%")
	if _, err := strconv.ParseFloat(s, 64); !begins || err == nil {
		return s
	}
	return "'" + s
}

// unseen reports whether a character is a blank or takes no room.
func unseen(r rune) bool { return unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf) }
