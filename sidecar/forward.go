package sidecar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/internal/outage"
	"github.com/evalworker/evalworker/sidecar/spool"
)

// forwarder sends the spool to Kafka, one batch at a time: the next one begins
// when all of the last one was accepted or set aside, which keeps the order of each
// key.
type forwarder struct {
	spool     *spool.Spool
	limits    spool.Limits // of a batch
	publisher Publisher
	backoff   backoff.Backoff
	log       *slog.Logger
	counts    *counts
	kafka     outage.Outage
	disk      outage.Outage // of reading, of the position, and of rejected.ndjson

	asideLog, discardLog outage.Limiter // of events
}

// linger is the least time from one batch to the next, unless there is more than one
// batch to send. What comes meanwhile is sent together: a request to each partition for
// each event would cost as much as taking it. A lone event does not wait.
const linger = 10 * time.Millisecond

// run forwards until ctx ends.
func (f *forwarder) run(ctx context.Context) {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for attempt := 1; ctx.Err() == nil; attempt++ {
		batch, err := f.spool.Next(ctx, f.limits)
		switch {
		case ctx.Err() != nil || errors.Is(err, spool.ErrClosed):
			return
		case err != nil:
			if seen, ok := f.disk.Fail(err); ok {
				seen.On(f.log).Error("spool cannot be read; a restart moves a segment that is at fault away", "error", err)
			}
			f.backoff.Wait(ctx, attempt)
			continue
		}
		attempt = 0
		pause.Reset(linger)
		if !f.deliver(ctx, batch) {
			return
		}
		if err := f.spool.Done(batch); err == nil {
			if since, told := f.disk.End(); told {
				f.log.Info("spool can be read and written again", "after", time.Since(since).Round(time.Millisecond).String())
			}
		} else if seen, ok := f.disk.Fail(err); ok {
			seen.On(f.log).Error("spool: position not written; a restart would repeat events", "error", err)
		}
		if batch.More {
			continue
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
}

// deliver sends a batch until all of it is accepted or set aside; it returns false
// when ctx ended first.
func (f *forwarder) deliver(ctx context.Context, batch *spool.Batch) bool {
	events, rejected := decode(batch)
	for attempt := 1; len(events) > 0; attempt++ {
		out, err := f.publisher.Publish(ctx, events)
		f.counts.sent.Add(int64(out.Written))
		rejected = append(rejected, out.Rejected...)
		events = out.Left
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return false
		}
		f.counts.retries.Add(1)
		if seen, ok := f.kafka.Fail(err); ok {
			f.logDown(err, seen)
		}
		f.backoff.Wait(ctx, attempt)
	}
	if since, told := f.kafka.End(); told {
		f.log.Info("kafka takes events again", "after", time.Since(since).Round(time.Millisecond).String(), "spooled_events", f.spool.Stats().Events)
	}
	return f.setAside(ctx, rejected)
}

func (f *forwarder) logDown(err error, seen outage.Tally) {
	st := f.spool.Stats()
	seen.On(f.log).Warn("kafka does not take events: they are kept in the spool", "error", err, "spooled_events", st.Events, "disk_bytes", st.DiskBytes, "max_bytes", st.MaxBytes)
}

// decode decodes the records of a batch. One that cannot be decoded was accepted by
// another version of this program; it is rejected.
func decode(batch *spool.Batch) (events []emitter.EncodedEvent, rejected []emitter.RejectedEvent) {
	for _, r := range batch.Records {
		ev, err := event.Decode(r.Data)
		e := emitter.EncodedEvent{Event: ev, Value: r.Data, Time: r.Accepted}
		if err != nil {
			rejected = append(rejected, emitter.RejectedEvent{EncodedEvent: e, Err: err})
			continue
		}
		events = append(events, e)
	}
	return events, rejected
}

// setAside keeps the rejected events, and tries until they are kept; it returns
// false when ctx ended first.
func (f *forwarder) setAside(ctx context.Context, rejected []emitter.RejectedEvent) bool {
	if len(rejected) == 0 {
		return true
	}
	lines := make([][]byte, len(rejected))
	for i, r := range rejected {
		var line bytes.Buffer
		if err := json.Compact(&line, r.Value); err != nil {
			line.Reset()
			line.Write(bytes.ReplaceAll(r.Value, []byte("\n"), []byte(" ")))
		}
		lines[i] = line.Bytes()
	}
	for attempt := 1; ; attempt++ {
		n, err := f.spool.SetAside(lines)
		if err == nil || errors.Is(err, spool.ErrFull) {
			f.logRejected(rejected[:n], true)
			f.counts.setAside.Add(int64(n))
			f.logRejected(rejected[n:], false)
			f.counts.discarded.Add(int64(len(rejected) - n))
			return true
		}
		if seen, ok := f.disk.Fail(err); ok {
			seen.On(f.log).Error("spool: rejected.ndjson cannot be written; nothing is sent until it can", "error", err)
		}
		if !f.backoff.Wait(ctx, attempt) {
			return false
		}
	}
}

// logRejected logs how many events Kafka refuses, with the first of them as an example:
// rejected.ndjson has all that were kept.
func (f *forwarder) logRejected(rejected []emitter.RejectedEvent, kept bool) {
	if len(rejected) == 0 {
		return
	}
	var id event.RequestID
	if e := rejected[0].Event; e != nil {
		id = e.RequestID
	}
	log := f.log.With("request_id", fmt.Sprintf("%.100s", id), "bytes", len(rejected[0].Value), "error", rejected[0].Err)
	if kept {
		if seen, ok := f.asideLog.AllowN(len(rejected)); ok {
			seen.On(log).Error("events are set aside in rejected.ndjson: kafka will never accept them")
		}
	} else if seen, ok := f.discardLog.AllowN(len(rejected)); ok {
		seen.On(log).Error("events are discarded: kafka will never accept them, and rejected.ndjson has its full size")
	}
}
