// Package replay sends a file of events, one JSON object per line, through the
// pipeline that the worker runs, without Kafka.
//
// Lines are evaluated concurrently and reported in order. No line is skipped
// silently: a line that is not an event, or above the size limit, is reported with
// its number and its fault, and the replay goes on. Blank lines are counted. A
// replay stops early when its context ends, the input cannot be read, or the caller
// returns an error for a report.
//
// Feedback is evaluated after all lines before it, so that it finds its request if that
// is among them and the pipeline remembers it.
//
// Memory is bounded by the lines in flight, including the one being read, each up
// to the size limit.
package replay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/pipeline"
)

// Config bounds a replay. Zero and negative values select the defaults.
type Config struct {
	Concurrency  int // events in flight at once
	MaxLineBytes int // a longer line, without its end, is a bad line
	// Check, if set, is asked about each line, as it was read and as it was prepared,
	// before it is evaluated. A line for which it returns an error is bad.
	Check func(read, prepared []byte) error
	// Prepare makes an event of a line, such as [Complete]; nil: lines are events.
	Prepare func(number int, line []byte) []byte
}

// DefaultConfig returns bounds of 64 events in flight, of at most 10 MB each.
func DefaultConfig() Config { return Config{Concurrency: 64, MaxLineBytes: 10 << 20} }

func (c Config) withDefaults() Config {
	d := DefaultConfig()
	if c.Concurrency <= 0 {
		c.Concurrency = d.Concurrency
	}
	if c.MaxLineBytes <= 0 {
		c.MaxLineBytes = d.MaxLineBytes
	}
	return c
}

// Result is one line of the input and what became of it.
type Result struct {
	Number int          // line of the input, from 1
	Bytes  int64        // read from the input up to the end of this line
	Text   []byte       // the line as it was read; nil when it was too long
	Report *eval.Report // nil when the line is not an event
	Err    error        // why it is none; nil with a report
	// Warnings say which members of the event are not read. Cases have none: their members
	// are the program's own.
	Warnings event.Warnings
}

// Disposition returns how the handling of the line ended.
func (r *Result) Disposition() eval.Disposition {
	switch {
	case r.Report == nil:
		return eval.DispositionDeadLettered
	case len(r.Report.Plan.Picks) == 0:
		return r.Report.Plan.Skipped()
	}
	return eval.DispositionEvaluated
}

// Reason says why the line is bad, or why no evaluator wants it; empty otherwise.
func (r *Result) Reason() string {
	switch {
	case r.Report == nil:
		return r.Err.Error()
	case len(r.Report.Plan.Picks) == 0 && r.Report.Plan.Unwanted:
		return "not wanted: no evaluator's condition holds"
	}
	return ""
}

// Totals count the lines of a replay.
type Totals struct {
	Events int // lines that were not blank
	Bad    int // of these, lines that are not events
	Blank  int
}

// Run evaluates every line of in and calls each with the results, in order and one
// at a time. The error is from each, from in, or the context's cause; the totals
// count up to there. Run waits for a Read of in that blocks.
func Run(ctx context.Context, p *pipeline.Pipeline, in io.Reader, cfg Config, each func(Result) error) (Totals, error) {
	cfg = cfg.withDefaults()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// One channel per line, in the order of lines. The lines in flight are those in
	// the queue and the one whose result is awaited.
	queue := make(chan chan Result, cfg.Concurrency-1)
	var totals Totals
	var readErr error
	var wg sync.WaitGroup
	var order order
	wg.Go(func() {
		defer close(queue)
		readErr = read(ctx, in, cfg.MaxLineBytes, &totals, func(number int, at int64, line []byte, err error) error {
			done := make(chan Result, 1)
			select {
			case queue <- done:
			case <-ctx.Done():
				return ctx.Err()
			}
			place := order.next(line)
			wg.Go(func() {
				defer place.leave()
				place.wait()
				done <- evaluate(ctx, p, cfg, Result{Number: number, Bytes: at, Text: line}, err)
			})
			return nil
		})
	})
	for done := range queue {
		res := <-done
		if ctx.Err() != nil {
			continue // stopped: only wait for the rest to end
		}
		if res.Report == nil {
			totals.Bad++
		}
		if err := each(res); err != nil {
			cancel(err)
		}
	}
	wg.Wait()
	if ctx.Err() != nil {
		return totals, context.Cause(ctx)
	}
	return totals, readErr
}

// evaluate fills in the report of a line that has been read, or was too long.
func evaluate(ctx context.Context, p *pipeline.Pipeline, cfg Config, res Result, err error) Result {
	line := res.Text
	if err == nil && cfg.Prepare != nil {
		line = cfg.Prepare(res.Number, line)
	}
	if err == nil && cfg.Check != nil {
		err = cfg.Check(res.Text, line)
	}
	if err == nil {
		res.Report, err = p.Evaluate(ctx, line)
	}
	if err != nil {
		res.Report, res.Err = nil, err
		return res
	}
	if !IsCase(res.Text) {
		_, res.Warnings, _ = event.DecodeWithWarnings(line) // it is an event: there is no error
	}
	return res
}

// byteOrderMark may begin a file in UTF-8.
const byteOrderMark = "\ufeff"

// read calls line for every line that is not blank. Only read writes totals.Events
// and totals.Blank, and Run reads them after it has ended.
func read(ctx context.Context, in io.Reader, limit int, totals *Totals, line func(number int, at int64, b []byte, err error) error) error {
	r := bufio.NewReaderSize(in, 64<<10)
	var at int64
	for number := 1; ctx.Err() == nil; number++ {
		b, n, err := readLine(r, limit)
		at += n
		var bad error
		switch {
		case errors.Is(err, errTooLong):
			bad = eval.Permanent(eval.ReasonTooLarge, fmt.Errorf("a line of %d bytes, want at most %d", n, limit))
			err = nil
		case err != nil && !errors.Is(err, io.EOF):
			return fmt.Errorf("read line %d: %w", number, err)
		}
		if number == 1 {
			b = bytes.TrimPrefix(b, []byte(byteOrderMark))
		}
		switch {
		case bad == nil && len(bytes.TrimSpace(b)) == 0:
			if err == nil {
				totals.Blank++
			}
		default:
			totals.Events++
			if err := line(number, at, b, bad); err != nil {
				return err
			}
		}
		if err != nil {
			return nil // the end of the input
		}
	}
	return ctx.Err()
}

var errTooLong = errors.New("line too long")

// readLine returns one line in a new slice, without its end, and the number of
// bytes that it read. A line above the limit is dropped and returns errTooLong,
// also at the end of the input. Otherwise the error is from r; with io.EOF, the
// line is the text after the last line break.
func readLine(r *bufio.Reader, limit int) ([]byte, int64, error) {
	var line []byte
	var n int64
	for {
		part, err := r.ReadSlice('\n')
		n += int64(len(part))
		length := n
		if err == nil {
			length--
			part = part[:len(part)-1]
		}
		long := length > int64(limit)
		if long {
			line = nil
		} else {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case long && (err == nil || errors.Is(err, io.EOF)):
			return nil, n, errTooLong
		}
		return line, n, err
	}
}
