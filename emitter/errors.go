package emitter

import (
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/conn"
)

// Errors of Emit, Connect and Publish. Match them with errors.Is.
var (
	// ErrFull: the buffer is full; the event was dropped and counted.
	ErrFull = errors.New("emitter's buffer is full")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("emitter is closed")
	// ErrNoAccess: the cluster does not let this application in, or a certificate
	// or password file cannot be used. The error's text says what to mend. Events
	// are tried again as after a fault of the network.
	ErrNoAccess = conn.ErrNoAccess
	// ErrTooLarge: the event exceeds Config.MaxEventBytes. The error is also an
	// [event.Error] with [event.TooLarge].
	ErrTooLarge = errors.New("event is too large")
)

// maxUnsentIDs bounds the ids that an UnsentError names.
const maxUnsentIDs = 100

// UnsentEvent is an event that was given up, as Config.Unsent gets it.
type UnsentEvent struct {
	RequestID event.RequestID
	Value     []byte    // the event as JSON, on one line; "emitter send" publishes a file of such lines
	Time      time.Time // when Emit accepted it
}

// UnsentError says which accepted events were given up. An event whose write ended
// without an answer may be in the topic nevertheless.
type UnsentError struct {
	Count      int               // events in all
	RequestIDs []event.RequestID // the first 100 of them
	Err        error             // of the last one that was tried
}

// Error counts the events and names the first.
func (u *UnsentError) Error() string {
	switch {
	case u.Count == 1 && len(u.RequestIDs) == 1:
		return fmt.Sprintf("1 event not sent, %.100s: %v", u.RequestIDs[0], u.Err)
	case len(u.RequestIDs) == 0:
		return fmt.Sprintf("%d events not sent: %v", u.Count, u.Err)
	}
	return fmt.Sprintf("%d events not sent, the first is %.100s: %v", u.Count, u.RequestIDs[0], u.Err)
}

// Unwrap returns Err.
func (u *UnsentError) Unwrap() error { return u.Err }

// add counts events that were given up.
func (u *UnsentError) add(ms []message, err error) {
	u.Count += len(ms)
	for _, m := range ms[:min(len(ms), maxUnsentIDs-len(u.RequestIDs))] {
		u.RequestIDs = append(u.RequestIDs, m.id)
	}
	// What was wrong before says more than that the time was over.
	if u.Err == nil || !errors.Is(err, errClosing) {
		u.Err = err
	}
}

// report returns the counted events as an error, and starts again from zero.
func (u *UnsentError) report() error {
	if u.Count == 0 {
		return nil
	}
	out := &UnsentError{u.Count, slices.Clone(u.RequestIDs), u.Err}
	*u = UnsentError{}
	return out
}

// explain reduces an error about access to its [conn.AccessError]. Such an error is
// tried again like a fault of the network, because a rotated secret ends it.
func explain(err error) error {
	if access := conn.AccessErrorIn(err); access != nil {
		return access
	}
	return err
}

// describe rewrites an error of a request for an operator: what is wrong with the
// connection, or with the topic, and what to do.
func (c *topicClient) describe(err error) error {
	return c.cluster.Describe(c.cluster.WriteRefusal(c.topic, err))
}

// withMend adds what to do to the error of a broker that cannot be reached.
func withMend(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "dial" && !errors.Is(err, ErrNoAccess) {
		return fmt.Errorf("%w; start Kafka, or set brokers to addresses where it listens", err)
	}
	return err
}

// maybeStale reports whether an error of a write may come from outdated metadata.
func maybeStale(err error) bool {
	var code kafka.Error
	if !errors.As(err, &code) {
		return true // the network: the leader may be gone
	}
	switch code {
	case kafka.UnknownTopicOrPartition, kafka.LeaderNotAvailable, kafka.NotLeaderForPartition, kafka.BrokerNotAvailable,
		kafka.ReplicaNotAvailable, kafka.FencedLeaderEpoch, kafka.UnknownLeaderEpoch, kafka.KafkaStorageError:
		return true
	}
	return false
}

// aboutRecords reports whether the broker rejected a batch for its size or for the
// records in it, and not for the state of the cluster or our permissions, which may
// change.
func aboutRecords(err error) bool {
	for _, code := range []kafka.Error{kafka.MessageSizeTooLarge, kafka.RecordListTooLarge, kafka.InvalidRecord, kafka.InvalidTimestamp} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

// permanent reports whether another attempt cannot help. Only a few answers of a
// broker mean that. All others are about the state of the cluster, the network or our
// permissions: they are temporary, or someone mends them.
func permanent(err error) bool {
	var code kafka.Error
	_ = errors.As(err, &code)
	switch code {
	case kafka.InvalidTopic, kafka.InvalidRequiredAcks, kafka.UnsupportedVersion, kafka.UnsupportedForMessageFormat, kafka.UnsupportedCompressionType:
		return true
	}
	return aboutRecords(err)
}
