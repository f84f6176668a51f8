package agent

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	gzip "github.com/DataDog/datadog-agent/comp/trace/compression/impl-gzip"
	"github.com/DataDog/datadog-agent/pkg/proto/pbgo/trace/idx"
	"github.com/DataDog/datadog-agent/pkg/trace/agent"
	"github.com/DataDog/datadog-agent/pkg/trace/config"
	"github.com/DataDog/datadog-agent/pkg/trace/telemetry"
	"github.com/DataDog/datadog-agent/pkg/trace/writer"
	"github.com/DataDog/datadog-go/v5/statsd"
)

// span is one span that the agent let through.
type span struct {
	Trace    string // 32 hexadecimal digits
	ID       uint64
	Parent   uint64
	Name     string
	Resource string
	Priority int32 // of its chunk
	Links    []link

	attribute func(key string) (string, bool)
}

func (s span) text(key string) string {
	value, _ := s.attribute(key)
	return value
}

// link is a span link as the agent understood it.
type link struct {
	Trace string
	Span  uint64
}

// peer is a real trace agent. Its front is a proxy that notes the path of each
// request and can hold requests up.
type peer struct {
	URL string

	front   *httptest.Server
	stop    func()
	mu      sync.Mutex
	paths   []string // guarded by mu
	spans   []span   // guarded by mu
	refused []string // guarded by mu; requests for traces that were not accepted
	sent    []sent   // guarded by mu; requests that the agent passed on
	status  int      // guarded by mu; of Datadog's answers to them
	hang    chan struct{}
}

// sent is a request of the agent to Datadog.
type sent struct {
	host, path, key string
	body            []byte
}

// intake returns the requests for a path that the agent made.
func (p *peer) intake(path string) []sent {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(p.sent), func(s sent) bool { return s.path != path })
}

// answer makes Datadog answer with a status from now on.
func (p *peer) answer(status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.status = status
}

func (p *peer) serveIntake(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil { // the agent was stopped
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent = append(p.sent, sent{r.Host, r.URL.Path, r.Header.Get("Dd-Api-Key"), body})
	w.WriteHeader(p.status)
}

// start runs an agent until the test ends. hang makes it hold up every request for
// traces and evaluations until the test ends.
func start(t *testing.T, hang bool) *peer {
	t.Helper()
	p := &peer{hang: make(chan struct{}), status: http.StatusAccepted}
	intake := httptest.NewTLSServer(http.HandlerFunc(p.serveIntake))
	t.Cleanup(intake.Close)
	ln, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}

	conf := config.New()
	conf.ReceiverHost, conf.ReceiverPort = "127.0.0.1", ln.Addr().(*net.TCPAddr).Port
	conf.ReceiverSocket, conf.WindowsPipeName = "", ""
	conf.Hostname, conf.DefaultEnv, conf.AgentVersion = "peer", "test", "7.85.2"
	conf.Endpoints[0].APIKey, conf.Endpoints[0].Host = strings.Repeat("0", 32), intake.URL
	conf.SkipSSLValidation, conf.TelemetryConfig.Enabled = true, false
	conf.MaxMemory, conf.MaxCPU = 0, 0 // no watchdog
	conf.MaxConnections = 1000         // 0 is one connection
	conf.DecoderTimeout = 60_000       // milliseconds; with 0 payloads are refused at random
	conf.TraceBuffer = 16
	conf.Proxy = nil
	conf.HTTPTransportFunc = func() *http.Transport { // nothing leaves the machine
		tr := intake.Client().Transport.(*http.Transport).Clone()
		tr.TLSClientConfig.InsecureSkipVerify = true
		tr.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "tcp", intake.Listener.Addr().String())
		}
		return tr
	}
	ctx, cancel := context.WithCancel(context.Background())
	ag := agent.NewAgent(ctx, conf, telemetry.NewNoopCollector(), &statsd.NoOpClient{}, gzip.NewComponent())
	ag.TraceWriter.Stop()
	ag.TraceWriterV1.Stop()
	ag.TraceWriter, ag.TraceWriterV1 = &oldChunks{idle{}, t}, &chunks{idle{}, p}
	ag.Receiver.SetTCPListener(ln)
	done := make(chan struct{})
	go func() { defer close(done); ag.Run() }()
	p.stop = sync.OnceFunc(func() { cancel(); <-done })

	target := &url.URL{Scheme: "http", Host: ln.Addr().String()}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(r *http.Response) error {
		p.mu.Lock()
		defer p.mu.Unlock()
		if r.StatusCode > 299 && strings.HasSuffix(r.Request.URL.Path, "/traces") {
			p.refused = append(p.refused, fmt.Sprint(r.Request.URL.Path, " ", r.Status))
		}
		return nil
	}
	p.front = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.paths = append(p.paths, r.URL.Path)
		p.mu.Unlock()
		if hang && (strings.HasSuffix(r.URL.Path, "/traces") || strings.HasPrefix(r.URL.Path, "/evp_proxy/")) {
			<-p.hang
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	p.URL = p.front.URL
	t.Cleanup(func() {
		close(p.hang)
		p.front.Close()
		p.stop()
	})
	// The listener is open, so the request waits until the agent runs.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target.String()+"/info", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("the agent does not answer: %v", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the agent answers %s", resp.Status)
	}
	return p
}

// got stops the agent, which works off what it has accepted, and returns the spans that
// it let through, in the order of their names.
func (p *peer) got(t *testing.T) []span {
	t.Helper()
	p.stop()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.refused {
		t.Errorf("the agent refused a payload: %s", r)
	}
	slices.SortFunc(p.spans, func(a, b span) int { return strings.Compare(a.Name+a.Resource, b.Name+b.Resource) })
	return p.spans
}

// used reports whether a request for the path came.
func (p *peer) used(path string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Contains(p.paths, path)
}

func (p *peer) add(c *idx.InternalTraceChunk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range c.Spans {
		got := span{
			Trace: fmt.Sprintf("%x", c.TraceID), ID: s.SpanID(), Parent: s.ParentID(), Name: s.Name(), Resource: s.Resource(),
			Priority: c.Priority, attribute: s.GetAttributeAsString,
		}
		for _, l := range s.Links() {
			got.Links = append(got.Links, link{Trace: fmt.Sprintf("%x", l.TraceID()), Span: l.SpanID()})
		}
		p.spans = append(p.spans, got)
	}
}

// idle is the part of a writer that has nothing to do.
type idle struct{}

func (idle) Stop()                    {}
func (idle) FlushSync() error         { return nil }
func (idle) UpdateAPIKey(_, _ string) {}

// chunks receives what the agent would send to Datadog.
type chunks struct {
	idle
	peer *peer
}

func (w *chunks) WriteChunksV1(c *writer.SampledChunksV1) {
	for _, chunk := range c.TracerPayload.Chunks {
		w.peer.add(chunk)
	}
}

// oldChunks receives chunks in the agent's former representation, which this version of
// it does not use for what tracers send.
type oldChunks struct {
	idle
	t *testing.T
}

func (w *oldChunks) WriteChunks(*writer.SampledChunks) {
	w.t.Error("the agent used its former representation: extend the peer")
}
