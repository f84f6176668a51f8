package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/testkit/datadog"
)

const (
	latencyEvents = 3000
	latencyPace   = 10 * time.Millisecond
	latencyModel  = 50 * time.Millisecond
)

// latency measures the time from Emit to the end of the event's span, less the
// model's time. That the tracer sends spans every two seconds does not matter: a span
// carries its own end.
func latency(ctx context.Context, w *world, _ options) error {
	topic, err := w.topic(ctx, partitions)
	if err != nil {
		return err
	}
	path, err := w.configureJudged(ctx, "latency", topic, latencyModel, 1)
	if err != nil {
		return err
	}
	p, err := start(ctx, roleWorker, job{Config: path, Topic: topic, Events: latencyEvents})
	if err != nil {
		return err
	}
	// The ids are unique, because spans of other measurements are still arriving.
	emitted := make(map[string]time.Time, latencyEvents)
	err = w.publish(ctx, topic, latencyEvents, latencyPace, func(n int, e *event.Event) {
		e.RequestID = event.RequestID(fmt.Sprintf("latency_%d", n))
		emitted[string(e.RequestID)] = time.Now()
	})
	if err != nil {
		return err
	}
	if _, err := p.figures(); err != nil {
		return err
	}
	if err := p.stop(); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var took []time.Duration
	w.agent.Wait(limited, func(a *datadog.AgentSink) bool {
		took = took[:0]
		for _, span := range a.Named("eval.run") {
			if at, ok := emitted[span.Meta["request_id"]]; ok {
				took = append(took, time.Unix(0, span.Start+span.Duration).Sub(at)-latencyModel)
			}
		}
		return len(took) >= latencyEvents
	})
	if len(took) == 0 {
		return errors.New("no span arrived")
	}
	slices.Sort(took)
	at := func(share float64) time.Duration {
		return took[min(int(share*float64(len(took))), len(took)-1)].Round(100 * time.Microsecond)
	}
	fmt.Fprintf(w.out, "\nlatency: %d events, one every %v, a model that takes %v\n", latencyEvents, latencyPace, latencyModel)
	fmt.Fprintf(w.out, "from Emit to the end of the span, less the model's time: p50 %v, p90 %v, p99 %v, most %v (%d spans)\n",
		at(0.5), at(0.9), at(0.99), at(1), len(took))
	return nil
}
