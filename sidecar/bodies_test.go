package sidecar

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/evalworker/evalworker/sidecar/spool"
)

func TestBodiesAreReadToTheirEnd(t *testing.T) {
	t.Parallel()
	const limit = 20_000
	for _, c := range []struct {
		name         string
		length       int   // of the body
		size         int64 // that is expected
		room         int   // of what is returned, at most
		beyond       bool
		deliversByte bool // one byte at a time
	}{
		{name: "empty", length: 0, size: 0, room: smallBody},
		{name: "small", length: 2000, size: 2000, room: smallBody},
		{name: "small, of unknown size", length: 2000, size: -1, room: smallBody},
		{name: "that fills its memory", length: smallBody, size: smallBody, room: smallBody + 1},
		{name: "large", length: 17_000, size: 17_000, room: 17_001},
		{name: "large, of unknown size", length: 17_000, size: -1, room: limit + 1},
		{name: "longer than expected", length: 19_000, size: 10, room: limit + 1},
		{name: "at the limit", length: limit, size: limit, room: limit + 1},
		{name: "at the limit, of unknown size", length: limit, size: -1, room: limit + 1, deliversByte: true},
		{name: "expected far beyond the limit", length: limit, size: 1 << 40, room: limit + 1},
		{name: "beyond the limit", length: limit + 1, size: -1, beyond: true},
		{name: "far beyond the limit", length: 5 * limit, size: 10, beyond: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := &bodies{limit: limit}
			want := bytes.Repeat([]byte("0123456789"), c.length/10+1)[:c.length]
			var in io.Reader = bytes.NewReader(want)
			if c.deliversByte {
				in = iotest.OneByteReader(in)
			}
			got, err := b.read(in, c.size)
			if c.beyond {
				if !errors.Is(err, errTooLarge) {
					t.Errorf("%d bytes, %v; want an error", len(got), err)
				}
				return
			}
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes, %v; want %d", len(got), err, len(want))
			}
			if cap(got) > c.room {
				t.Errorf("room for %d bytes, want at most %d", cap(got), c.room)
			}
		})
	}
	broken := errors.New("broken")
	b := &bodies{limit: limit}
	if got, err := b.read(io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), 100); !errors.Is(err, broken) {
		t.Errorf("%q, %v", got, err)
	}
}

// TestWhatTheSpoolMayStillWriteIsNotUsedAgain: after an answer that comes before the
// disk's, the next request must not get the memory of the body.
func TestWhatTheSpoolMayStillWriteIsNotUsedAgain(t *testing.T) {
	t.Parallel()
	w := build(t, Config{}, spool.Config{})
	w.cfg.RequestTimeout = -1 // every disk is too slow for that
	for tries := 0; ; tries++ {
		w.bodies.small = sync.Pool{}
		resp := request{body: newEvent("late")}.do(t, w.handler())
		if resp.Code == http.StatusServiceUnavailable {
			break
		}
		if tries > 100 {
			t.Fatalf("answered %d each time", resp.Code)
		}
	}
	if w.bodies.small.Get() != nil {
		t.Error("the body's memory may be used again while the spool writes it")
	}
}

// holdingReader reads lines of events without end, and stops at a size until it is
// released. Then it ends.
type holdingReader struct {
	line   string
	left   int
	offset int
	held   func()
	resume <-chan struct{}
}

func (r *holdingReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		r.held()
		<-r.resume
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), r.left)], r.line[r.offset:])
	r.offset = (r.offset + n) % len(r.line)
	r.left -= n
	return n, nil
}

// TestMemoryIsBounded: requests that fill all slots with bodies of full size hold no
// more than that, whether they say their size or not.
func TestMemoryIsBounded(t *testing.T) { // not in parallel: it measures the heap
	const slots = 64
	line := newEvent("id-"+strings.Repeat("x", 500)) + "\n"
	size := 1200 * len(line) // whole lines, 1.2 MB
	for name, length := range map[string]int64{"known size": int64(size), "unknown size": -1} {
		t.Run(name, func(t *testing.T) {
			w := build(t, Config{Concurrency: slots, MaxBodyBytes: int64(size)}, spool.Config{})
			h := w.handler()
			resume := make(chan struct{})
			var held, served sync.WaitGroup
			before := heapInUse()
			for range slots {
				held.Add(1)
				served.Go(func() {
					body := &holdingReader{line: line, left: size, held: sync.OnceFunc(held.Done), resume: resume}
					req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/events", body)
					req.Host, req.ContentLength = "127.0.0.1:8788", length
					rec := httptest.NewRecorder()
					h.ServeHTTP(rec, req)
					if rec.Code != http.StatusAccepted {
						t.Errorf("%d %s", rec.Code, rec.Body)
					}
				})
			}
			held.Wait()
			more := request{body: newEvent("more")}.do(t, h)
			got := heapInUse() - before
			close(resume)
			served.Wait()
			if bound := int64(slots) * int64(size) * 9 / 8; got > bound {
				t.Errorf("%d requests with bodies of %d bytes hold %d bytes, want at most %d", slots, size, got, bound)
			}
			if more.Code != http.StatusTooManyRequests {
				t.Errorf("one request more: %d", more.Code)
			}
		})
	}
}

func heapInUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
