package sidecar

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/evalworker/evalworker/internal/outage"
	"github.com/evalworker/evalworker/sidecar/spool"
)

// counts are the counters since the start.
type counts struct {
	bad, warned, withheld, sent, setAside, discarded atomic.Int64 // events; the spool counts those that are accepted
	retries                                          atomic.Int64
	answers                                          [600]atomic.Int64 // by HTTP status
}

func (c *counts) add(a *answer) {
	c.bad.Add(int64(a.Rejected))
	c.answers[a.Status].Add(1)
}

func (c *counts) rejections() rejections {
	return rejections{
		Bad: c.answers[400].Load(), Unauthorized: c.answers[401].Load(), Forbidden: c.answers[403].Load(),
		TooLarge: c.answers[413].Load(), Unsupported: c.answers[415].Load(),
	}
}

// Status is what /statusz prints.
type Status struct {
	State   string    `json:"state"` // ok, kafka_down, spool_full, disk_trouble or stopping
	Version string    `json:"version"`
	Started time.Time `json:"started"`
	// Events since the start. Found + Accepted = Sent + SetAside + Discarded +
	// Spool.Events, except for damage, and for events that move while these are read.
	Events struct {
		Found     int64 `json:"found"`    // in the spool at the start
		Accepted  int64 `json:"accepted"` // safe, also when that was too late for a 202
		Sent      int64 `json:"sent"`
		SetAside  int64 `json:"set_aside"`
		Discarded int64 `json:"discarded"`
		Bad       int64 `json:"bad"`      // never accepted
		Warned    int64 `json:"warned"`   // accepted with members that are not read
		Withheld  int64 `json:"withheld"` // accepted without their content
	} `json:"events"`
	Requests struct {
		InFlight    int64 `json:"in_flight"`
		TooMany     int64 `json:"too_many"`    // 429
		Unavailable int64 `json:"unavailable"` // 503
		rejections
	} `json:"requests"`
	Spool struct {
		spool.Stats
		UsedPercent      float64 `json:"used_percent"` // disk_bytes of max_bytes
		OldestAgeSeconds float64 `json:"oldest_age_seconds"`
		LastError        string  `json:"last_error,omitempty"`
	} `json:"spool"`
	Kafka struct {
		Topic       string     `json:"topic"`
		Down        bool       `json:"down"`
		DownSince   *time.Time `json:"down_since,omitempty"`
		Retries     int64      `json:"retries"`
		LastError   string     `json:"last_error,omitempty"`
		LastErrorAt *time.Time `json:"last_error_at,omitempty"`
	} `json:"kafka"`
}

// Status returns the present state: counts and errors, no content.
func (s *Sidecar) Status() Status {
	var st Status
	since, kafkaErr := s.forward.kafka.Now() // read once, so that the state and kafka.down agree
	st.State, st.Version, st.Started = s.state(kafkaErr), s.deps.Version, s.started
	c := &s.counts
	st.Events.Found, st.Events.Bad, st.Events.Warned = s.found.Events, c.bad.Load(), c.warned.Load()
	st.Events.Withheld = c.withheld.Load()
	st.Events.Sent, st.Events.SetAside, st.Events.Discarded = c.sent.Load(), c.setAside.Load(), c.discarded.Load()
	st.Requests.InFlight = s.intake.inFlight.Load()
	st.Requests.TooMany, st.Requests.Unavailable = c.answers[429].Load(), c.answers[503].Load()
	st.Requests.rejections = c.rejections()

	sp := s.deps.Spool.Stats()
	st.Events.Accepted = sp.Appended - s.found.Appended
	st.Spool.Stats = sp
	st.Spool.UsedPercent = tenths(100 * float64(sp.DiskBytes) / float64(sp.MaxBytes))
	if !sp.Oldest.IsZero() {
		st.Spool.OldestAgeSeconds = tenths(time.Since(sp.Oldest).Seconds())
	}
	var last time.Time
	for _, disk := range []*outage.Outage{&s.forward.disk, &s.disk} {
		if at, err := disk.Last(); err != nil && at.After(last) {
			st.Spool.LastError, last = err.Error(), at
		}
	}

	st.Kafka.Topic, st.Kafka.Retries = s.deps.Topic, c.retries.Load()
	if kafkaErr != nil {
		st.Kafka.Down, st.Kafka.DownSince = true, &since
	}
	if at, err := s.forward.kafka.Last(); err != nil {
		st.Kafka.LastError, st.Kafka.LastErrorAt = err.Error(), &at
	}
	return st
}

func tenths(f float64) float64 { return math.Round(10*f) / 10 }

// state returns the worst condition that holds; kafkaErr is the error of a Kafka that is
// down, or nil.
func (s *Sidecar) state(kafkaErr error) string {
	_, writeErr := s.disk.Now()
	_, readErr := s.forward.disk.Now()
	switch {
	case s.intake.closed.Load():
		return "stopping"
	case writeErr != nil || readErr != nil:
		return "disk_trouble"
	case s.checkRoom() != nil:
		return "spool_full"
	case kafkaErr != nil:
		return "kafka_down"
	}
	return "ok"
}

// checkRunning is the readiness check of the sidecar itself.
func (s *Sidecar) checkRunning() error {
	if s.intake.closed.Load() {
		return errors.New("stopping")
	}
	return nil
}

// diskMemory is how long the sidecar is not ready after a failed write. An orchestrator
// withholds requests then, so nothing would ever show that the disk works again.
const diskMemory = 10 * time.Second

// checkRoom is the readiness check of the spool: it needs room for a body of full size.
func (s *Sidecar) checkRoom() error {
	if _, err := s.disk.Now(); err != nil {
		if at, _ := s.disk.Last(); time.Since(at) < diskMemory {
			return fmt.Errorf("cannot be written: %s", publicReason(err))
		}
	}
	if sp := s.deps.Spool.Stats(); sp.DiskBytes+s.cfg.MaxBodyBytes > sp.MaxBytes {
		return fmt.Errorf("full: no room for a request within its %d bytes; kafka error: %s", sp.MaxBytes, currentError(&s.forward.kafka))
	}
	return nil
}
