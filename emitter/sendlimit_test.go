//go:build go1.26

package emitter

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestASlowLineCarriesABacklog: a line that carries the usual traffic may be too slow
// for a whole batch of an outage's backlog within WriteTimeout.
func TestASlowLineCarriesABacklog(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{answer: takes}
		c.rate.Store(50_000)
		p := publisherOn(t, c, Config{Compression: "none"})
		var events []EncodedEvent
		for i := range 480 {
			e := encodedAs(fmt.Sprint(i))
			e.Value = bytes.Repeat([]byte("x"), 1900)
			events = append(events, e)
		}
		began := time.Now()
		for left := events; len(left) > 0; { // as the sidecar does
			out, err := p.Publish(t.Context(), left)
			if left = out.Left; (err != nil) != (len(left) > 0) {
				t.Fatalf("Publish = %d left, %v", len(left), err)
			}
			if took := time.Since(began); took > 2*time.Minute {
				t.Fatalf("after %v, %d of 480 are left: %v", took, len(left), err)
			}
		}
		// A million bytes take 20 s, and each attempt that failed took 10.
		if took := time.Since(began); took > time.Minute {
			t.Errorf("all was written after %v", took)
		}
		for i, r := range c.took {
			if r.key != fmt.Sprint(i) {
				t.Fatalf("record %d is %s", i, r.key)
			}
		}

		c.rate.Store(0)
		for range 3 { // it grows back step by step
			c.requests = 0
			if _, err := p.Publish(t.Context(), events); err != nil {
				t.Fatal(err)
			}
		}
		if c.requests != 1 {
			t.Errorf("on a line that has recovered, a batch takes %d requests", c.requests)
		}
	})
}

// Brokers that do not say who leads the topic say nothing about how much a line
// carries in time.
func TestALookUpWithoutAnAnswerLeavesTheLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{answer: takes, late: time.Minute}
		p := publisherOn(t, c, Config{WriteTimeout: time.Second})
		var events []EncodedEvent
		for i := range 100 {
			events = append(events, encodedAs(fmt.Sprint(i)))
		}
		before := p.limit.bytes
		for range 3 {
			if _, err := p.Publish(t.Context(), events); err == nil {
				t.Fatal("published without an answer")
			}
		}
		if p.limit.bytes != before {
			t.Errorf("the limit is %d bytes, before it was %d", p.limit.bytes, before)
		}
	})
}
