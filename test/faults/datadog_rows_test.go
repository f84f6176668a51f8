package faults

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"time"

	"github.com/evalworker/evalworker/internal/testkit/datadog"
	"github.com/evalworker/evalworker/telemetry"
)

// datadogRows are about an agent that does not accept what it is sent.
func datadogRows() []scenario {
	faults := []datadogFault{
		{name: "agent-none", title: "no Datadog agent", ci: true, absent: true, sinks: []string{telemetry.SinkTraces, telemetry.SinkDogStatsD}},
		{name: "agent-hang", title: "Datadog agent hangs", serve: hang, sinks: []string{telemetry.SinkTraces}},
		{name: "agent-413", title: "Datadog agent answers 413", serve: tooLarge, sinks: []string{telemetry.SinkTraces}},
		{name: "agent-socket", title: "DogStatsD's socket is full", socket: true, sinks: []string{telemetry.SinkDogStatsD}},
	}
	var rows []scenario
	for _, f := range faults {
		rows = append(rows, scenario{name: f.name, title: f.title, group: groupDatadog, ci: f.ci, run: f.row})
	}
	return append(rows, scenario{name: "agent-away", title: "Datadog agent gone for 30 s", group: groupDatadog, run: agentAwayRow})
}

// lossLine is what the log says of spans and metrics that do not arrive.
const lossLine = "spans and metrics are lost"

// agentAwayRow takes the agent away in the middle of work, and brings it back.
func agentAwayRow(w *world) {
	const lasts = 30 * time.Second
	d := datadogFault{absent: true}.newDatadog(w)
	d.mend()
	w.config["datadog"] = fmt.Sprintf(`{agent_url: "http://%s", dogstatsd_url: %q}`, d.trace, d.statsd)
	w.begin(8, "A")
	a := w.workers["A"]
	d.arrives(w)
	w.settled()

	a.fault()
	d.fail()
	began := time.Now()
	done := w.model.answers()
	w.publish(10_000)
	w.tells(a, "200", lossLine)
	said := time.Since(began)
	w.note("said after %.1f s", said.Seconds())
	w.within(said, lossLimit, "the log says so after %.1f s")
	w.lasting(lasts - time.Since(began))
	w.note("%d evaluated meanwhile", w.model.answers()-done)
	w.bound(w.model.answers() > done, "nothing was evaluated without an agent")

	d.mend()
	w.row.recover = d.arrives(w)
	w.within(w.row.recover, backLimit, "telemetry arrives after %.1f s")
	w.balanced("A")
	w.finish()
	w.nothingRepeated()
}

// lossLimit is how soon a worker must say that its telemetry is lost.
const lossLimit = 15 * time.Second

// datadogFault is one way in which an agent fails.
type datadogFault struct {
	name, title string
	ci          bool

	absent bool             // its ports are closed
	serve  http.HandlerFunc // what the trace agent does; nil: it works
	socket bool             // DogStatsD listens on a socket and reads nothing
	sinks  []string         // that must count drops
}

// closeLimit bounds the exit of a worker whose agent fails: the default of
// datadog.close_timeout, and time for the rest on a machine that is busy.
const closeLimit = telemetryClose + 10*time.Second

// telemetryClose is the default of datadog.close_timeout.
const telemetryClose = 5 * time.Second

// row evaluates without Datadog and then with an agent that fails, repairs the
// agent, breaks it again and stops the worker under load.
func (f datadogFault) row(w *world) {
	const events = 1000
	plain := w.config["datadog"]
	w.begin(8, "plain")
	without := w.rate(events)
	w.workers["plain"].stop()

	d := f.newDatadog(w)
	w.config["datadog"] = fmt.Sprintf(`{agent_url: "http://%s", dogstatsd_url: %q}`, d.trace, d.statsd)
	a := w.start("A")
	a.fault() // as it starts
	w.joined(8, "A")
	with := w.rate(events)
	w.note("%.0f events/s, %.0f without Datadog", with, without)
	w.bound(with >= without/2, "%.0f events/s, %.0f without Datadog", with, without)
	var drops map[string]int
	w.eventually("drops are counted", func() bool {
		s, ok := a.status()
		drops = map[string]int{}
		for _, drop := range s.Telemetry.Drops {
			drops[drop.Sink+" "+drop.Reason] += int(drop.Count)
		}
		for _, sink := range f.sinks {
			ok = ok && s.Telemetry.Dropped(sink) > 0
		}
		return ok
	})
	w.note("dropped: %s", tally(drops))
	w.tells(a, "200", lossLine)

	d.mend()
	w.row.recover = d.arrives(w)
	w.within(w.row.recover, backLimit, "telemetry arrives after %.1f s")
	w.settled()

	d.fail()
	done := w.model.answers()
	w.publish(2 * events)
	w.answered(done + events/3)
	exit := a.stop()
	w.within(exit, closeLimit, "exit after %.1f s")
	a.hung = true // its error counts what could not be sent
	w.config["datadog"] = plain
	w.start("B")
	w.finish()
	w.nothingRepeated()
}

