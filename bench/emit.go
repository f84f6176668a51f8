package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// The load of an application that publishes.
const (
	emitPerSecond = 5_000
	emitWarmUp    = 5_000  // events before the measurement
	emitEvents    = 25_000 // events of it
	emitLinger    = 10 * time.Millisecond
	emitTopic     = "events"
)

// emitting compares the CPU time of a process that publishes through the emitter with
// that of one that marshals a plain struct and gives it to franz-go's producer, with the
// same acknowledgements, compression and linger. The broker is the embedded one, in a
// process of its own that each run starts anew, because it keeps everything in memory.
func emitting(ctx context.Context, out io.Writer, opts options) error {
	arms := []struct{ name, role string }{{"franz-go, plain struct", roleProducer}, {"Emitter, Event", roleEmitter}}
	var runs [2][]figures
	for pair := range opts.pairs {
		for turn := range arms {
			i := (turn + pair) % len(arms) // who goes first takes turns too
			j := job{Topic: emitTopic, Events: emitEvents}
			if opts.profiles != "" {
				j.Profile = filepath.Join(opts.profiles, "emit-"+arms[i].role+".pprof")
			}
			f, err := publishOnce(ctx, arms[i].role, j)
			if err != nil {
				return fmt.Errorf("%s: %w", arms[i].name, err)
			}
			runs[i] = append(runs[i], f)
		}
	}
	fmt.Fprintf(out, "%s, %s, %d cores, embedded broker in a process of its own\n", time.Now().Format(time.DateOnly), runtime.Version(), runtime.NumCPU())
	fmt.Fprintf(out, "\nemit: %d events of 2 KB at %d a second, %d partitions, snappy, all replicas, linger %v; median of %d runs in turn\n",
		emitEvents, emitPerSecond, partitions, emitLinger, opts.pairs)
	fmt.Fprintf(out, "%-26s %14s %12s %10s\n", "", "CPU an event", "events/s", "peak RSS")
	for i, arm := range arms {
		fmt.Fprintf(out, "%-26s %14s %12.0f %7.0f MB\n", arm.name, median(runs[i], figures.cpuPerEvent).Round(10*time.Nanosecond),
			median(runs[i], figures.perSecond), float64(median(runs[i], func(f figures) int64 { return f.PeakRSS }))/1e6)
	}
	w := &world{out: out}
	w.printRatios("CPU an event", runs, func(f figures) float64 { return float64(f.cpuPerEvent()) })
	return nil
}

// publishOnce runs one publisher beside a new broker.
func publishOnce(ctx context.Context, role string, j job) (figures, error) {
	p, err := start(ctx, roleBroker, j)
	if err != nil {
		return figures{}, err
	}
	defer func() { _ = p.stop() }() // it only keeps what is no longer wanted
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return figures{}, fmt.Errorf("broker: %w", err)
	}
	var addr string
	if err := json.Unmarshal(line, &addr); err != nil {
		return figures{}, err
	}
	j.Brokers = []string{addr}
	return runProcess(ctx, role, j)
}

