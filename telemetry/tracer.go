package telemetry

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/DataDog/datadog-go/v5/statsd"
	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"

	"github.com/evalworker/evalworker/internal/outage"
)

// agentTimeout bounds one request to the trace agent. It also bounds memory: while
// an agent hangs, payloads accumulate for that long.
const agentTimeout = 2 * time.Second

// tracing is the process's tracer, and its way to the agent.
type tracing struct {
	agent *agentTransport
	// stop stops the tracer; its channel is closed when the tracer has stopped. Another one
	// may start when, besides, reports is closed: nothing reports to the tracer any more.
	stop func(reports <-chan struct{}) <-chan struct{}
}

func startTracer(cfg Config, to target, d *drops, log *slog.Logger) (*tracing, error) {
	lines, agent := &tracerLog{out: log}, newAgentTransport(to)
	tracer.UseLogger(tracer.AdaptLogger(lines.log)) // before Start, which reads variables before it takes its option
	opts := []tracer.StartOption{
		tracer.WithService(to.service),
		tracer.WithAgentURL(to.agent.String()),
		tracer.WithStatsdClient(&tracerHealth{drops: d}),
		tracer.WithLogger(tracer.AdaptLogger(lines.log)),
		tracer.WithPropagator(newPropagator()),
		tracer.WithAgentTimeout(int(to.timeout / time.Second)),
		tracer.WithHTTPClient(&http.Client{Transport: agent, Timeout: to.timeout}),
	}
	if to.env != "" {
		opts = append(opts, tracer.WithEnv(to.env))
	}
	if to.version != "" {
		opts = append(opts, tracer.WithServiceVersion(to.version))
	}
	if !to.ownStartupLogs {
		opts = append(opts, tracer.WithLogStartup(false))
	}
	if !to.ownSpanRules && cfg.KeepFailures > 0 {
		opts = append(opts, tracer.WithSamplingRules(failureRules(to.service, cfg.KeepFailures)))
	}
	if err := withDataStreams(to.dataStreams, func() error { return tracer.Start(opts...) }); err != nil {
		return nil, err
	}
	return &tracing{agent: agent, stop: func(reports <-chan struct{}) <-chan struct{} {
		return inBackground(func() {
			if to.dataStreams {
				tracer.Flush() // Stop would drop the checkpoints that it has not aggregated
			}
			tracer.Stop()
			lines.silence()
			agent.CloseIdleConnections()
			select {
			case <-reports:
				started.Store(false)
			default: // abandoned: one may hang
				inBackground(func() {
					<-reports
					started.Store(false)
				})
			}
		})
	}}, nil
}

// failureRules returns rules that keep failing eval.score spans of dropped traces, up
// to perSecond.
func failureRules(service string, perSecond float64) []tracer.SamplingRule {
	return tracer.SpanSamplingRules(tracer.Rule{
		ServiceGlob: service, NameGlob: spanScore, Tags: map[string]string{tagPass: "false"},
		Rate: 1, MaxPerSecond: perSecond,
	})
}

// tracerHealth receives the tracer's own metrics. It counts the drops, which become
// evalworker.dropped, and discards the others: they are not in the table.
type tracerHealth struct {
	statsd.NoOpClientDirect
	drops *drops
}

const tracesDropped = "datadog.tracer.traces_dropped"

func (h *tracerHealth) Count(name string, value int64, tags []string, _ float64) error {
	if name == tracesDropped {
		h.drops.add(SinkTraces, reasonOf(tags), value)
	}
	return nil
}

func (h *tracerHealth) Incr(name string, tags []string, rate float64) error {
	return h.Count(name, 1, tags, rate)
}

func reasonOf(tags []string) string {
	for _, tag := range tags {
		if reason, ok := strings.CutPrefix(tag, "reason:"); ok && reason != "" {
			return reason
		}
	}
	return "unknown"
}

// tracerLog writes the tracer's messages to the program's log, each kind once a
// minute, because the tracer complains at every flush while an agent is down.
type tracerLog struct {
	out     *slog.Logger
	stopped atomic.Bool
	lines   outage.Limiter
}

