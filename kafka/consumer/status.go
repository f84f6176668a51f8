package consumer

import (
	"cmp"
	"slices"
	"time"
)

// Status is the present state of a Consumer.
type Status struct {
	// Joined: this member is in the group and knows its partitions, perhaps none.
	Joined     bool  `json:"joined"`
	Generation int32 `json:"generation"`
	// Partitions are this member's, by id: none while it is not a member, because
	// others may have them then; after Run, those that it had last.
	Partitions []PartitionStatus `json:"partitions"`
	// NotJoinedSince is when Joined became false: at the end of the last generation,
	// or at the start.
	NotJoinedSince time.Time `json:"not_joined_since,omitzero"`

	InFlight    int `json:"in_flight"`     // handlers that run, or wait to be called again
	MaxInFlight int `json:"max_in_flight"` // their bound

	// Refused says why Kafka does not let this worker in, and what to mend; empty when
	// it does. The text names brokers, mechanism, user and files, never a secret.
	Refused      string    `json:"refused,omitempty"`
	RefusedSince time.Time `json:"refused_since,omitzero"`

	// Error says why joining the group or a commit failed last, with the broker;
	// empty after a success. DownSince is since when.
	Error     string    `json:"error,omitempty"`
	DownSince time.Time `json:"down_since,omitzero"`

	// LastCommit is when the broker last accepted a commit; zero: not yet.
	LastCommit time.Time `json:"last_commit,omitzero"`
	// Stalled says why reading has stopped or soon will, in words that stay the same
	// while it lasts, as probes are compared; empty when it has not.
	Stalled      string    `json:"stalled,omitempty"`
	StalledSince time.Time `json:"stalled_since,omitzero"`
}

// PartitionStatus is the state of one partition. An unknown offset is -1.
type PartitionStatus struct {
	Partition int   `json:"partition"`
	Low       int64 `json:"low"`       // everything below is finished
	Next      int64 `json:"next"`      // the next offset to read
	Committed int64 `json:"committed"` // the broker knows that all below is finished
	High      int64 `json:"high"`      // the end of the partition when last seen
	Lag       int64 `json:"lag"`       // High - Committed: what a new owner of the partition has before it; -1 while unknown, as when the partition cannot be read or no broker has said for a while where it ends
	// Unfinished counts the messages up to High that are not finished: those not read
	// yet, and those in flight. One slow message leaves it at 1 while Lag grows. -1
	// while unknown.
	Unfinished int64 `json:"unfinished"`
	// OldestAgeSeconds is the age of the oldest of them, by the time that its publisher
	// gave it, or the most that it can be while it is not read yet: the lag in seconds. 0
	// when there is none, and never below by a clock that is ahead. While the end of the
	// partition is not known, as when it cannot be read, it is the time since it was read
	// to its end, and since this member took it over if it has never read it. -1 while
	// unknown.
	OldestAgeSeconds float64 `json:"oldest_age_seconds"`
	InFlight         int     `json:"in_flight"` // messages begun and not finished
	Tracked          int     `json:"tracked"`   // entries of the window in use

	// Error says why reading the partition failed last, with the broker; empty
	// after a success. DownSince is since when.
	Error     string    `json:"error,omitempty"`
	DownSince time.Time `json:"down_since,omitzero"`
}

// Unfinished returns the number of messages not finished on this member's partitions,
// as far as it is known.
func (s Status) Unfinished() int64 {
	var n int64
	for _, p := range s.Partitions {
		n += max(p.Unfinished, 0)
	}
	return n
}

// PartitionsDown returns the number of partitions that cannot be read.
func (s Status) PartitionsDown() int {
	n := 0
	for _, p := range s.Partitions {
		if !p.DownSince.IsZero() {
			n++
		}
	}
	return n
}

// Down reports whether Kafka cannot be used: it cannot be reached, accepts no
// commits, or does not let this worker in.
func (s Status) Down() bool { return !s.DownSince.IsZero() || s.Refused != "" }

// Status returns the present state. It is cheap and safe to call at any time, before
// Run and after it too.
func (c *Consumer) Status() Status {
	c.mu.Lock()
	st := Status{Joined: c.joined, Generation: c.generation, InFlight: len(c.slots), MaxInFlight: cap(c.slots)}
	if !c.joined {
		st.NotJoinedSince = c.notJoinedSince
	}
	st.Partitions = []PartitionStatus{} // a list also when there is none
	for _, p := range c.partitions {
		if !c.joined && !c.ended {
			break
		}
		at, high := p.tracker.progress(), p.high.Load()
		ps := PartitionStatus{
			Partition: p.id, Low: at.low, Next: at.next, Committed: at.committed, High: high,
			InFlight: at.working, Tracked: at.spans, Lag: unknownOffset, Unfinished: unknownOffset, OldestAgeSeconds: -1,
		}
		since, err := p.outage.Now()
		down := err != nil
		if down {
			ps.DownSince, ps.Error = since, err.Error()
		}
		located, blind := high >= 0 && at.low >= 0, p.blind(down, c.cfg.PartitionWatch)
		if located && !blind { // else more may have come
			known := at.committed
			if known < 0 { // nothing is committed yet
				known = at.low
			}
			ps.Lag = max(high-known, 0)
			ps.Unfinished = max(high-at.next, 0) + int64(at.working+at.returned)
		}
		if located || blind {
			if age := p.oldestAge(at, high, blind); age >= 0 {
				ps.OldestAgeSeconds = age.Round(time.Millisecond).Seconds()
			}
		}
		st.Partitions = append(st.Partitions, ps)
	}
	c.mu.Unlock()
	slices.SortFunc(st.Partitions, func(a, b PartitionStatus) int { return cmp.Compare(a.Partition, b.Partition) })

	st.Refused, st.RefusedSince = c.refusal.current(st.Joined)
	if since, err := c.outage.Now(); err != nil {
		st.DownSince, st.Error = since, err.Error()
	}
	if last := c.lastCommit.Load(); last != nil {
		st.LastCommit = *last
	}
	if since, _ := c.breaker.failing(); st.Joined && time.Since(since) > c.cfg.MaxCommitOutage {
		st.Stalled, st.StalledSince = "commits fail", since
		if st.Error != "" {
			st.Stalled += ": " + st.Error
		}
	}
	if missing := c.topicMissing.Load(); st.Joined && len(st.Partitions) == 0 && missing != nil {
		st.Stalled, st.StalledSince = "topic "+c.cfg.Topic+" does not exist; create it, or correct kafka.topic", *missing
	}
	for _, r := range []*retries{&c.handlerRetries, &c.letterRetries} {
		if n, since, err := r.current(); n > 0 && st.Stalled == "" {
			st.Stalled, st.StalledSince = r.cause, since
			if err != nil {
				st.Stalled += ": " + err.Error()
			}
		}
	}
	return st
}
