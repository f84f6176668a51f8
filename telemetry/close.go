package telemetry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Close sends what waits and stops. It ends within the close timeout, and when
// ctx ends, whatever the agent does; what had to be given up is in the error.
// Calls after the first return nil.
//
// Reports are sent first, then traces, then metrics, which tell of what the
// others lost. An agent that hangs costs each its share of the time; after it,
// requests to the trace agent are cut off.
func (t *Telemetry) Close(ctx context.Context) error {
	if t.discarding() || !t.refuseReports() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	close(t.closing)

	var errs []error
	if !closesWithin(ctx, partOf(ctx, 0.4), inBackground(t.running.Wait)) {
		errs = append(errs, fmt.Errorf("telemetry: %d queued reports abandoned", len(t.queue)))
	}
	before := t.Stats().Dropped(SinkTraces)
	stopped := t.stopTracer()
	if !closesWithin(ctx, partOf(ctx, 0.6), stopped) {
		t.agent.cutOff()
		if !closesWithin(ctx, partOf(ctx, 0.5), stopped) {
			errs = append(errs, errors.New("telemetry: tracer abandoned: the trace agent does not answer"))
		}
	}
	if lost := t.Stats().Dropped(SinkTraces) - before; lost > 0 {
		errs = append(errs, fmt.Errorf("telemetry: %d traces abandoned: the trace agent does not take them", lost))
	}
	for _, d := range t.drops.unsent() {
		t.meter.count(countDropped, d.Count, nil, d.Sink, d.Reason)
	}
	if !closesWithin(ctx, partOf(ctx, 1), inBackground(func() { _ = t.meter.out.Close() })) {
		errs = append(errs, errors.New("telemetry: metrics abandoned: DogStatsD does not take them"))
	}
	return errors.Join(errs...)
}

// shut refuses further reports. It reports false when that was done before.
func (t *Telemetry) refuseReports() bool {
	t.intake.Lock()
	defer t.intake.Unlock()
	if t.closed {
		return false
	}
	t.closed = true
	return true
}

// closed runs f and gives a channel that closes when it is done. What it waits
// for is bounded by the vendor's clients, not by us: a write to a socket that
// nobody reads, say. So the goroutine may outlive Close.
func inBackground(f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return done
}

// share gives a part of the time that ctx has left.
func partOf(ctx context.Context, part float64) time.Duration {
	deadline, _ := ctx.Deadline()
	return time.Duration(part * float64(time.Until(deadline)))
}

// within reports whether done closes in time.
func closesWithin(ctx context.Context, d time.Duration, done <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	select {
	case <-done: // both at once
		return true
	default:
		return false
	}
}
