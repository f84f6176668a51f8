package sidecar_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/sidecar"
	"github.com/evalworker/evalworker/sidecar/spool"
)

const (
	topic = "events"
	token = "a token for these tests only"
)

// TestExamples runs each example as it is, if its language is installed, against a
// sidecar with a broker behind it. What it posts has to arrive.
func TestExamples(t *testing.T) {
	t.Parallel()
	for file, c := range map[string]struct {
		program string
		want    []string
	}{
		"post.sh":  {"sh", []string{"curl_1", "curl_2", "curl_2"}},
		"post.py":  {"python3", []string{"python_1", "python_1"}},
		"post.mjs": {"node", []string{"node_1", "node_1"}},
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			for _, needed := range []string{c.program, "curl"} {
				if _, err := exec.LookPath(needed); err != nil && (needed != "curl" || file == "post.sh") {
					missing(t, err)
				}
			}
			b, err := broker.Start(broker.Config{Topics: map[string]int32{topic: 1}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(b.Close)
			url, stop := run(t, b.Addr())
			cmd := exec.CommandContext(t.Context(), c.program, file)
			cmd.Env = append(os.Environ(), "EMITTER_URL="+url, "EMITTER_TOKEN="+token)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			stop() // sends what is spooled
			if got := arrived(t, b.Addr()); !slices.Equal(got, c.want) {
				t.Errorf("%v arrived, want %v", got, c.want)
			}
		})
	}
}

// TestImport: an application that imports an example posts nothing by that, and then
// what it wants to.
func TestImport(t *testing.T) {
	t.Parallel()
	for program, scripts := range map[string][2]string{
		"node":    {`await import("./post.mjs")`, `const { publish } = await import("./post.mjs"); console.log(await publish([{}]))`},
		"python3": {`import post`, `import post; print(post.publish({}))`},
	} {
		t.Run(program, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(program); err != nil {
				missing(t, err)
			}
			var posts atomic.Int64
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				posts.Add(1)
				w.WriteHeader(http.StatusAccepted)
				_, _ = io.WriteString(w, `{"accepted":1}`)
			}))
			defer srv.Close()
			for i, script := range scripts {
				cmd := exec.CommandContext(t.Context(), program, "-c", script)
				if program == "node" {
					cmd = exec.CommandContext(t.Context(), program, "--input-type=module", "-e", script, "an-argument")
				}
				cmd.Env = append(os.Environ(), "EMITTER_URL="+srv.URL)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Errorf("%s: %v: %s", script, err, out)
				}
				if n := posts.Load(); n != int64(i) {
					t.Errorf("%s: %d posts, want %d", script, n, i)
				}
			}
		})
	}
}

// run runs a sidecar until stop is called.
func run(t *testing.T, broker string) (url string, stop func()) {
	t.Helper()
	sp, err := spool.Open(spool.Config{Dir: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p, err := emitter.NewPublisher(emitter.Config{Brokers: []string{broker}, Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	s, err := sidecar.New(t.Context(), sidecar.Config{Listen: "127.0.0.1:0", Token: token, Strict: true},
		sidecar.Deps{Spool: sp, Publisher: p, Log: slog.New(slog.DiscardHandler), Topic: topic})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return "http://" + s.Addr(), func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		p.Close()
		if err := sp.Close(); err != nil {
			t.Error(err)
		}
	}
}

// arrived returns the request ids in the topic, and checks that the headers carry the
// envelope.
func arrived(t *testing.T, broker string) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	conn, err := kafka.DialLeader(ctx, "tcp", broker, topic, 0)
	if err != nil {
		t.Fatal(err)
	}
	last, err := conn.ReadLastOffset()
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	r := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{broker}, Topic: topic, MaxWait: 100 * time.Millisecond, MinBytes: 1, MaxBytes: 1 << 20})
	var out []string
	for range last {
		m, err := r.ReadMessage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ev, err := event.Decode(m.Value)
		if err != nil {
			t.Fatal(err)
		}
		hs := make([]event.Header, len(m.Headers))
		for i, h := range m.Headers {
			hs[i] = event.Header{Key: h.Key, Value: h.Value}
		}
		if env, ok := event.EnvelopeFromHeaders(hs); !ok || env != ev.Envelope() {
			t.Errorf("%s: envelope %+v in the headers, %+v in the body", ev.RequestID, env, ev.Envelope())
		}
		out = append(out, string(ev.RequestID))
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}

// missing skips a test for want of a program, which CI has to have.
func missing(t *testing.T, err error) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(err)
	}
	t.Skip(err)
}
