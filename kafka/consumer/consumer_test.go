package consumer

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/event"
)

func TestEveryMessageIsHandledOnceAndCommitted(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 2)
	b.publish(0, values("a", 50)...)
	b.publish(1, values("b", 50)...)
	var notes notebook
	w := b.start(Deps{Handle: notes.Handle, Skip: func(m *event.Message) bool { return string(m.Value) == "a7" }})
	b.eventually("all consumed", func() bool { return w.seen.count("consumed") == 100 })
	if err := w.halt(); err != nil {
		t.Errorf("Run: %v", err)
	}
	want := once(values("a", 50), values("b", 50))
	delete(want, "a7")
	if diff := cmp.Diff(want, notes.get()); diff != "" {
		t.Errorf("handled (-want +got):\n%s", diff)
	}
	for id := range 2 {
		if got := b.stored(id); got != 50 {
			t.Errorf("partition %d: committed %d, want 50", id, got)
		}
	}
}

func TestGraceBeginsWithTheOrderToStop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, order := context.WithCancel(t.Context())
		grace, stop := graceAfter(app, time.Minute)
		defer stop()
		<-time.After(time.Hour)
		order()
		synctest.Wait()
		if grace.Err() != nil {
			t.Error("over before it began")
		}
		<-time.After(time.Minute - time.Second)
		if grace.Err() != nil {
			t.Error("over too soon")
		}
		<-time.After(time.Second)
		synctest.Wait()
		if !errors.Is(context.Cause(grace), errStopped) {
			t.Errorf("cause %v, want %v", context.Cause(grace), errStopped)
		}
	})
}
