package consumer

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/offsetcommit"
)

// TestTrackerCommitsAgainWithoutAnAnswer: a commit that was not answered may be stored
// over newer ones, so these are sent again until it cannot be under way any more.
func TestTrackerCommitsAgainWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		tr := newTracker(10)
		tr.skip(10)
		tr.commitUnanswered()
		for sent := time.Now(); time.Since(sent) <= requestTimeout; {
			m, ok := tr.checkpoint()
			if !ok {
				t.Fatalf("nothing to tell %v after the silence", time.Since(sent))
			}
			tr.commitAccepted(m, time.Now())
			if !tr.progress().saved {
				t.Fatal("what was accepted counts as not committed")
			}
			<-time.After(time.Second)
		}
		m, ok := tr.checkpoint()
		if !ok {
			t.Fatal("nothing to tell before the last time")
		}
		tr.commitAccepted(m, time.Now())
		if _, ok := tr.checkpoint(); ok {
			t.Error("sent again for ever")
		}
	})
}

// lateCommitTransport delays one commit for longer than its sender waits, like a
// coordinator that hangs or a line that loses packets: closing a connection does not
// take back what was written to it.
type lateCommitTransport struct {
	kafka.RoundTripper
	delay atomic.Int64 // how long the next one is delayed; 0: not at all
	over  chan struct{}
}

func (l *lateCommitTransport) RoundTrip(ctx context.Context, addr net.Addr, req kafka.Request) (kafka.Response, error) {
	_, commit := req.(*offsetcommit.Request)
	d := time.Duration(0)
	if commit {
		d = time.Duration(l.delay.Swap(0))
	}
	if d == 0 {
		return l.RoundTripper.RoundTrip(ctx, addr, req)
	}
	go func() {
		defer close(l.over)
		<-time.After(d)
		_, _ = l.RoundTripper.RoundTrip(context.WithoutCancel(ctx), addr, req)
	}()
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestCommitThatComesLate: a commit that was not answered is stored after newer ones.
// The next worker repeats nothing.
func TestCommitThatComesLate(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1, true)
	var notes notebook
	c, err := New(b.cfg, Deps{Handle: notes.Handle})
	if err != nil {
		t.Fatal(err)
	}
	late := &lateCommitTransport{RoundTripper: c.client.Transport, over: make(chan struct{})}
	c.client.Transport = late
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	end := make(chan error, 1)
	go func() { end <- c.Run(ctx) }()
	b.publish(0, "first")
	b.eventually("the first is committed", func() bool { return b.stored(0) == 1 })
	late.delay.Store(int64(requestTimeout + time.Second))
	b.publish(0, "second")
	b.eventually("its commit is under way", func() bool { return late.delay.Load() == 0 })
	b.publish(0, values("more", 100)...)
	b.eventually("all is committed", func() bool { return b.stored(0) == 102 })
	<-late.over
	b.eventually("all is committed again", func() bool { return b.stored(0) == 102 })
	stop()
	if err := <-end; err != nil || b.stored(0) != 102 {
		t.Errorf("stored offset %d of 102, err = %v", b.stored(0), err)
	}
}

func TestCommitBreaker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const limit = 5 * time.Second
		cb := newCommitBreaker()
		if err := cb.wait(t.Context(), limit); err != nil {
			t.Fatalf("a new breaker holds work back: %v", err)
		}
		<-time.After(limit)
		if err := cb.wait(t.Context(), limit); err != nil {
			t.Errorf("closed at its limit: %v", err)
		}
		<-time.After(time.Millisecond)
		through := make(chan error, 2)
		for range 2 {
			go func() { through <- cb.wait(t.Context(), limit) }()
		}
		synctest.Wait()
		if len(through) > 0 {
			t.Error("open after its limit")
		}
		cb.reset()
		for range 2 {
			if err := <-through; err != nil {
				t.Errorf("wait: %v", err)
			}
		}
		<-time.After(2 * limit)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := cb.wait(ctx, limit); !errors.Is(err, context.Canceled) {
			t.Errorf("wait: %v, want %v", err, context.Canceled)
		}
	})
}
