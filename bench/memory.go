package main

import (
	"context"
	"fmt"
	"time"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
)

const (
	stuckEvents = 1_000_000
	soakPace    = 3 * time.Millisecond
	soakModel   = 200 * time.Millisecond
)

// stuck measures the memory behind one event that does not end, with a million
// skipped events of the same partition after it.
func stuck(ctx context.Context, w *world, _ options) error {
	topic, err := w.topic(ctx, 1)
	if err != nil {
		return err
	}
	release := make(chan struct{})
	defer close(release)
	url, err := w.serve(ctx, modelserver.New(func(req modelserver.Request) modelserver.Reply {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return passAll(req, 0)
	}))
	if err != nil {
		return err
	}
	err = w.publish(ctx, topic, stuckEvents+1, 0, func(n int, e *event.Event) {
		e.Input, e.Output = event.Text("?"), event.Text("!")
		if n == 0 {
			e.Feature = "stuck"
		}
	})
	if err != nil {
		return err
	}
	path, err := w.configure("stuck", topic, "", fmt.Sprintf(
		"shutdown: {grace: 100ms}\n"+
			"models: {default: {model: gpt-6-luna, base_url: %s/v1, api_key: none, timeout: 10m}}\n"+
			"evaluators: [{name: correctness, type: llm_judge, rubric: answer_relevance, rate: 0}]\n"+
			"sampling: {rules: [{name: stuck, when: 'feature == \"stuck\"', rate: 1}]}", url))
	if err != nil {
		return err
	}
	p, err := start(ctx, roleWorker, job{Config: path, Topic: topic, Events: stuckEvents})
	if err != nil {
		return err
	}
	f, err := p.figures()
	if err != nil {
		return err
	}
	_ = p.stop() // its error is that one event is not finished, as intended
	fmt.Fprintf(w.out, "\nstuck: one event in flight, %d skipped after it on its partition\n", stuckEvents)
	fmt.Fprintf(w.out, "RSS %.0f MB, peak %.0f MB\n", float64(f.RSS)/1e6, float64(f.PeakRSS)/1e6)
	return nil
}

// soak measures the memory after some time of load: validation of every event, a
// judge for one in twenty, one failure in fifty.
func soak(ctx context.Context, w *world, opts options) error {
	topic, err := w.topic(ctx, partitions)
	if err != nil {
		return err
	}
	path, err := w.configureJudged(ctx, "soak", topic, soakModel, 0.05)
	if err != nil {
		return err
	}
	p, err := start(ctx, roleWorker, job{Config: path, Topic: topic})
	if err != nil {
		return err
	}
	err = w.publish(ctx, topic, int(opts.soak/soakPace), soakPace, func(n int, e *event.Event) {
		if n%50 == 0 {
			e.Output = event.Text(fmt.Sprintf(`{"category":"unheard of %d"`, n))
		}
	})
	if err != nil {
		return err
	}
	if err := p.stdin.Close(); err != nil {
		return err
	}
	f, err := p.figures()
	if err != nil {
		return err
	}
	if err := p.cmd.Wait(); err != nil {
		return err
	}
	fmt.Fprintf(w.out, "\nsoak: %v, %d events at %.0f a second, all validated, 5 %% judged, 2 %% failing\n", opts.soak, f.Events, f.perSecond())
	fmt.Fprintf(w.out, "RSS %.0f MB, peak %.0f MB, CPU %v an event\n", float64(f.RSS)/1e6, float64(f.PeakRSS)/1e6, f.cpuPerEvent().Round(time.Microsecond))
	return nil
}