// runBroker prints the address of an embedded broker and serves until stdin ends.
func runBroker(ctx context.Context, j job) error {
	b, err := broker.Start(broker.Config{Topics: map[string]int32{j.Topic: partitions}})
	if err != nil {
		return err
	}
	defer b.Close()
	if err := json.NewEncoder(os.Stdout).Encode(b.Addr()); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// runEmitter publishes through the emitter.
func runEmitter(ctx context.Context, j job) error {
	em, err := emitter.New(emitter.Config{Brokers: j.Brokers, Topic: j.Topic, Linger: emitLinger, Compression: "snappy"})
	if err != nil {
		return err
	}
	sample := newEvent(0)
	input, output := sample.Input.Text(), sample.Output.Text()
	err = atPace(ctx, j.Events, func(n int) error {
		e := sample
		e.RequestID, e.TraceID, e.Input, e.Output = event.RequestID(requestID(n)), event.ID(traceID(n)), event.Text(input), event.Text(output)
		return em.Emit(ctx, e)
	}, func() error { return em.Flush(ctx) })
	if closed := em.Close(ctx); err == nil {
		err = closed
	}
	return err
}

// runProducer publishes through franz-go, as an application would do it itself.
func runProducer(ctx context.Context, j job) error {
	client, err := kgo.NewClient(kgo.SeedBrokers(j.Brokers...), kgo.DefaultProduceTopic(j.Topic), kgo.ProducerLinger(emitLinger),
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.ProducerBatchCompression(kgo.SnappyCompression()))
	if err != nil {
		return err
	}
	defer client.Close()
	var failed atomic.Pointer[error]
	done := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.Store(&err)
		}
	}
	from := newEvent(0)
	sample := plainEvent{
		Event: string(event.KindRequestCompleted), Service: from.Service, Environment: from.Environment, Feature: from.Feature,
		PromptName: from.PromptName, PromptVersion: from.PromptVersion, Provider: from.Provider, Model: from.Model, Status: from.Status,
		FinishReason: from.FinishReason, TenantTier: from.TenantTier, LatencyMS: from.LatencyMS,
		Input: from.Input.Text(), Output: from.Output.Text(), OutputSchema: from.OutputSchema,
	}
	publish := func(n int) error {
		e := sample
		e.RequestID, e.TraceID, e.OccurredAt = requestID(n), traceID(n), time.Now()
		value, err := json.Marshal(&e)
		if err != nil {
			return err
		}
		client.Produce(ctx, &kgo.Record{Key: []byte(e.TraceID), Value: value}, done)
		return nil
	}
	err = atPace(ctx, j.Events, publish, func() error { return client.Flush(ctx) })
	if lost := failed.Load(); err == nil && lost != nil {
		err = *lost
	}
	return err
}

func requestID(n int) string { return "req_" + strconv.Itoa(1e9+n) }
func traceID(n int) string   { return strconv.Itoa(n + 1) }

// atPace publishes events at the pace of the measurement and prints the figures, from
// the end of the warm-up until all is written.
func atPace(ctx context.Context, events int64, publish func(int) error, flush func() error) error {
	const each = time.Millisecond
	tick := time.NewTicker(each)
	defer tick.Stop()
	var began meter
	first := time.Now()
	for n := 0; n < emitWarmUp+int(events); {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		// What is due by now: a tick that was late makes up for it.
		for due := int(time.Since(first).Seconds() * emitPerSecond); n < min(due, emitWarmUp+int(events)); n++ {
			if n == emitWarmUp {
				var err error
				if began, err = newMeter(emitWarmUp); err != nil {
					return err
				}
			}
			if err := publish(n); err != nil {
				return fmt.Errorf("publish event %d: %w", n, err)
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	return began.print(emitWarmUp + events)
}

// plainEvent is an event as an application would write it without the emitter.
type plainEvent struct {
	Event         string    `json:"event"`
	RequestID     string    `json:"request_id"`
	OccurredAt    time.Time `json:"occurred_at"`
	TraceID       string    `json:"trace_id,omitempty"`
	Service       string    `json:"service,omitempty"`
	Environment   string    `json:"environment,omitempty"`
	Feature       string    `json:"feature,omitempty"`
	PromptName    string    `json:"prompt_name,omitempty"`
	PromptVersion string    `json:"prompt_version,omitempty"`
	Provider      string    `json:"provider,omitempty"`
	Model         string    `json:"model,omitempty"`
	Status        string    `json:"status,omitempty"`
	FinishReason  string    `json:"finish_reason,omitempty"`
	TenantTier    string    `json:"tenant_tier,omitempty"`
	LatencyMS     *float64  `json:"llm_latency_ms,omitempty"`
	Input         string    `json:"input,omitempty"`
	Output        string    `json:"output,omitempty"`
	OutputSchema  string    `json:"output_schema,omitempty"`
}
