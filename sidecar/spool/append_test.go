package spool

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
)

// TestAnAppendThatGivesUpTakesItsRecordsBack: while a disk hangs, the spool keeps what
// is being written, and nothing of the Appends that gave up waiting: those are
// repeated.
func TestAnAppendThatGivesUpTakesItsRecordsBack(t *testing.T) {
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
		t.Errorf("%d bytes are still held", n-held)
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

// TestFailedWritesLeaveNothingBehind: a disk that fails each write leaves no files
// while Kafka is away.
func TestFailedWritesLeaveNothingBehind(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir()})
	add(t, s, "before") // is not done
	s = reopen(t, s)
	before := s.Stats()
	s.create = func(dir string, id uint64) (*os.File, error) {
		f, err := createSegment(dir, id) // the header still fits, into the block that is there
		if err != nil || f.Close() != nil {
			return nil, err
		}
		return os.Open(f.Name()) // but nothing can be written to it
	}
	for range 5 {
		if err := s.Append(t.Context(), [][]byte{[]byte("lost")}); !errors.Is(err, syscall.EBADF) {
			t.Fatalf("Append = %v", err)
		}
	}
	if after := s.Stats(); after != before {
		t.Errorf("Stats = %+v, before %+v", after, before)
	}
	if files := segmentFiles(t, s.cfg.Dir); len(files) != 1 {
		t.Errorf("files are left: %v", files)
	}
	s.create = createSegment
	add(t, s, "after")
	if got := drain(t, s); !slices.Equal(got, []string{"before", "after"}) {
		t.Errorf("%q", got)
	}
}
