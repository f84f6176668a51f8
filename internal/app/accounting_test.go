package app

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// TestSettle: events without an end are an error once nothing is in flight and nothing
// moves; a message between its two counts is none.
func TestSettle(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	a := &App{log: slog.New(slog.NewTextHandler(&log, nil))}
	look := func(inFlight int) int {
		a.settle(inFlight)
		return strings.Count(log.String(), "does not settle")
	}
	a.counts.consumed.Add(3)
	a.counts.evaluated.Add(2)
	if look(1) != 0 || look(0) != 0 {
		t.Errorf("a message in flight is an error:\n%s", log.String())
	}
	a.counts.unwanted.Add(1)
	if look(0) != 0 {
		t.Errorf("what settles is an error:\n%s", log.String())
	}
	a.counts.consumed.Add(1)
	if look(0) != 0 || look(0) != 1 || !strings.Contains(log.String(), "missing=1") {
		t.Errorf("an event without an end is no error:\n%s", log.String())
	}
	if look(0) != 1 {
		t.Errorf("one error is logged more than once a minute:\n%s", log.String())
	}
}
