package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/outage"
)

// TestBurstIsSummedUp: when a burst is over, one line counts those without a line of
// their own; there is no line about none.
func TestBurstIsSummedUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &logBuffer{}
		c, err := New(DefaultConfig(), Deps{Handle: new(notebook).Handle, Log: slog.New(slog.NewTextHandler(out, nil))})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); c.summarizeDeadLetters(ctx) }()

		const burst = 53
		began := time.Now().Format("2006-01-02T15:04:05.000Z07:00")
		for range burst {
			c.letterLog.of(eval.ReasonMalformed).Allow()
		}
		<-time.After(outage.Interval - time.Second)
		synctest.Wait()
		if out.String() != "" {
			t.Errorf("logged before the minute was over: %s", out)
		}
		<-time.After(summaryInterval + time.Second)
		synctest.Wait()
		if want := fmt.Sprintf(" count=%d since=%s reason=malformed\n", burst-1, began); strings.Count(out.String(), "\n") != 1 || !strings.HasSuffix(out.String(), want) {
			t.Errorf("log %q, want one line with %q", out, want)
		}
		<-time.After(time.Hour)
		synctest.Wait()
		if n := strings.Count(out.String(), "\n"); n != 1 {
			t.Errorf("%d lines after an hour in which nothing happened", n)
		}
		began = time.Now().Format("2006-01-02T15:04:05.000Z07:00")
		c.letterLog.of(eval.ReasonTooLarge).Allow()
		c.letterLog.of(eval.ReasonTooLarge).Allow()
		stop()
		<-ended
		if !strings.HasSuffix(out.String(), " count=1 since="+began+" reason=too_large\n") {
			t.Errorf("log %q, want what is left at the end", out)
		}
	})
}

// TestLogCountsEveryDeadLetter: the counts of a worker's log add up to its dead
// letters, for each reason, also when it ends within the minute.
func TestLogCountsEveryDeadLetter(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1, true)
	want := map[string]int{"malformed": 7, "unknown_event": 5}
	b.publish(0, slices.Concat(values("bad", want["malformed"]), values("new", want["unknown_event"]))...)
	out := &logBuffer{}
	w := b.start(Deps{Log: slog.New(slog.NewTextHandler(out, nil)), Handle: func(_ context.Context, m event.Message) error {
		if strings.HasPrefix(string(m.Value), "new") {
			return eval.Permanent(eval.ReasonUnknownEvent, errors.New("no known event"))
		}
		return eval.Permanent(eval.ReasonMalformed, errors.New("no event"))
	}})
	b.eventually("all put aside", func() bool { return b.stored(0) == 12 })
	if err := w.halt(); err != nil {
		t.Fatal(err)
	}
	told := map[string]int{}
	for line := range strings.Lines(out.String()) {
		_, count, ok := strings.Cut(line, "count=")
		_, reason, has := strings.Cut(line, " reason=")
		if !ok || !has || !strings.Contains(line, "dead letter") {
			continue
		}
		var n int
		if _, err := fmt.Sscan(count, &n); err != nil {
			t.Fatal(err)
		}
		told[strings.Fields(reason)[0]] += n
	}
	if !maps.Equal(told, want) {
		t.Errorf("the log counts %v dead letters, want %v:\n%s", told, want, out)
	}
}
