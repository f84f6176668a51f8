package sidecar

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/sidecar/spool"
)

// forwarder sends what is spooled to Kafka, a batch at a time: the next one
// begins when all of the last one was taken or set aside, which is what keeps
// the order of each key.
type forwarder struct {
	cfg       Config
	spool     *spool.Spool
	publisher Publisher
	log       *slog.Logger
	counts    *counts
	kafka     trouble
	disk      trouble // of reading, of the position, and of rejected.ndjson
}

// run forwards until ctx ends.
func (f *forwarder) run(ctx context.Context) {
	for attempt := 1; ctx.Err() == nil; attempt++ {
		batch, err := f.spool.Next(ctx, spool.Limits{Records: f.cfg.BatchEvents, Bytes: f.cfg.BatchBytes})
		switch {
		case ctx.Err() != nil || errors.Is(err, spool.ErrClosed):
			return
		case err != nil:
			if f.disk.note(err) {
				f.log.Error("spool cannot be read; a restart moves a segment that is at fault away", "error", err)
			}
			f.pause(ctx, attempt)
			continue
		}
		attempt = 0
		if !f.deliver(ctx, batch) {
			return
		}
		if err := f.spool.Done(batch); err == nil {
			f.disk.over()
		} else if f.disk.note(err) {
			f.log.Error("spool: position not written; a restart would repeat events", "error", err)
		}
	}
}

// deliver has all of a batch taken or set aside; false when ctx ended first.
func (f *forwarder) deliver(ctx context.Context, batch *spool.Batch) bool {
	events, refused := decode(batch)
	for attempt := 1; len(events) > 0; attempt++ {
		out, err := f.publisher.Publish(ctx, events)
		f.counts.sent.Add(int64(out.Written))
		refused = append(refused, out.Refused...)
		events = out.Left
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return false
		}
		f.counts.retries.Add(1)
		if f.kafka.note(err) {
			f.down(err)
		}
		f.pause(ctx, attempt)
	}
	if since, was := f.kafka.over(); was {
		f.log.Info("kafka takes events again", "down_for", time.Since(since).Round(time.Millisecond).String(), "spooled_events", f.spool.Stats().Events)
	}
	return f.setAside(ctx, refused)
}

func (f *forwarder) down(err error) {
	st := f.spool.Stats()
	since, _ := f.kafka.since()
	f.log.Warn("kafka does not take events: they are kept in the spool", "error", err,
		"down_for", time.Since(since).Round(time.Second).String(), "spooled_events", st.Events,
		"disk_bytes", st.DiskBytes, "max_bytes", st.MaxBytes)
}

// decode makes events of records. One that cannot be decoded was accepted by
// another version of this program; it is refused.
func decode(batch *spool.Batch) (events []emitter.Encoded, refused []emitter.Refusal) {
	for _, r := range batch.Records {
		ev, err := event.Decode(r.Data)
		e := emitter.Encoded{Event: ev, Value: r.Data, Time: r.Accepted}
		if err != nil {
			refused = append(refused, emitter.Refusal{Encoded: e, Err: err})
			continue
		}
		events = append(events, e)
	}
	return events, refused
}

// setAside keeps what Kafka will never take, and tries until it is kept; false
// when ctx ended first.
func (f *forwarder) setAside(ctx context.Context, refused []emitter.Refusal) bool {
	if len(refused) == 0 {
		return true
	}
	lines := make([][]byte, len(refused))
	for i, r := range refused {
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
			f.report(refused[:n], "event set aside in rejected.ndjson: kafka will never take it")
			f.counts.setAside.Add(int64(n))
			f.report(refused[n:], "event discarded: kafka will never take it, and rejected.ndjson has its full size")
			f.counts.discarded.Add(int64(len(refused) - n))
			return true
		}
		if f.disk.note(err) {
			f.log.Error("spool: rejected.ndjson cannot be written; nothing is sent until it can", "error", err)
		}
		if !f.pause(ctx, attempt) {
			return false
		}
	}
}

func (f *forwarder) report(refused []emitter.Refusal, what string) {
	for _, r := range refused {
		var id event.RequestID
		if r.Event != nil {
			id = r.Event.RequestID
		}
		f.log.Error(what, "request_id", string(id), "bytes", len(r.Value), "error", r.Err) //nolint:sloglint // one of two constants
	}
}

// pause waits after an attempt, counted from 1; false when ctx ended first.
func (f *forwarder) pause(ctx context.Context, attempt int) bool {
	d := f.cfg.BackoffMax
	if shift := attempt - 1; shift < 32 && f.cfg.BackoffMin<<shift < d {
		d = f.cfg.BackoffMin << shift
	}
	t := time.NewTimer(d - time.Duration(rand.Int64N(int64(d)/2+1)))
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
