package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"syscall"
	"time"

	"github.com/evalworker/evalworker/internal/outage"
	"github.com/evalworker/evalworker/sidecar/spool"
)

// events answers POST /v1/events.
func (s *Sidecar) events(w http.ResponseWriter, r *http.Request) {
	s.answer(w, r, s.ingest(w, r))
}

func (s *Sidecar) ingest(w http.ResponseWriter, r *http.Request) *answer {
	if rejected := s.intake.enter(); rejected != nil {
		return rejected
	}
	defer s.intake.leave()
	lines, rejected := promisesLines(r)
	if rejected != nil {
		return rejected
	}
	body, rejected := s.readBody(w, r)
	if rejected != nil {
		return rejected
	}
	c := s.parse(body, lines)
	a := &answer{Status: http.StatusBadRequest, Accepted: c.good, Rejected: c.rejected, Faults: c.faults}
	if c.tooLarge {
		a.Status, a.Error = http.StatusRequestEntityTooLarge, "the event is too large"
		return a
	}
	if len(c.values) > 0 {
		if rejected := s.store(r.Context(), c.values); rejected != nil {
			return rejected // and the spool may still write the body
		}
	}
	s.counts.withheld.Add(int64(c.withheld))
	if a.Warnings, a.More = c.warnings.listed, c.warnings.more; c.warnings.events > 0 {
		s.counts.warned.Add(int64(c.warnings.events))
		s.logWarnings()
	}
	s.bodies.done(body)
	switch {
	case c.unread > 0:
		a.Error = fmt.Sprintf("%d lines were refused: line %d and all behind it were not looked at; the good ones before were accepted", c.rejected, c.unread)
	case c.rejected > 0 && a.Accepted > 0:
		a.Error = "some lines were refused; the others were accepted"
	case c.rejected > 0:
		a.Error = "no event was accepted"
	case a.Accepted == 0:
		a.Error = "there is no event in the body"
	default:
		a.Status = http.StatusAccepted
	}
	return a
}

// store appends events to the spool. It returns nil when they are safe, else the
// answer.
func (s *Sidecar) store(ctx context.Context, values [][]byte) *answer {
	// A disk that hangs must not hold a request, and its slot, forever. The request's
	// own context cannot end the wait: a client that has closed its half of the
	// connection looks like one that is gone, but still waits for the answer.
	limit := s.cfg.RequestTimeout
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), limit, diskTimeout(limit))
	defer cancel()
	err := s.deps.Spool.Append(ctx, values)
	switch {
	case err == nil:
		if since, told := s.spoolFull.Over(); told {
			s.log.Info("spool has room again", "after", time.Since(since).Round(time.Millisecond).String())
		}
		if since, told := s.disk.End(); told {
			s.log.Info("spool can be written again", "after", time.Since(since).Round(time.Millisecond).String())
		}
		return nil
	case errors.Is(err, spool.ErrFull):
		if seen, ok := s.spoolFull.Allow(); ok {
			st := s.deps.Spool.Stats()
			seen.On(s.log).Error("spool is full: events are refused with 429", "spooled_events", st.Events,
				"disk_bytes", st.DiskBytes, "max_bytes", st.MaxBytes, "kafka_error", currentError(&s.forward.kafka))
		}
		return reject(http.StatusTooManyRequests, "the spool is full: Kafka does not accept events as fast as they come, or not at all")
	case errors.Is(err, spool.ErrClosed):
		return reject(http.StatusServiceUnavailable, "the sidecar is stopping")
	}
	if seen, ok := s.disk.Fail(err); ok {
		seen.On(s.log).Error("spool cannot be written: events are refused with 503", "error", err)
	}
	if ctx.Err() != nil {
		return reject(http.StatusServiceUnavailable, "the events were not safe in time; they may be sent nevertheless")
	}
	return reject(http.StatusServiceUnavailable, "the spool cannot be written: "+publicReason(err))
}

// diskTimeout is the error of a disk that has not answered for this long.
type diskTimeout time.Duration

func (d diskTimeout) Error() string {
	return fmt.Sprint("the disk has not answered for ", time.Duration(d))
}

// publicReason returns a failure of the disk in a form that a client may see: without
// paths.
func publicReason(err error) string {
	if timeout, ok := errors.AsType[diskTimeout](err); ok {
		return timeout.Error()
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	return "the file system reports an error"
}

// currentError returns the last error of an outage that is not over, or "none".
func currentError(o *outage.Outage) string {
	if _, err := o.Now(); err != nil {
		return err.Error()
	}
	return "none"
}
