package app

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/kafka/consumer"
	"github.com/evalworker/evalworker/sampler"
	"github.com/evalworker/evalworker/telemetry"
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

// TestSkewIsLoggedOnce: skews that begin together for one cause are one line, which names
// each evaluator and rule, and are logged again only when they were over in between.
func TestSkewIsLoggedOnce(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	a := &App{log: slog.New(slog.NewTextHandler(&log, nil))}
	s, err := sampler.New(sampler.Config{DefaultRate: 0.1}, []sampler.Evaluator{{Name: "one", Judge: true}, {Name: "two", Judge: true}})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	decide := func(id func() uint64) {
		for range 10 {
			for range 10_000 {
				s.Decide(&event.Envelope{Kind: event.KindRequestCompleted, Trace: event.TraceID{Hi: r.Uint64(), Lo: id()}})
			}
			a.checkSampling(s)
		}
	}
	constant := func() uint64 { return 7 }
	for round := 1; round <= 2; round++ {
		decide(constant)
		if n := strings.Count(log.String(), "cannot be trusted"); n != round || len(a.skews.now()) != 2 {
			t.Errorf("round %d: %d lines, %d skews; want one a round, and two skews", round, n, len(a.skews.now()))
		}
		if n := strings.Count(log.String(), " also=\"evaluator "); n != round {
			t.Errorf("round %d: %d lines name the second evaluator, want one a round", round, n)
		}
		decide(r.Uint64)
		if n := strings.Count(log.String(), "can be trusted again"); n != 2*round || len(a.skews.now()) != 0 {
			t.Errorf("round %d: %d lines that it is over, %d skews; want two a round, and none", round, n, len(a.skews.now()))
		}
	}
}

// TestReportTo: a data stream sees messages that are skipped as well, and changes no
// decision.
func TestReportTo(t *testing.T) {
	t.Parallel()
	asked := 0
	d := consumer.Deps{Skip: func(m *event.Message) bool { asked++; return m.Offset == 1 }}
	reportTo(&telemetry.DataStream{}, &d)
	if !d.Skip(&event.Message{Offset: 1}) || d.Skip(&event.Message{Offset: 2}) || asked != 2 || d.Committed == nil {
		t.Errorf("asked %d times, committed %t", asked, d.Committed != nil)
	}
}
