package spool

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"testing"
)

// A disk that hangs holds what it has been given, and nothing of those who have
// given up waiting for it: they come again.
func TestWhoGivesUpTakesItsRecordsBack(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir()})
	taken, wakes := make(chan struct{}), make(chan struct{})
	began := sync.OnceFunc(func() { close(taken) })
	s.create = func(dir string, id uint64) (*os.File, error) {
		began()
		<-wakes
		return createSegment(dir, id)
	}
	ctx, giveUp := context.WithCancel(t.Context())
	first := make(chan error, 1)
	go func() { first <- s.Append(ctx, [][]byte{[]byte("first")}) }()
	<-taken
	giveUp()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("Append = %v", err)
	}
	held := s.Stats().DiskBytes
	for range 50 {
		if err := s.Append(ctx, [][]byte{make([]byte, 1<<20)}); !errors.Is(err, context.Canceled) {
			t.Fatalf("Append = %v", err)
		}
	}
	if n := s.Stats().DiskBytes; n != held {
		t.Errorf("%d bytes are held for nobody", n-held)
	}
	close(wakes)
	add(t, s, "next")
	if n := s.Stats().Appended; n != 2 {
		t.Errorf("%d records became safe, want 2", n)
	}
	if got := drain(t, s); !slices.Equal(got, []string{"first", "next"}) {
		t.Errorf("%q", got)
	}
}
