package faults

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
)

const (
	// eventsPerVersion is how many events are published with one version of the prompt.
	eventsPerVersion = churnRate * int(churnPace/time.Second)
	// failingEvery is how often the judge fails an event.
	failingEvery = 20
	// sidecarEvery is how often an event goes through the sidecar.
	sidecarEvery = 4
)

// numberOf returns the number of an event, from 1.
func numberOf(id string) int {
	n, _ := strconv.Atoi(strings.TrimPrefix(id, "ev-"))
	return n
}

// fails reports whether the judge fails an event.
func fails(id string) bool { return numberOf(id)%failingEvery == 0 }

// versionOf returns the number of the version that an event was published with, from 1.
func versionOf(id string) int { return (numberOf(id)-1)/eventsPerVersion + 1 }

// versionName returns the name of the nth version.
func versionName(n int) string { return fmt.Sprintf("2026-06-01.%d", n) }

// versioned is an event with the version that its number has.
func versioned(id string) event.Event {
	e := newEvent(id)
	e.PromptVersion = versionName(versionOf(id))
	return e
}

// publisher publishes at an even rate, through the emitter and through a sidecar. It
// writes the ledger until stop returns.
type publisher struct {
	w       *world
	sidecar string // its address
	enough  chan struct{}
	done    chan struct{}
	failed  chan struct{} // closed at an error
	err     error         // once done is closed
}

func newPublisher(w *world) *publisher {
	return &publisher{w: w, enough: make(chan struct{}), done: make(chan struct{}), failed: make(chan struct{})}
}

// start begins to publish. It ends with the row.
func (p *publisher) start() {
	ctx, cancel := context.WithCancel(p.w.t.Context())
	go func() {
		defer close(p.done)
		defer cancel()
		if p.err = p.publish(ctx); p.err != nil {
			close(p.failed)
		}
	}()
	p.w.t.Cleanup(func() {
		cancel()
		<-p.done
	})
}

// stop ends the publishing, and returns when all is confirmed.
func (p *publisher) stop() error {
	close(p.enough)
	select {
	case <-p.done:
		return p.err
	case <-time.After(patience):
		return fmt.Errorf("not all that was published is confirmed after %v", patience)
	}
}

func (p *publisher) publish(ctx context.Context) (err error) {
	direct, err := emitter.New(emitter.Config{Brokers: p.w.brokers, Topic: p.w.topic, Block: true})
	if err != nil {
		return err
	}
	beside, err := emitter.New(emitter.Config{Sidecar: "http://" + p.sidecar, Block: true})
	if err != nil {
		return err
	}
	broken := &kafka.Writer{
		Addr: p.w.client.Addr, Topic: p.w.topic, Transport: p.w.client.Transport,
		RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, Balancer: &kafka.Hash{},
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		err = errors.Join(err, direct.Close(ending), beside.Close(ending), broken.Close())
	}()
	began := time.Now()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for n := 0; ; {
		for due := int(time.Since(began).Seconds() * churnRate); n < due; {
			n++
			id := idNumber(n)
			p.w.ledger.published = append(p.w.ledger.published, id)
			switch {
			case n%brokenEvery == 0:
				p.w.ledger.broken[id] = true
				err = broken.WriteMessages(ctx, brokenEvent(id))
			case n%sidecarEvery == 1:
				err = beside.Emit(ctx, versioned(id))
			default:
				err = direct.Emit(ctx, versioned(id))
			}
			if err != nil {
				return fmt.Errorf("publish %s: %w", id, err)
			}
		}
		select {
		case <-tick.C:
		case <-p.enough:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
