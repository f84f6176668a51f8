package consumer

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
)

// TestUnanswered: only a request that was not answered is evidence of an outage.
func TestUnanswered(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err   error
		after time.Duration // since the request was sent
		want  bool
	}{
		"no error":         {nil, 0, false},
		"a broker's error": {fmt.Errorf("commit: %w", kafka.NotCoordinatorForGroup), time.Second, false},
		"given up by us":   {fmt.Errorf("commit: %w", context.Canceled), time.Second, false},
		"generation ended": {fmt.Errorf("commit: %w", kafka.ErrGenerationEnded), time.Second, false},
		"cut short by us":  {fmt.Errorf("commit: %w", context.DeadlineExceeded), 100 * time.Millisecond, false},
		"deadline set":     {fmt.Errorf("commit: %w", &net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}), 100 * time.Millisecond, false},
		"no answer":        {fmt.Errorf("commit: %w", context.DeadlineExceeded), time.Second, true},
		"connection lost":  {fmt.Errorf("commit: %w", io.ErrUnexpectedEOF), 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var c Consumer
				sent := time.Now()
				<-time.After(tt.after)
				c.noteUnanswered(sent, tt.err)
				<-time.After(10 * time.Second)
				if got := c.unansweredWithin(10 * time.Second); got != tt.want {
					t.Errorf("silence within 10 s: %v, want %v", got, tt.want)
				}
				<-time.After(time.Second)
				if c.unansweredWithin(10 * time.Second) {
					t.Error("a silence 11 s ago counts as one within 10 s")
				}
			})
		})
	}
}

// TestCommitCutShort: a commit that the end of a drain cuts short is no evidence of an
// outage; otherwise the survivors of a clean stop would wait in vain.
func TestCommitCutShort(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1, true)
	c, err := New(b.cfg, Deps{Handle: func(context.Context, event.Message) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer c.transport.CloseIdleConnections()
	p := newPartition(t.Context(), 0, 0)
	p.tracker.finish(p.tracker.begin(0))
	if err := c.commit(t.Context(), memberless, []*partition{p}); err != nil {
		t.Fatal(err) // that the connection is there is not what is looked at
	}
	p.tracker.finish(p.tracker.begin(1))
	defer b.broker.IgnoreCommits()()
	drain, cancel := context.WithTimeout(t.Context(), silenceAfter/10)
	defer cancel()
	if err := c.commit(drain, memberless, []*partition{p}); err == nil {
		t.Fatal("a commit that is not answered was accepted")
	}
	if c.unansweredWithin(time.Hour) {
		t.Error("what we cut short ourselves counts as an outage")
	}
}