// rate publishes events and returns how many were answered per second.
func (w *world) rate(events int) float64 {
	w.t.Helper()
	began := time.Now()
	w.publish(events)
	w.settled()
	var first, last time.Time
	n := 0
	for _, c := range w.model.log() {
		if c.begun.Before(began) {
			continue
		}
		if n++; first.IsZero() || c.begun.Before(first) {
			first = c.begun
		}
		if c.answered.After(last) {
			last = c.answered
		}
	}
	return float64(n) / last.Sub(first).Seconds()
}

// tooLarge rejects what it is sent.
func tooLarge(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusRequestEntityTooLarge)
}

// faultyAgent is an agent that can fail and be repaired, at addresses that stay.
type faultyAgent struct {
	f      datadogFault
	w      *world
	trace  string // host:port
	statsd string // as it is configured
	inner  http.Handler
	spans  *datadog.AgentSink
	server *httptest.Server
	conn   net.PacketConn // DogStatsD's; nil: closed

	mu      sync.Mutex // guards all below
	failing bool
	packets int // read from conn
	reader  sync.WaitGroup
}

func (f datadogFault) newDatadog(w *world) *faultyAgent {
	w.t.Helper()
	d := &faultyAgent{f: f, w: w, failing: true}
	d.spans, d.inner = datadog.NewAgent(func(err error) { w.t.Errorf("trace agent: %v", err) })
	w.t.Cleanup(d.stop)
	d.trace = d.listen("127.0.0.1:0")
	if f.absent {
		d.server.Close()
	}
	network, address := "udp", "127.0.0.1:0"
	if f.socket {
		network, address = "unixgram", filepath.Join(w.t.TempDir(), "s")
	}
	d.bind(network, address)
	d.statsd = d.conn.LocalAddr().String()
	if f.socket {
		d.statsd = "unix://" + d.statsd
	}
	if f.absent {
		w.must(d.conn.Close())
	}
	return d
}

// listen starts the trace agent and returns its address.
func (d *faultyAgent) listen(address string) string {
	var lc net.ListenConfig
	l, err := lc.Listen(d.w.t.Context(), "tcp", address)
	d.w.must(err)
	d.server = httptest.NewUnstartedServer(d)
	_ = d.server.Listener.Close()
	d.server.Listener = l
	d.server.Start()
	return l.Addr().String()
}

// bind opens DogStatsD's socket.
func (d *faultyAgent) bind(network, address string) {
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(d.w.t.Context(), network, address)
	d.w.must(err)
	d.conn = conn
}

// ServeHTTP is the trace agent.
func (d *faultyAgent) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	failing := d.failing
	d.mu.Unlock()
	if failing && d.f.serve != nil {
		d.f.serve(w, r)
		return
	}
	d.inner.ServeHTTP(w, r)
}

// mend repairs the agent.
func (d *faultyAgent) mend() {
	d.mu.Lock()
	d.failing = false
	d.mu.Unlock()
	switch {
	case d.f.absent:
		d.listen(d.trace)
		d.bind("udp", d.statsd)
	case d.f.socket: // what the socket holds is from before
		buf := make([]byte, 1<<16)
		for {
			d.w.must(d.conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond)))
			if _, _, err := d.conn.ReadFrom(buf); err != nil {
				break
			}
		}
		d.w.must(d.conn.SetReadDeadline(time.Time{}))
	}
	conn := d.conn
	d.reader.Go(func() {
		buf := make([]byte, 1<<16)
		for {
			if _, _, err := conn.ReadFrom(buf); err != nil {
				return
			}
			d.mu.Lock()
			d.packets++
			d.mu.Unlock()
		}
	})
}

// fail makes the agent fail again.
func (d *faultyAgent) fail() {
	d.mu.Lock()
	d.failing = true
	d.mu.Unlock()
	_ = d.conn.SetReadDeadline(time.Now()) // ends the reading
	d.reader.Wait()
	if d.f.absent {
		d.server.Close()
		d.w.must(d.conn.Close())
	}
}

// arrives publishes a little, and returns how long it takes until both spans and
// metrics arrive again.
func (d *faultyAgent) arrives(w *world) time.Duration {
	w.t.Helper()
	mended, before := time.Now(), len(d.spans.Spans())
	d.mu.Lock()
	packets := d.packets
	d.mu.Unlock()
	w.eventually("telemetry arrives", func() bool {
		w.publish(10)
		w.lasting(200 * time.Millisecond)
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.spans.Spans()) > before && d.packets > packets
	})
	return time.Since(mended)
}

// stop closes the servers and the socket.
func (d *faultyAgent) stop() {
	d.server.CloseClientConnections() // ends the requests that hang
	d.server.Close()
	if err := d.conn.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		d.w.t.Error(err)
	}
	d.reader.Wait()
}
