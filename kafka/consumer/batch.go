package consumer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/kafka/fetch"
)

// fetchMaxBytes bounds one answer of a broker. It is read from the connection as
// it is used, and never held as a whole.
const fetchMaxBytes = 10 << 20

// fetchReadAhead is how much a connection reads from its socket at once. More does
// not make it faster, and a worker may have a hundred partitions.
const fetchReadAhead = 64 << 10

// unreadFactor is how many times Config.MaxMessageBytes a message may take to be
// put aside with its value: what a few bytes are decompressed to has no end.
const unreadFactor = 4

// errPartitionGone says that a partition which was being read is there no more.
var errPartitionGone = errors.New("the partition is gone")

// behindFor is how long a broker may know less of a partition than others told
// before it is not believed to be the leader: after a change of leader the end
// may lag for a moment.
const behindLimit = 2 * time.Second

// errNoLeader says that a partition was read from a broker that does not lead it.
// One that has lost sight of the others goes on answering that there is nothing
// new.
var errNoLeader = errors.New("the broker knows less of the partition than others do")

// reading is a partition that is being read, by one goroutine.
type reading struct {
	s      *generation
	p      *partition
	in     *intake
	next   int64     // the offset that the next message has if none is missing
	asked  time.Time // when a gap was last asked about
	behind time.Time // since when the broker has known less than others; zero: it does not
}

// dialLeader connects to the broker that has the partition. It asks any one
// first: one that is wrong about the leader must not be asked each time.
func (c *Consumer) dialLeader(ctx context.Context, id int) (*fetch.Conn, error) {
	var failed error
	for _, i := range rand.Perm(len(c.cfg.Brokers)) {
		conn, err := c.fetchDialer.DialLeader(ctx, c.cfg.Brokers[i], c.cfg.Topic, id)
		if err == nil {
			return conn, nil
		}
		failed = errors.Join(failed, err)
	}
	return nil, fmt.Errorf("connect to the leader of %s/%d: %w", c.cfg.Topic, id, failed)
}

// from names the broker that an error came from: an end of the connection says
// nothing of its far side.
func (c *Consumer) from(broker net.Addr, err error) error {
	cfg := c.cfg.Config
	cfg.Brokers = []string{broker.String()}
	return cfg.Describe(err)
}

// batch makes one fetch and takes in its messages.
func (r *reading) batch(ctx context.Context, conn *fetch.Conn) error {
	known := r.p.high.Load()
	if err := conn.Fetch(r.next); err != nil {
		if errors.Is(err, kafka.UnknownTopicOrPartition) {
			return errors.Join(errPartitionGone, err)
		}
		return err
	}
	if err := r.compare(conn.High(), known); err != nil {
		return err
	}
	r.p.raiseHigh(conn.High())
	for {
		switch err := conn.Next(&r.in.msg); {
		case errors.Is(err, io.EOF):
			r.next = conn.Offset()
			return nil
		case err != nil:
			return err
		}
		r.in.unread, r.in.control = conn.Unread(), conn.Control()
		if err := r.message(ctx); err != nil {
			return err
		}
	}
}

// compare compares the end of the partition as its broker told it with the end
// that was known before.
func (r *reading) compare(high, known int64) error {
	switch {
	case high >= known:
		r.behind = time.Time{}
	case r.behind.IsZero():
		r.behind = time.Now()
	case time.Since(r.behind) > behindLimit:
		return fmt.Errorf("%w: it ends at %d, not at %d", errNoLeader, high, known)
	}
	return nil
}

// message takes in the message that was read.
func (r *reading) message(ctx context.Context) error {
	offset := r.in.msg.Offset
	if offset > r.next && time.Since(r.asked) > gapInterval {
		r.asked = time.Now()
		if err := r.s.explainGap(ctx, r.p, offset); err != nil {
			return err
		}
	}
	r.next = offset + 1
	wanted, fault := r.in.inspect()
	if !wanted {
		return nil
	}
	return r.s.begin(ctx, r.p, r.in, fault) // never begun after an error, so it is fetched again
}
