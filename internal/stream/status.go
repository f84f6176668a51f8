package stream

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Status is where a Consumer stands.
type Status struct {
	// Joined: this member is in the group and has been told its partitions,
	// which may be none.
	Joined     bool              `json:"joined"`
	Generation int32             `json:"generation"`
	Partitions []PartitionStatus `json:"partitions"` // in order of their ids

	InFlight    int `json:"in_flight"`     // handlers that run, or wait to be called again
	MaxInFlight int `json:"max_in_flight"` // their bound

	// Refused says why Kafka does not let this worker in, and what to mend; empty
	// when it does. The text names brokers, mechanism, user and files, no secret.
	Refused      string    `json:"refused,omitempty"`
	RefusedSince time.Time `json:"refused_since,omitzero"`

	// LastCommit is when all that was finished was last known to the broker.
	LastCommit time.Time `json:"last_commit"`
	// Stalled says why intake stands still or soon will; empty when it flows.
	Stalled      string    `json:"stalled,omitempty"`
	StalledSince time.Time `json:"stalled_since,omitzero"`
}

// PartitionStatus is where one partition stands. An offset that is not known
// yet is -1.
type PartitionStatus struct {
	Partition int   `json:"partition"`
	Low       int64 `json:"low"`       // everything below is finished
	Next      int64 `json:"next"`      // the next offset to take in
	Committed int64 `json:"committed"` // the broker knows that all below is finished
	High      int64 `json:"high"`      // the end of the partition when last seen
	Lag       int64 `json:"lag"`       // High - Low: messages not finished; 0 while unknown
	InWork    int   `json:"in_work"`   // messages begun and not finished
	Tracked   int   `json:"tracked"`   // entries of the window in use
}

// Lag gives the messages that are not finished, on all partitions of this
// member.
func (s Status) Lag() int64 {
	var n int64
	for _, p := range s.Partitions {
		n += p.Lag
	}
	return n
}

// Status tells where the consumer stands. It is cheap and safe to call at any
// time, before Run and after it too.
func (c *Consumer) Status() Status {
	c.mu.Lock()
	st := Status{
		Joined: c.joined, Generation: c.generation,
		InFlight: len(c.slots), MaxInFlight: cap(c.slots),
	}
	for _, p := range c.partitions {
		at, high := p.tracker.progress(), p.high.Load()
		ps := PartitionStatus{
			Partition: p.id, Low: at.low, Next: at.next, Committed: at.committed, High: high,
			InWork: at.working, Tracked: at.spans,
		}
		if high >= 0 && at.low >= 0 {
			ps.Lag = max(high-at.low, 0)
		}
		st.Partitions = append(st.Partitions, ps)
	}
	c.mu.Unlock()
	slices.SortFunc(st.Partitions, func(a, b PartitionStatus) int { return cmp.Compare(a.Partition, b.Partition) })

	st.Refused, st.RefusedSince = c.refusals.now(st.Joined)
	outage, _ := c.gate.outage()
	st.LastCommit = time.Now().Add(-outage)
	if st.Joined && outage > c.cfg.MaxCommitOutage {
		st.Stalled, st.StalledSince = "commits fail", st.LastCommit
	}
	if st.Joined && len(st.Partitions) == 0 && c.topicMissing.Load() {
		st.Stalled = "topic " + c.cfg.Topic + " does not exist"
	}
	for kind := range stallKinds {
		if n, since := c.stalls.now(kind); n > 0 && st.Stalled == "" {
			st.Stalled, st.StalledSince = fmt.Sprintf("%s (%d of %d in flight)", kind, n, st.MaxInFlight), since
		}
	}
	return st
}
