package sidecar

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/evalworker/evalworker/sidecar/spool"
)

// refusal is an answer other than 202.
type refusal struct {
	status int
	text   string
}

// events answers POST /v1/events.
func (s *Sidecar) events(w http.ResponseWriter, r *http.Request) {
	status, a := s.take(w, r)
	s.answer(w, r, status, a)
}

func (s *Sidecar) take(w http.ResponseWriter, r *http.Request) (int, answer) {
	switch s.gate.enter() {
	case entryIn:
		defer s.gate.leave()
	case entryClosed:
		return http.StatusServiceUnavailable, answer{Error: "the sidecar is stopping"}
	default:
		return http.StatusTooManyRequests, answer{Error: "too many requests at once"}
	}
	form, no := formOf(r)
	if no != nil {
		return no.status, answer{Error: no.text}
	}
	body, no := s.readBody(w, r)
	if no != nil {
		return no.status, answer{Error: no.text}
	}
	p := s.parse(body, form)
	if p.tooLarge {
		return http.StatusRequestEntityTooLarge, answer{Rejected: p.rejected, Faults: p.faults, Error: "the event is too large"}
	}
	if len(p.values) > 0 {
		if no := s.keep(r.Context(), p.values); no != nil {
			return no.status, answer{Error: no.text}
		}
	}
	a := answer{Accepted: len(p.values), Rejected: p.rejected, Faults: p.faults}
	switch {
	case p.rejected > 0:
		a.Error = "some lines were refused; the others were accepted"
		if len(p.values) == 0 {
			a.Error = "no event was accepted"
		}
		if p.unread > 0 {
			a.Error = fmt.Sprintf("%d lines were refused: line %d and all behind it were not looked at; the good ones before were accepted", p.rejected, p.unread)
		}
		return http.StatusBadRequest, a
	case len(p.values) == 0:
		a.Error = "there is no event in the body"
		return http.StatusBadRequest, a
	}
	return http.StatusAccepted, a
}

// keep makes events safe, or says why not.
func (s *Sidecar) keep(ctx context.Context, values [][]byte) *refusal {
	// A disk that hangs must not hold a request, and its slot, for ever. A client
	// that has closed its half of the connection still waits for the answer, but to
	// the server it looks like one that is gone: its context says nothing.
	limit := s.cfg.RequestTimeout
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(ctx), limit, hanging(limit))
	defer cancel()
	err := s.deps.Spool.Append(ctx, values)
	switch {
	case err == nil:
		s.disk.over()
		return nil
	case errors.Is(err, spool.ErrFull):
		st := s.deps.Spool.Stats()
		if n, ok := s.full.now(); ok {
			s.log.Error("spool is full: events are refused with 429", "requests", n, "spooled_events", st.Events,
				"disk_bytes", st.DiskBytes, "max_bytes", st.MaxBytes, "kafka_error", s.forward.kafka.text())
		}
		return &refusal{http.StatusTooManyRequests, "the spool is full: Kafka does not take events as fast as they come, or not at all"}
	case errors.Is(err, spool.ErrClosed):
		return &refusal{http.StatusServiceUnavailable, "the sidecar is stopping"}
	}
	if s.disk.note(err) {
		s.log.Error("spool cannot be written: events are refused with 503", "error", err)
	}
	if ctx.Err() != nil {
		return &refusal{http.StatusServiceUnavailable, "the events were not safe in time; they may be sent nevertheless"}
	}
	return &refusal{http.StatusServiceUnavailable, "the spool cannot be written: " + cause(err)}
}
