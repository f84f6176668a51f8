package consumer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// TestIsOutage: errors of a rebalance are not an outage.
func TestIsOutage(t *testing.T) {
	t.Parallel()
	for err, want := range map[error]bool{
		errors.New("connection refused"):               true,
		kafka.GroupCoordinatorNotAvailable:             true,
		kafka.RebalanceInProgress:                      false,
		kafka.UnknownMemberId:                          false,
		errors.Join(errStale, kafka.IllegalGeneration): false,
		errors.Join(errTopicGone, errors.New("x")):     false,
	} {
		if got := isOutage(fmt.Errorf("commit: %w", err)); got != want {
			t.Errorf("isOutage(%v) = %v", err, got)
		}
	}
}

// TestBrokerGone: the status of a worker whose broker is gone says since when it is
// not a member and why, names the broker, and has no partitions; when the broker is
// back all that is cleared.
func TestBrokerGone(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1, true)
	b.cfg.SessionTimeout = 2 * time.Second // after which the member gives up
	dir := t.TempDir()
	b.broker.Close()
	embedded := b.restart(broker.Config{Addr: b.broker.Addr(), Dir: dir, Topics: map[string]int32{b.cfg.Topic: 1}})
	out := &logBuffer{}
	began := time.Now()
	w := b.start(Deps{Handle: new(notebook).Handle, Log: slog.New(slog.NewTextHandler(out, nil))})
	b.publish(0, "first")
	b.eventually("it is committed", func() bool { return w.Status().Joined && !w.Status().LastCommit.IsZero() })
	if st := w.Status(); st.Down() || st.Error != "" || !st.NotJoinedSince.IsZero() {
		t.Errorf("status of a worker that is well: %+v", st)
	}

	embedded.Close()
	var st Status // one look, because each attempt to connect changes it
	want := "broker " + embedded.Addr() + " cannot be reached: connect: connection refused"
	b.eventually("the outage shows", func() bool {
		st = w.Status()
		return !st.Joined && st.Down() && st.Error == want
	})
	if !st.NotJoinedSince.After(began) || st.DownSince.Before(st.NotJoinedSince.Add(-patience)) || st.DownSince.After(time.Now()) {
		t.Errorf("no member since %v, down since %v", st.NotJoinedSince, st.DownSince)
	}
	if len(st.Partitions) != 0 {
		t.Errorf("claims %+v", st.Partitions)
	}
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, "level=WARN") && !strings.Contains(line, embedded.Addr()) {
			t.Errorf("a warning does not name the broker: %s", line)
		}
	}
	if strings.Contains(out.String(), "kafka.(*Client)") {
		t.Errorf("the log names functions:\n%s", out)
	}

	again := b.restart(broker.Config{Addr: embedded.Addr(), Dir: dir})
	w.owns(1)
	if st := w.Status(); st.Down() || st.Error != "" || !st.NotJoinedSince.IsZero() {
		t.Errorf("status after the outage: %+v", st)
	}

	logged, began := len(out.String()), time.Now()
	again.Close()
	var line string
	b.eventually("the second outage is logged", func() bool {
		_, after, found := strings.Cut(out.String()[logged:], "group not joined")
		line, _, _ = strings.Cut(after, "\n")
		return found
	})
	_, said, counted := strings.Cut(line, " count=1 since=")
	said, _, _ = strings.Cut(said, " ")
	if since, err := time.Parse(time.RFC3339, said); !counted || err != nil || since.Before(began.Truncate(time.Millisecond)) {
		t.Errorf("the first attempt of the second outage has no line of its own, with its begin: %s, want since %v", line, began)
	}
	if st := w.Status(); st.DownSince.Before(began) {
		t.Errorf("down since %v, want after %v", st.DownSince, began)
	}
	b.restart(broker.Config{Addr: embedded.Addr(), Dir: dir})
	w.owns(1)
	if err := w.halt(); err != nil { // while there is a broker
		t.Error(err)
	}
}

// TestCommitsFail: the status has the broker's error of a commit, and the time of the
// last commit that it accepted stays. The log says when it begins and when it is over.
func TestCommitsFail(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1, true)
	b.cfg.MaxCommitOutage = 200 * time.Millisecond
	out := &logBuffer{}
	w := b.start(Deps{Handle: new(notebook).Handle, Log: slog.New(slog.NewTextHandler(out, nil))})
	w.owns(1)
	if last := w.Status().LastCommit; !last.IsZero() {
		t.Errorf("last commit %v, before the first", last)
	}
	b.publish(0, "first")
	b.eventually("it is committed", func() bool { return !w.Status().LastCommit.IsZero() })
	restore := b.broker.RefuseCommits()
	b.publish(0, "second")
	b.eventually("the stall shows", func() bool { return strings.HasPrefix(w.Status().Stalled, "commits fail: broker "+b.broker.Addr()) })
	st := w.Status()
	if again := w.Status(); again.Stalled != st.Stalled || !again.StalledSince.Equal(st.StalledSince) {
		t.Errorf("the same stall in other words: %q since %v, then %q since %v", st.Stalled, st.StalledSince, again.Stalled, again.StalledSince)
	}
	last := st.LastCommit // of before the refusal, also if its answer was read after that
	if !st.Down() || last.IsZero() || time.Since(last) < b.cfg.MaxCommitOutage || !strings.Contains(st.Error, "commit partition 0") {
		t.Errorf("status while commits fail: down %v, last commit %v, error %q", st.Down(), last, st.Error)
	}
	restore()
	b.eventually("all is well", func() bool { return !w.Status().Down() && w.Status().LastCommit.After(last) })
	b.eventually("the log says that it is over", func() bool {
		_, after, failed := strings.Cut(out.String(), `level=WARN msg="offsets not committed; trying again"`)
		return failed && strings.Contains(after, `level=INFO msg="offsets are committed again"`)
	})
}

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

// TestCommitCutShort: a commit that the end of a drain cuts short is not evidence of an
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
	p.tracker.finish(p.tracker.begin(0, time.Time{}))
	if err := c.commit(t.Context(), memberless, []*partition{p}); err != nil {
		t.Fatal(err) // the connection itself is not what is tested
	}
	p.tracker.finish(p.tracker.begin(1, time.Time{}))
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

// TestFirstBrokerIsSilent: the first broker of the list accepts connections and does
// not answer, as if frozen. The others are healthy, and the worker uses them.
func TestFirstBrokerIsSilent(t *testing.T) {
	t.Parallel()
	for _, start := range []Start{StartFirst, StartLast} {
		t.Run(string(start), func(t *testing.T) {
			t.Parallel()
			b := newTestbed(t, 1, true)
			ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0") // the kernel accepts connections for it
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = ln.Close() })
			b.cfg.Start, b.cfg.DialTimeout = start, time.Second
			b.cfg.Brokers = []string{ln.Addr().String(), b.broker.Addr()}
			var notes notebook
			w := b.start(Deps{Handle: notes.Handle})
			w.owns(1)
			b.publish(0, "read and committed")
			b.eventually("committed", func() bool { return b.stored(0) == 1 })
		})
	}
}
