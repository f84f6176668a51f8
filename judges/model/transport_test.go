package model

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/judges"
)

// capture answers every call and keeps the last request.
type capture struct {
	mu   sync.Mutex
	path string
	body string
	head http.Header
}

func (c *capture) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.path, c.body, c.head = r.URL.String(), string(b), r.Header.Clone()
	_, _ = io.WriteString(w, said(onePass))
}

func TestWire(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		change       func(*Config)
		has, lacks   []string
		path, header string
	}{
		"defaults": {
			change: func(*Config) {},
			has:    []string{`"max_completion_tokens":10240`, `"model":"gpt-6-luna"`, `"strict":true`, `"type":"json_schema"`},
			lacks:  []string{`"max_tokens"`, "temperature", "seed"},
			path:   "/v1/chat/completions", header: "Authorization",
		},
		"a model of one's own": {
			change: func(c *Config) { c.Model = "house-judge" },
			has:    []string{`"temperature":0`, `"max_tokens":2048`},
			lacks:  []string{"max_completion_tokens", "seed"},
			path:   "/v1/chat/completions", header: "Authorization",
		},
		"one that reasons, on a server of one's own": {
			change: func(c *Config) { c.Model, c.Reasoning = "house-judge", new(true) },
			has:    []string{`"max_tokens":10240`},
			lacks:  []string{"max_completion_tokens", "temperature"},
			path:   "/v1/chat/completions", header: "Authorization",
		},
		"a deployment that reasons": {
			change: func(c *Config) {
				c.API, c.Model, c.Reasoning = apiAzure, "fast", new(true)
				c.BaseURL = strings.TrimSuffix(c.BaseURL, "/v1")
			},
			has:   []string{`"max_completion_tokens":10240`},
			lacks: []string{`"max_tokens"`, "temperature"},
			path:  "/openai/deployments/fast/chat/completions?api-version=2024-10-21", header: "Api-Key",
		},
		"told not to think": {
			change: func(c *Config) { c.Effort = "none" },
			has:    []string{`"max_completion_tokens":2048`, `"temperature":0`, `"reasoning_effort":"none"`},
			path:   "/v1/chat/completions", header: "Authorization",
		},
		"told to think a little": {
			change: func(c *Config) { c.Effort = "low" },
			has:    []string{`"max_completion_tokens":10240`, `"reasoning_effort":"low"`},
			lacks:  []string{"temperature"},
			path:   "/v1/chat/completions", header: "Authorization",
		},
		"told not to reason": {
			change: func(c *Config) { c.Reasoning = new(false) },
			has:    []string{`"max_completion_tokens":2048`, `"temperature":0`},
			path:   "/v1/chat/completions", header: "Authorization",
		},
		"temperature and seed": {
			change: func(c *Config) { c.Model, c.Temperature, c.Seed = "house-judge", new(float32(0.7)), new(0) },
			has:    []string{`"temperature":0.7`, `"seed":0`},
			path:   "/v1/chat/completions", header: "Authorization",
		},
		"no temperature": {
			change: func(c *Config) { c.Model, c.Temperature = "house-judge", nil },
			lacks:  []string{"temperature"},
			path:   "/v1/chat/completions", header: "Authorization",
		},
		"reasoning model": {
			change: func(c *Config) { c.Model, c.Temperature = "o4-mini", new(float32(0.7)) },
			has:    []string{`"max_completion_tokens":10240`},
			lacks:  []string{"temperature", `"max_tokens"`},
			path:   "/v1/chat/completions", header: "Authorization",
		},
		"reasoning model of a router": {
			change: func(c *Config) { c.Model = "openai/gpt-5-mini" },
			has:    []string{`"max_completion_tokens":10240`},
			lacks:  []string{"temperature", `"max_tokens"`},
			path:   "/v1/chat/completions", header: "Authorization",
		},
		"chat model that is named like a reasoning model": {
			change: func(c *Config) { c.Model = "gpt-5-chat-latest" },
			has:    []string{`"temperature":0`, `"max_completion_tokens":2048`},
			path:   "/v1/chat/completions", header: "Authorization",
		},
		"json_object": {
			change: func(c *Config) { c.Format = judges.FormatObject },
			has:    []string{`"response_format":{"type":"json_object"}`, `The object must satisfy this JSON Schema:`},
			path:   "/v1/chat/completions", header: "Authorization",
		},
		"fenced_json": {
			change: func(c *Config) { c.Format = judges.FormatFenced },
			has:    []string{"The object must satisfy this JSON Schema:", "fenced code block"},
			lacks:  []string{`"response_format"`},
			path:   "/v1/chat/completions", header: "Authorization",
		},
		"Azure": {
			change: func(c *Config) {
				c.API, c.Model = apiAzure, "judge:small.v3.5"
				c.BaseURL = strings.TrimSuffix(c.BaseURL, "/v1")
			},
			has:  []string{`"temperature":0`},
			path: "/openai/deployments/judge:small.v3.5/chat/completions?api-version=2024-10-21", header: "Api-Key",
		},
		"Azure with an Entra token": {
			change: func(c *Config) { c.API, c.BaseURL = apiAzureAD, strings.TrimSuffix(c.BaseURL, "/v1")+"/" },
			path:   "/openai/deployments/gpt-6-luna/chat/completions?api-version=2024-10-21", header: "Authorization",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var c capture
			m := endpoint(t, &c, func(cfg *Config, _ *Deps) { tt.change(cfg) })
			if _, err := m.Complete(t.Context(), ask()); err != nil {
				t.Fatal(err)
			}
			if !json.Valid([]byte(c.body)) {
				t.Fatalf("request is no JSON: %s", c.body)
			}
			for _, s := range tt.has {
				if !strings.Contains(c.body, s) {
					t.Errorf("request lacks %s: %s", s, c.body)
				}
			}
			for _, s := range tt.lacks {
				if strings.Contains(c.body, s) {
					t.Errorf("request holds %s: %s", s, c.body)
				}
			}
			if c.path != tt.path {
				t.Errorf("path = %s; want %s", c.path, tt.path)
			}
			if got := c.head.Get(tt.header); strings.TrimPrefix(got, "Bearer ") != testKey() {
				t.Errorf("%s does not carry the key", tt.header)
			}
		})
	}
}

