//go:build go1.26

package emitter

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/event"
)

func encodedAs(id string) EncodedEvent {
	return EncodedEvent{Event: &event.Event{Kind: event.KindRequestCompleted, RequestID: event.RequestID(id)}, Value: []byte("{}")}
}

// TestASlowLookUpIsWaitedFor: each of the four answers that a write needs may come
// late, as long as all come within the time of one write.
func TestASlowLookUpIsWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := publisherOn(t, &cluster{answer: takes, late: 2200 * time.Millisecond}, Config{})
		if out, err := p.Publish(t.Context(), []EncodedEvent{encodedAs("a")}); err != nil {
			t.Errorf("Publish = %d written, %v", out.Written, err)
		}
	})
}

func TestALeaderThatMovedIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	for range 20 { // kafka-go draws when it looks up by itself
		synctest.Test(t, func(t *testing.T) {
			c := &cluster{answer: takes}
			p := publisherOn(t, c, Config{})
			for range 3 {
				if _, err := p.Publish(t.Context(), []EncodedEvent{encodedAs("a")}); err != nil {
					t.Fatal(err)
				}
				c.moveLeader()
				if _, err := p.Publish(t.Context(), []EncodedEvent{encodedAs("b")}); err == nil {
					t.Fatal("the broker that led takes events")
				}
				if _, err := p.Publish(t.Context(), []EncodedEvent{encodedAs("b")}); err != nil {
					t.Errorf("the next attempt: %v", err)
				}
			}
		})
	}
}

func TestALeaderThatHungIsGoneAtOnce(t *testing.T) {
	t.Parallel()
	for range 20 { // kafka-go draws when it looks up by itself
		synctest.Test(t, func(t *testing.T) {
			c := &cluster{answer: takes}
			p := publisherOn(t, c, Config{WriteTimeout: time.Second})
			c.moveLeader() // away from the broker that is asked for the leader
			if _, err := p.Publish(t.Context(), []EncodedEvent{encodedAs("a")}); err != nil {
				t.Fatal(err)
			}
			c.hung.Store(2)
			c.moveLeader()
			if _, err := p.Publish(t.Context(), []EncodedEvent{encodedAs("b")}); err == nil {
				c.hung.Store(0) // kafka-go looked up by itself
				return
			}
			if _, err := p.Publish(t.Context(), []EncodedEvent{encodedAs("b")}); err != nil {
				t.Errorf("the next attempt: %v", err)
			}
		})
	}
}

func TestAClusterThatComesIsFoundAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{answer: takes}
		c.away.Store(true)
		e := emitterOn(t, c, Config{})
		if err := e.Connect(t.Context()); err == nil {
			t.Error("Connect to a cluster that is away is no error")
		}
		c.away.Store(false)
		began := time.Now()
		if err := e.Connect(t.Context()); err != nil || time.Since(began) > 0 {
			t.Errorf("Connect = %v after %v", err, time.Since(began))
		}
		if err := e.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
