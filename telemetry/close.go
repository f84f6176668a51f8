package telemetry

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Close sends what is queued and stops. It returns within the close timeout, and
// when ctx ends, even if the agent hangs; the error says what was abandoned.
// Calls after the first return nil.
//
// Reports are sent first, then traces, evaluations and metrics, which count the losses of the
// others. Each has a share of the time, so that a hanging agent cannot use it up;
// after their share, requests to the trace agent are cancelled.
func (t *Telemetry) Close(ctx context.Context) error {
	if t.discarding() || !t.refuseReports() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()

	var errs []error
	ended := inBackground(t.running.Wait)
	if !closesWithin(ctx, partOf(ctx, 0.4), ended) {
		t.abandoned.Store(true)
		errs = append(errs, fmt.Errorf("telemetry: %d queued reports abandoned", len(t.queue)))
	}
	if t.tracing != nil {
		errs = append(errs, t.closeDatadog(ctx, ended))
	}
	return errors.Join(errs...)
}

// closeDatadog closes what sends to Datadog, when reports have ended or were abandoned.
func (t *Telemetry) closeDatadog(ctx context.Context, reports <-chan struct{}) error {
	var errs []error
	before := t.Stats().Dropped(SinkTraces)
	stopped := t.tracing.stop(reports)
	if !closesWithin(ctx, partOf(ctx, 0.6), stopped) {
		t.tracing.agent.cancelAll()
		if !closesWithin(ctx, partOf(ctx, 0.5), stopped) {
			errs = append(errs, errors.New("telemetry: tracer abandoned: the trace agent does not answer"))
		}
	}
	if lost := t.Stats().Dropped(SinkTraces) - before; lost > 0 {
		errs = append(errs, fmt.Errorf("telemetry: %d traces abandoned: the trace agent does not accept them", lost))
	}
	errs = append(errs, t.closeEvaluations(ctx))
	for _, d := range t.drops.unsent() {
		t.meter.count(countDropped, d.Count, nil, d.Sink, d.Reason)
	}
	if !closesWithin(ctx, partOf(ctx, 1), inBackground(func() { _ = t.meter.statsd.Close() })) {
		errs = append(errs, errors.New("telemetry: metrics abandoned: DogStatsD does not accept them"))
	}
	return errors.Join(errs...)
}

// refuseReports makes Report drop further reports. It reports whether this is the
// first call.
func (t *Telemetry) refuseReports() bool {
	t.intake.Lock()
	defer t.intake.Unlock()
	if t.closed {
		return false
	}
	t.closed = true
	close(t.queue)
	return true
}

// inBackground runs f and returns a channel that is closed when f is done. f may
// hang in a vendor's client, such as in a write to a socket that nothing reads, so
// the goroutine may outlive Close.
func inBackground(f func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	return done
}

// partOf returns a part of the time that ctx has left.
func partOf(ctx context.Context, part float64) time.Duration {
	deadline, _ := ctx.Deadline()
	return time.Duration(part * float64(time.Until(deadline)))
}

// closesWithin reports whether done is closed in time.
func closesWithin(ctx context.Context, d time.Duration, done <-chan struct{}) bool {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	select {
	case <-done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-done: // both channels were ready
		return true
	default:
		return false
	}
}