// A model writes in the order of the keys, so reasons have to come before verdicts in
// the request too.
func TestSchemaKeepsItsOrder(t *testing.T) {
	t.Parallel()
	var c capture
	m := endpoint(t, &c, nil)
	if _, err := m.Complete(t.Context(), ask()); err != nil {
		t.Fatal(err)
	}
	at := -1
	for _, key := range []string{`"id":{`, `"evidence":{`, `"reason":{`, `"verdict":{`} {
		i := strings.Index(c.body, key)
		if i <= at {
			t.Fatalf("%s stands at %d, after %d: %s", key, i, at, c.body)
		}
		at = i
	}
}

// Whatever the form of the reply, consecutive calls share one connection.
func TestConnectionsAreReused(t *testing.T) {
	t.Parallel()
	small := said(onePass)
	tests := map[string]http.HandlerFunc{
		"with a length": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, small) },
		"large and chunked": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, small)
			for range 40 { // white space after the JSON value, which no client has to read
				_, _ = io.WriteString(w, strings.Repeat(" ", 1000))
				_ = http.NewResponseController(w).Flush()
			}
		},
		"large error": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, strings.Repeat("x", 100<<10))
		},
	}
	for name, h := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var opened atomic.Int64
			srv := httptest.NewUnstartedServer(h)
			srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
				if s == http.StateNew {
					opened.Add(1)
				}
			}
			srv.Start()
			defer srv.Close()
			m := endpoint(t, http.NotFoundHandler(), func(c *Config, _ *Deps) {
				c.BaseURL, c.Format = srv.URL, judges.FormatFenced
			})
			for range 20 {
				_, _ = m.Complete(t.Context(), ask())
			}
			if n := opened.Load(); n != 1 {
				t.Errorf("%d connections for 20 calls; want 1", n)
			}
		})
	}
}

