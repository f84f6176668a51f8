package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/fetch"
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

// reading is a partition that is being read, by one goroutine.
type reading struct {
	s     *session
	p     *partition
	in    *intake
	next  int64     // the offset that the next message has if none is missing
	asked time.Time // when a gap was last asked about
}

// dialLeader connects to the broker that has the partition.
func (c *Consumer) dialLeader(ctx context.Context, id int) (*fetch.Conn, error) {
	var failed error
	for _, broker := range c.cfg.Brokers {
		conn, err := c.fetchDialer.DialLeader(ctx, broker, c.cfg.Topic, id)
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
	if err := conn.Fetch(r.next); err != nil {
		if errors.Is(err, kafka.UnknownTopicOrPartition) {
			return errors.Join(errPartitionGone, err)
		}
		return err
	}
	r.p.sawHigh(conn.High())
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
