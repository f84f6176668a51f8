package emitter_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// envService is the broker's address in the environment of a process that is a service.
const envService = "EMITTER_TEST_SERVICE"

const serviceEvents = 10_000

// service is an application with the documented shutdown. It emits its events, says so,
// and closes the emitter when it is told to end.
func service(addr string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	em, err := emitter.New(emitter.Config{Brokers: []string{addr}, Topic: topic, Linger: time.Hour, Block: true})
	if err != nil {
		return err
	}
	for i := range serviceEvents {
		if err := em.Emit(ctx, newEvent(i)); err != nil {
			return err
		}
	}
	if _, err := fmt.Fprintln(os.Stdout, "emitted"); err != nil {
		return err
	}
	<-ctx.Done()
	return em.Close(ctx)
}

// TestNothingIsLostAtSIGTERM: the context of a service has ended when it closes its
// emitter, and what is in the buffer is written all the same.
func TestNothingIsLostAtSIGTERM(t *testing.T) {
	t.Parallel()
	b := startBroker(t, broker.Config{})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), envService+"="+b.Addr())
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "emitted\n" {
		t.Fatalf("the service says %q, %v", line, err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the service ended with %v", err)
	}
	if n := len(slices.Compact(ids(messages(t, b.Addr())))); n != serviceEvents {
		t.Errorf("%d events of %d arrived", n, serviceEvents)
	}
}

func TestUnsentGetsTheEvents(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "unsent.ndjson")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var mu sync.Mutex
	most := 0
	cfg := quick("127.0.0.1:1")
	cfg.MaxAttempts, cfg.BatchEvents, cfg.InFlight = 1, 10, 1
	cfg.Unsent = func(events []emitter.UnsentEvent, err error) {
		mu.Lock()
		defer mu.Unlock()
		most = max(most, len(events))
		for _, e := range events {
			if _, wrote := fmt.Fprintf(file, "%s\n", e.Value); wrote != nil || err == nil || e.Time.IsZero() {
				t.Errorf("%s: %v, %v", e.RequestID, wrote, err)
			}
		}
		panic("of the application")
	}
	e := newEmitter(t, cfg)
	for i := range 25 {
		ev := newEvent(i)
		ev.Output = event.JSON(json.RawMessage("{\n\t\"a\": 1\n}"))
		if err := e.Emit(t.Context(), ev); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(t.Context()); err == nil {
		t.Error("Close without a broker is no error")
	}
	kept, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(kept)) {
		ev, err := event.Decode([]byte(line))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if ev.Output.Text() != `{"a":1}` {
			t.Errorf("%s: output %s", ev.RequestID, ev.Output.Raw())
		}
		got = append(got, string(ev.RequestID))
	}
	if slices.Sort(got); len(slices.Compact(got)) != 25 || most > 10 {
		t.Errorf("Unsent got %d events, up to %d at a time", len(got), most)
	}
	if s := e.Stats(); s.Unsent != 25 || s.Panics == 0 {
		t.Errorf("Stats = %+v", s)
	}
}

// TestWhatIsWrongIsNamed: an application without a topic and one without a broker are
// told so, by a Flush that runs out of time as well.
func TestWhatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	noTopic := startBroker(t, broker.Config{Topics: map[string]int32{"other": 1}}).Addr()
	for name, c := range map[string]struct {
		addr, want string
		is         error
	}{
		"no topic": {noTopic, "create", kafka.UnknownTopicOrPartition},
		"no Kafka": {"127.0.0.1:1", "cannot be reached: connect: connection refused; start Kafka, or set brokers", syscall.ECONNREFUSED},
	} {
		cfg := quick(c.addr)
		cfg.MaxAttempts = 1_000_000
		e := newEmitter(t, cfg)
		if err := e.Err(); err != nil {
			t.Errorf("%s: Err before the first event = %v", name, err)
		}
		if err := e.Emit(t.Context(), newEvent(1)); err != nil {
			t.Fatal(err)
		}
		for e.Stats().Retries == 0 { // until the first attempt has ended
			<-tick.C
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		for what, err := range map[string]error{"Flush": e.Flush(ctx), "Err": e.Err(), "Stats.LastError": e.Stats().LastError} {
			if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %s = %v, want %q in it", name, what, err, c.want)
			}
			if what == "Flush" && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("%s: Flush = %v, want its deadline as well", name, err)
			}
		}
		if s := e.Stats(); s.FailingSince.IsZero() || s.LastErrorAt.Before(s.FailingSince) {
			t.Errorf("%s: Stats = %+v", name, s)
		}
	}
}

// TestNoEmitter: an application may leave publishing out with a nil emitter, and one that
// New has not made is no panic.
func TestNoEmitter(t *testing.T) {
	t.Parallel()
	var none *emitter.Emitter
	zero := &emitter.Emitter{}
	for name, e := range map[string]*emitter.Emitter{"nil": none, "zero": zero} {
		var want error
		if e != nil {
			want = emitter.ErrClosed
		}
		ev := newEvent(1)
		if err := e.Emit(t.Context(), ev); !errors.Is(err, want) {
			t.Errorf("%s: Emit = %v", name, err)
		}
		if err := e.Forward(t.Context(), &ev, []byte("{}")); !errors.Is(err, want) {
			t.Errorf("%s: Forward = %v", name, err)
		}
		if err := errors.Join(e.Connect(t.Context()), e.Flush(t.Context()), e.Close(t.Context()), e.Err()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if s := e.Stats(); s != (emitter.Stats{}) {
			t.Errorf("%s: Stats = %+v", name, s)
		}
	}
}

// TestMemoryWhileKafkaIsDown: the buffer's bound is a bound of memory. It runs alone.
func TestMemoryWhileKafkaIsDown(t *testing.T) {
	cfg := quick("127.0.0.1:1")
	cfg.MaxAttempts, cfg.BufferBytes, cfg.BufferEvents = 1_000_000, 8<<20, 1_000_000
	e := newEmitter(t, cfg)
	ev := newEvent(0)
	ev.Output = event.Text(strings.Repeat("It arrives tomorrow. ", 95))
	before := heap()
	full := 0
	for range 30_000 { // 60 MB
		switch err := e.Emit(t.Context(), ev); {
		case errors.Is(err, emitter.ErrFull):
			full++
		case err != nil:
			t.Fatal(err)
		}
	}
	grown := int(heap() - before)
	s := e.Stats()
	if checkBalance(t, s); full == 0 || s.BufferedBytes > cfg.BufferBytes || grown > 2*cfg.BufferBytes {
		t.Errorf("%d dropped, %d bytes buffered, the heap grew by %d; the bound is %d", full, s.BufferedBytes, grown, cfg.BufferBytes)
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
