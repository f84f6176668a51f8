package emitter_test

import (
	"context"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

func TestAFullBuffer(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]func(*emitter.Config){
		"events": func(c *emitter.Config) { c.BufferEvents = 3 },
		"bytes":  func(c *emitter.Config) { c.BufferBytes, c.MaxEventBytes = 1000, 1000 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := quick(silent(t))
			limit(&cfg)
			e := newEmitter(t, cfg)
			accepted := 0
			var err error
			for i := 0; err == nil && i < 100; i++ {
				if err = e.Emit(t.Context(), newEvent(i)); err == nil {
					accepted++
				}
			}
			if !errors.Is(err, emitter.ErrFull) {
				t.Fatalf("Emit = %v after %d events, want ErrFull", err, accepted)
			}
			s := e.Stats()
			checkBalance(t, s)
			if s.Full != 1 || s.BufferedEvents != accepted || s.BufferedBytes > cfg.BufferBytes && cfg.BufferBytes > 0 {
				t.Errorf("Stats = %+v, want %d buffered and one refused", s, accepted)
			}
		})
	}
}

func TestBlockWaitsForRoom(t *testing.T) {
	t.Parallel()
	b := startBroker(t, broker.Config{})
	cfg := quick(b.Addr())
	cfg.Block, cfg.BufferEvents, cfg.MaxAttempts = true, 2, 1_000_000
	restore := b.RefuseWrites(topic)
	e := newEmitter(t, cfg)
	for i := range 2 {
		if err := e.Emit(t.Context(), newEvent(i)); err != nil {
			t.Fatal(err)
		}
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := e.Emit(short, newEvent(2)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Emit with a full buffer = %v, want its deadline", err)
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if err := e.Emit(t.Context(), newEvent(10+i)); err != nil {
				t.Error(err)
			}
		})
	}
	restore()
	wg.Wait()
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := e.Stats(); s.Sent != 10 || s.Full != 1 {
		t.Errorf("Stats = %+v, want 10 sent and 1 refused", s)
	}
}

func TestCloseFreesThoseWhoWaitForRoom(t *testing.T) {
	t.Parallel()
	cfg := quick(silent(t))
	cfg.Block, cfg.BufferEvents = true, 1
	e := newEmitter(t, cfg)
	if err := e.Emit(t.Context(), newEvent(0)); err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	var wg sync.WaitGroup
	wg.Go(func() { result <- e.Emit(t.Context(), newEvent(1)) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := e.Close(ctx)
	wg.Wait()
	if got := <-result; !errors.Is(got, emitter.ErrClosed) {
		t.Errorf("the waiting Emit = %v, want ErrClosed", got)
	}
	unsent, ok := errors.AsType[*emitter.UnsentError](err)
	if !ok || unsent.Count != 1 || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Close = %v, want one unsent for the deadline", err)
	}
}

// TestCloseIsBoundedByItsContext: a broker that accepts connections and never answers
// delays neither Close nor the end of a goroutine (which goleak would see).
func TestCloseIsBoundedByItsContext(t *testing.T) {
	t.Parallel()
	for name, addr := range map[string]string{"hangs": silent(t), "is away": "127.0.0.1:1"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := quick(addr)
			cfg.MaxAttempts, cfg.BackoffMax, cfg.WriteTimeout = 1_000_000, time.Hour, time.Hour
			cfg.BackoffMin = time.Hour
			e := newEmitter(t, cfg)
			for i := range 5 {
				if err := e.Emit(t.Context(), newEvent(i)); err != nil {
					t.Fatal(err)
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			err := e.Close(ctx)
			unsent, ok := errors.AsType[*emitter.UnsentError](err)
			if !ok || unsent.Count != 5 {
				t.Errorf("Close = %v, want 5 unsent", err)
			}
			checkBalance(t, e.Stats())
			if again := e.Close(t.Context()); !errors.Is(again, err) {
				t.Errorf("the second Close = %v, want what the first gave", again)
			}
			if err := e.Emit(t.Context(), newEvent(9)); !errors.Is(err, emitter.ErrClosed) {
				t.Errorf("Emit after Close = %v, want ErrClosed", err)
			}
		})
	}
}

// silent returns the address of a broker that accepts connections and never answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var (
		wg    sync.WaitGroup
		conns []net.Conn // accept loop only, until it has ended
	)
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			conns = append(conns, c)
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
		for _, c := range conns {
			_ = c.Close()
		}
	})
	return l.Addr().String()
}

func TestCloseOfAnUnusedEmitter(t *testing.T) {
	t.Parallel()
	e := newEmitter(t, quick("127.0.0.1:1"))
	if err := e.Flush(t.Context()); err != nil {
		t.Errorf("Flush = %v", err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Errorf("Close = %v", err)
	}
}