// silence discards further messages, because the tracer keeps its logger after it
// has stopped.
func (l *tracerLog) silence() { l.stopped.Store(true) }

// log is the tracer's logger. The tracer's errors are warnings here: the worker does
// not depend on it, and losses are counted.
func (l *tracerLog) log(level tracer.LogLevel, msg string, _ ...any) {
	ctx := context.Background()
	to := slog.LevelWarn
	switch level { // the tracer does not export its constants
	case 0:
		to = slog.LevelDebug
	case 1:
		to = slog.LevelInfo
	}
	if l.stopped.Load() || !l.out.Enabled(ctx, to) {
		return
	}
	msg = withoutPrefix(msg)
	if seen, ok := l.lines.AllowCause(kindOf(msg)); ok {
		l.out.LogAttrs(ctx, to, "tracer reports", slog.String("message", truncateTag(msg)), seen.Attr())
	}
}

// withoutPrefix returns a message of the tracer without its name, version and level, such as
// "Datadog Tracer v2.12.0 ERROR: ": the line has a level of its own.
func withoutPrefix(msg string) string {
	if name, text, ok := strings.Cut(msg, ": "); ok && strings.HasPrefix(name, "Datadog Tracer ") {
		return text
	}
	return msg
}

// kindOf returns what messages of the tracer have in common that differ in numbers, in
// addresses or in the error behind a colon.
func kindOf(msg string) string {
	kind, _, _ := strings.Cut(msg, ":")
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, kind[:min(len(kind), 60)])
}

// agentTransport sends the tracer's requests to the agent. It does two things for
// which the tracer has no option: it can cancel the requests to a hanging agent, so
// that the tracer stops in time, and it swallows the library's reports about its own
// use, which otherwise only an environment variable set before main can switch off.
type agentTransport struct {
	next    *http.Transport
	library bool            // the library's reports pass
	ctx     context.Context //nolint:containedctx // ends all requests at once
	cancel  context.CancelCauseFunc
}

var errCutOff = errors.New("telemetry is closing")

func newAgentTransport(to target) *agentTransport {
	dialer := &net.Dialer{Timeout: agentTimeout, KeepAlive: 30 * time.Second}
	next := &http.Transport{
		DialContext: dialer.DialContext, MaxIdleConns: 100, MaxIdleConnsPerHost: 100, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: agentTimeout,
	}
	if to.agent.Scheme == "unix" {
		// The tracer invents a host name for a socket; use only the path.
		next.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", to.agent.Path)
		}
	} else {
		next.Proxy = http.ProxyFromEnvironment
	}
	a := &agentTransport{next: next, library: to.libraryTelemetry}
	a.ctx, a.cancel = context.WithCancelCause(context.Background())
	return a
}

// cancelAll cancels all requests, present and future.
func (a *agentTransport) cancelAll() { a.cancel(errCutOff) }

func (a *agentTransport) CloseIdleConnections() { a.next.CloseIdleConnections() }

func (a *agentTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !a.library && libraryReport(req) {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return &http.Response{
			Status: "202 Accepted", StatusCode: http.StatusAccepted, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{}, Body: http.NoBody, Request: req,
		}, nil
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	stop := context.AfterFunc(a.ctx, func() { cancel(errCutOff) })
	release := func() {
		stop()
		cancel(nil)
	}
	resp, err := a.next.RoundTrip(req.WithContext(ctx))
	if err != nil {
		release()
		return nil, err
	}
	resp.Body = &responseBody{resp.Body, release}
	return resp, nil
}

// libraryReport reports whether a request is a report of the tracing library about
// itself, sent through the agent or directly.
func libraryReport(req *http.Request) bool {
	return strings.HasPrefix(req.URL.Path, "/telemetry/proxy/") ||
		strings.HasPrefix(req.URL.Hostname(), "instrumentation-telemetry-intake.")
}

// responseBody releases the request's context when it is closed.
type responseBody struct {
	io.ReadCloser
	release func()
}

func (r *responseBody) Close() error {
	defer r.release()
	return r.ReadCloser.Close()
}
