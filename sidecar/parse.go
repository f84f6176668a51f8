package sidecar

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// maxFaults bounds the faults that an answer lists.
const maxFaults = 100

// maxRejected bounds the bad lines of a body that are looked at: each costs a
// microsecond or several, and a body may have millions.
const maxRejected = 10_000

// parsed is what a body came to.
type parsed struct {
	values   [][]byte // the good events, parts of the body
	rejected int
	faults   []flt
	tooLarge bool // it is a single event, and too large
	unread   int  // the line from which on nothing was looked at; zero: all was
}

// parse finds the events of a body. One that is a single JSON value is one event,
// over however many lines; any other is taken a line at a time when its first
// line is a value by itself. A byte order mark, with which some programs begin
// a file, is no part of the first event.
func (s *Sidecar) parse(body []byte, f form) *parsed {
	body = bytes.TrimPrefix(body, []byte("\ufeff"))
	p := &parsed{}
	if f == formAny && !byLines(body) {
		if value := bytes.TrimSpace(body); len(value) > 0 {
			p.tooLarge = errors.Is(s.add(p, 1, value), emitter.ErrTooLarge)
		}
		return p
	}
	number := 0
	for line := range bytes.Lines(body) {
		number++
		if p.rejected == maxRejected {
			p.unread = number
			break
		}
		if value := bytes.TrimSpace(line); len(value) > 0 {
			_ = s.add(p, number, value) // it is among the faults
		}
	}
	return p
}

// byLines reports whether a body of unknown form is one of lines.
func byLines(body []byte) bool {
	first, rest, _ := bytes.Cut(bytes.TrimSpace(body), []byte("\n"))
	return len(bytes.TrimSpace(rest)) > 0 && json.Valid(first) && !json.Valid(body)
}

// add takes one event, or notes what is wrong with it.
func (s *Sidecar) add(p *parsed, line int, value []byte) error {
	err := s.check(value)
	if err == nil {
		p.values = append(p.values, value)
		return nil
	}
	p.rejected++
	if len(p.faults) < maxFaults {
		p.faults = append(p.faults, flt{line, problem(err)})
	}
	return err
}

func (s *Sidecar) check(value []byte) error {
	// Before it is decoded, which may take a hundred times its size.
	if limit := s.deps.Publisher.MaxEventBytes(); len(value) > limit {
		return eval.Permanent(eval.ReasonTooLarge, fmt.Errorf("%w: %d bytes, the limit is %d", emitter.ErrTooLarge, len(value), limit))
	}
	decode := event.Decode
	if s.cfg.Strict {
		decode = event.DecodeStrict
	}
	ev, err := decode(value)
	if err != nil {
		return err
	}
	return s.deps.Publisher.Check(ev, value)
}

// problem adds to an error what would be right, where people go wrong.
func problem(err error) string {
	text := err.Error()
	if text == "malformed: a JSON array, want an object" {
		return text + "; send several events one a line"
	}
	return text
}
