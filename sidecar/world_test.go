package sidecar

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/testkit/leaks"
	"github.com/evalworker/evalworker/sidecar/spool"
)

func TestMain(m *testing.M) { leaks.Main(m) }

// cluster stands in for Kafka: it accepts events, rejects those whose id begins with
// refuse, and can be down. It checks sizes like a publisher with a limit of 2000
// bytes.
type cluster struct {
	publisher *emitter.Publisher // prepares events; it writes none

	mu    sync.Mutex
	err   error                 // guarded by mu; why it is down
	tried chan struct{}         // closed at the first try while it is down
	got   []string              // guarded by mu; request ids in order
	one   bool                  // accept one event of each call only, and fail
	block func(context.Context) // called before each write
}

const eventLimit = 2000 // bytes

func (c *cluster) Prepare(value []byte, decode func([]byte) (*event.Event, error)) (emitter.Prepared, error) {
	return c.publisher.Prepare(value, decode)
}

func (c *cluster) Publish(ctx context.Context, events []emitter.EncodedEvent) (emitter.PublishResult, error) {
	if c.block != nil {
		c.block(ctx)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		if c.tried != nil {
			close(c.tried)
			c.tried = nil
		}
		return emitter.PublishResult{Left: events}, c.err
	}
	var out emitter.PublishResult
	for i, e := range events {
		if strings.HasPrefix(string(e.Event.RequestID), "refuse") {
			out.Rejected = append(out.Rejected, emitter.RejectedEvent{EncodedEvent: e, Err: errors.New("too large for the topic")})
			continue
		}
		c.got = append(c.got, string(e.Event.RequestID))
		out.Written++
		if c.one && i < len(events)-1 {
			out.Left = events[i+1:]
			return out, errors.New("the leader has moved")
		}
	}
	return out, nil
}

func (c *cluster) down(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.err = err
}

func (c *cluster) ids() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string{}, c.got...)
}

// world is a sidecar with its surroundings.
type world struct {
	*Sidecar
	cluster *cluster
	spool   *spool.Spool
	dir     string
	logs    *logBuffer
	stop    func() error // ends Run; called at the end of the test if not before
}

// logBuffer holds the log. A handler that was cut off may write to it when Run has
// returned already.
type logBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // guarded by mu
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// build makes a sidecar that does not run: requests go to its handler.
func build(tb testing.TB, cfg Config, sp spool.Config) *world {
	tb.Helper()
	publisher, err := emitter.NewPublisher(emitter.Config{Brokers: []string{"127.0.0.1:1"}, MaxEventBytes: eventLimit})
	if err != nil {
		tb.Fatal(err)
	}
	w := &world{cluster: &cluster{publisher: publisher}, dir: tb.TempDir(), logs: &logBuffer{}}
	log := slog.New(slog.NewJSONHandler(w.logs, nil))
	sp.Dir = w.dir
	if w.spool, err = spool.Open(sp, log); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := w.spool.Close(); err != nil {
			tb.Error(err)
		}
	})
	cfg.Listen = "127.0.0.1:0"
	if cfg.BackoffMin == 0 {
		cfg.BackoffMin, cfg.BackoffMax = time.Millisecond, 5*time.Millisecond
	}
	w.Sidecar, err = New(tb.Context(), cfg, Deps{Spool: w.spool, Publisher: w.cluster, Log: log, Topic: "events", Version: "test"})
	if err != nil {
		tb.Fatal(err)
	}
	w.stop = func() error { return w.server.Close(context.Background()) }
	tb.Cleanup(func() { _ = w.stop() })
	return w
}

// start makes a sidecar and runs it.
func start(tb testing.TB, cfg Config, sp spool.Config, change func(*cluster)) *world {
	tb.Helper()
	w := build(tb, cfg, sp)
	if change != nil {
		change(w.cluster)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	w.stop = sync.OnceValue(func() error {
		cancel()
		return <-done
	})
	return w
}

// request is a request to a sidecar's handler.
type request struct {
	method, path, body string
	header             map[string]string
}

func (r request) do(tb testing.TB, h http.Handler) *httptest.ResponseRecorder {
	tb.Helper()
	if r.method == "" {
		r.method, r.path = http.MethodPost, "/v1/events"
	}
	req := httptest.NewRequestWithContext(tb.Context(), r.method, r.path, strings.NewReader(r.body))
	req.Host = cmp.Or(r.header["Host"], "127.0.0.1:8788")
	for k, v := range r.header {
		req.Header.Set(k, v)
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	return rec
}

// send posts to a running sidecar over the network.
func (w *world) send(tb testing.TB, mime, body string) (int, string) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodPost, "http://"+w.Addr()+"/v1/events", strings.NewReader(body))
	if err != nil {
		tb.Fatal(err)
	}
	req.Header.Set("Content-Type", mime)
	tr := &http.Transport{DisableKeepAlives: true}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

func newEvent(id string) string {
	return `{"event":"llm_request_completed","request_id":"` + id + `"}`
}

func lines(ids ...string) string {
	var b strings.Builder
	for _, id := range ids {
		b.WriteString(newEvent(id) + "\n")
	}
	return b.String()
}

// balance checks that every event is accounted for.
func (w *world) balance(tb testing.TB) {
	tb.Helper()
	st := w.Status()
	if e := st.Events; e.Found+e.Accepted != e.Sent+e.SetAside+e.Discarded+st.Spool.Events {
		tb.Errorf("%d found + %d accepted != %d sent + %d set aside + %d discarded + %d spooled",
			e.Found, e.Accepted, e.Sent, e.SetAside, e.Discarded, st.Spool.Events)
	}
}