// A connection is kept for every call in flight.
func TestConnectionsOfParallelCalls(t *testing.T) {
	t.Parallel()
	const parallel = 16
	var opened atomic.Int64
	together := make(chan struct{})
	var waiting atomic.Int64
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if waiting.Add(1) == parallel {
			close(together)
		}
		<-together // the first calls wait for each other, so that all connections are open
		_, _ = io.WriteString(w, said(onePass))
	}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	m := endpoint(t, http.NotFoundHandler(), func(c *Config, _ *Deps) { c.BaseURL, c.Concurrency = srv.URL, parallel })
	var wg sync.WaitGroup
	for range parallel {
		wg.Go(func() {
			for range 10 {
				if _, err := m.Complete(context.Background(), ask()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := opened.Load(); n > parallel {
		t.Errorf("%d connections for %d calls at once", n, parallel)
	}
}

func TestUsageAndCost(t *testing.T) {
	t.Parallel()
	usage := `"usage":{"prompt_tokens":1000,"completion_tokens":100,"prompt_tokens_details":{"cached_tokens":400}}`
	tests := map[string]struct {
		model, reply string
		price        *Price
		want         eval.Usage
	}{
		"known model": {
			model: "gpt-4o-mini", reply: usage,
			// 600*150 + 400*75 + 100*600 billionths of a dollar.
			want: eval.Usage{InputTokens: 1000, CachedTokens: 400, OutputTokens: 100, CostNanoUSD: 180_000, CostKnown: true},
		},
		"unknown model": {
			model: "house-judge", reply: usage,
			want: eval.Usage{InputTokens: 1000, CachedTokens: 400, OutputTokens: 100},
		},
		"price in the configuration": {
			model: "house-judge", reply: usage, price: &Price{Input: 1, Output: 2},
			want: eval.Usage{InputTokens: 1000, CachedTokens: 400, OutputTokens: 100, CostNanoUSD: 1_200_000, CostKnown: true},
		},
		"deployment that names its model": {
			model: "house-judge", reply: usage + `,"model":"gpt-4o-2024-08-06"`,
			want: eval.Usage{InputTokens: 1000, CachedTokens: 400, OutputTokens: 100, CostNanoUSD: 3_000_000, CostKnown: true},
		},
		"no usage": {model: "gpt-4o-mini", reply: `"x":0`, want: eval.Usage{}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, `{"choices":[{"message":{"role":"assistant","content":"{}"}}],`+tt.reply+`}`)
			})
			m := endpoint(t, h, func(c *Config, _ *Deps) { c.Model, c.Price = tt.model, tt.price })
			a, err := m.Complete(t.Context(), ask())
			if err != nil {
				t.Fatal(err)
			}
			tt.want.Model, tt.want.Calls, tt.want.Format = tt.model, 1, judges.FormatSchema
			if a.Usage != tt.want {
				t.Errorf("usage = %+v\nwant    %+v", a.Usage, tt.want)
			}
		})
	}
}

func TestWatchSeesEachCall(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []Call
	m := endpoint(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
	}), func(c *Config, d *Deps) {
		c.APIKey = secret.String(testKey())
		d.Observe = func(c Call) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, c)
		}
	})
	if _, err := m.Complete(t.Context(), ask()); err == nil {
		t.Fatal("no error")
	}
	if len(seen) != 1 || seen[0].Reason != eval.ReasonAuth || seen[0].Eval != "test" || seen[0].Duration <= 0 || seen[0].Usage.Calls != 1 {
		t.Errorf("seen = %+v", seen)
	}
}

// TestReplyLimit sends replies of all sizes: the longest answer within max_tokens must
// arrive, even in the longest characters; a longer one must not be kept in memory,
// whatever its length and with or without a Content-Length.
func TestReplyLimit(t *testing.T) {
	t.Parallel()
	limit := replyLimit(DefaultConfig())
	longest := said(strings.Repeat(`☃☃☃☃`, DefaultConfig().MaxTokens+thinkingTokens))
	tests := map[string]struct {
		size   int64 // of white space before the reply
		length bool
		ok     bool
	}{
		"the longest answer":            {0, false, true},
		"the longest answer, length":    {0, true, true},
		"up to the bound":               {limit - int64(len(longest)), false, true},
		"up to the bound, length":       {limit - int64(len(longest)), true, true},
		"a byte above":                  {limit - int64(len(longest)) + 1, false, false},
		"a byte above, length":          {limit - int64(len(longest)) + 1, true, false},
		"32 MB":                         {32 << 20, false, false},
		"32 MB, length":                 {32 << 20, true, false},
		"a gigabyte by its own account": {1 << 30, true, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var taken atomic.Int64
			done := make(chan struct{})
			m := endpoint(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				defer close(done)
				if tt.length {
					w.Header().Set("Content-Length", strconv.FormatInt(tt.size+int64(len(longest)), 10))
				}
				blank := []byte(strings.Repeat(" ", 1<<16))
				for left := tt.size; left > 0; {
					n, err := w.Write(blank[:min(left, int64(len(blank)))])
					if err != nil {
						return
					}
					taken.Add(int64(n))
					left -= int64(n)
				}
				_, _ = io.WriteString(w, longest)
			}), func(c *Config, _ *Deps) { c.Format = judges.FormatFenced })
			_, err := m.Complete(t.Context(), ask())
			<-done
			switch reason := eval.ReasonOf(err); {
			case tt.ok && err != nil:
				t.Errorf("refused: %v", err)
			case !tt.ok && reason != eval.ReasonUnparsable:
				t.Errorf("reason = %q (%v); want %q", reason, err, eval.ReasonUnparsable)
			}
			// Bytes in the kernel's buffers are not our memory.
			if most := limit + maxDrain + 16<<20; taken.Load() > most {
				t.Errorf("took %d bytes, of which %d were allowed", taken.Load(), most)
			}
		})
	}
}

// pooledTransport fails at first for want of a descriptor, then answers.
type pooledTransport struct {
	failures int
	closed   int  // times that idle connections were closed
	last     bool // the last request asked for the end of its connection
	fault    syscall.Errno
}

func (p *pooledTransport) CloseIdleConnections() { p.closed++ }

func (p *pooledTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if p.last = r.Close; p.failures > 0 {
		p.failures--
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", p.fault)}
	}
	return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(said(onePass)))}, nil
}

// TestScarceDescriptors: when descriptors ran out, connections that are not used are
// given back for a while, so that other parts of the program have some.
func TestScarceDescriptors(t *testing.T) {
	t.Parallel()
	for fault, scarce := range map[syscall.Errno]bool{syscall.EMFILE: true, syscall.ENOBUFS: false} {
		synctest.Test(t, func(t *testing.T) {
			pool := &pooledTransport{failures: 1, fault: fault}
			cfg := config()
			cfg.BaseURL, cfg.APIKey = "http://llm.internal/v1", "none"
			m, err := New(cfg, Deps{Transport: pool})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := m.Complete(t.Context(), ask()); err != nil {
				t.Fatal(err)
			}
			if (pool.closed > 0) != scarce || pool.last != scarce {
				t.Errorf("%v: idle connections closed %d times, kept: %t", fault, pool.closed, !pool.last)
			}
			<-time.After(2 * scarceFor)
			pool.closed = 0
			if _, err := m.Complete(t.Context(), ask()); err != nil {
				t.Fatal(err)
			}
			if pool.closed > 0 || pool.last {
				t.Errorf("%v: later: idle connections closed %d times, kept: %t", fault, pool.closed, !pool.last)
			}
		})
	}
}
