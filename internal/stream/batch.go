package stream

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/segmentio/kafka-go"
)

// fetchMaxBytes bounds one answer of a broker. It is read from the connection as
// it is used, and never held as a whole; a batch of it that is compressed is.
const fetchMaxBytes = 10 << 20

// errPartitionGone says that a partition which was being read is there no more.
var errPartitionGone = errors.New("the partition is gone")

// reading is a partition that is being read, by one goroutine. It stands on the
// connection and not on kafka.Reader, which takes a goroutine, a channel and a
// deadline more for every message, and as long as a fetch to be closed.
type reading struct {
	s     *session
	p     *partition
	in    *intake
	next  int64     // the offset that the next message has if none is missing
	asked time.Time // when a gap was last asked about
}

// dialLeader connects to the broker that has the partition, at an offset.
func (c *Consumer) dialLeader(ctx context.Context, id int, offset int64) (*kafka.Conn, error) {
	var failed error
	for _, broker := range c.cfg.Brokers {
		conn, err := c.fetchDialer.DialLeader(ctx, "tcp", broker, c.cfg.Topic, id)
		if err != nil {
			failed = errors.Join(failed, err)
			continue
		}
		// position has just checked that the offset is one of the partition.
		if _, err := conn.Seek(offset, kafka.SeekAbsolute|kafka.SeekDontCheck); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		return conn, nil
	}
	return nil, fmt.Errorf("connect to the leader of %s/%d: %w", c.cfg.Topic, id, failed)
}

// from names the broker that an error came from: an end of the connection says
// nothing of its far side.
func (c *Consumer) from(conn *kafka.Conn, err error) error {
	cfg := c.cfg.Config
	cfg.Brokers = []string{conn.RemoteAddr().String()}
	return cfg.Describe(err)
}

// batch makes one fetch and takes in its messages.
func (r *reading) batch(ctx context.Context, conn *kafka.Conn) error {
	if err := r.extend(conn); err != nil {
		return err
	}
	b := conn.ReadBatchWith(kafka.ReadBatchConfig{
		MinBytes: 1, // more would hold every message back by MaxWait
		MaxBytes: fetchMaxBytes,
		MaxWait:  r.s.c.cfg.FetchMaxWait,
	})
	r.p.sawHigh(b.HighWaterMark())
	err := r.messages(ctx, conn, b)
	closed := b.Close()
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, kafka.RequestTimedOut): // at its end
		return nil
	case errors.Is(err, kafka.UnknownTopicOrPartition):
		return errors.Join(errPartitionGone, err)
	}
	if closed != nil && !errors.Is(err, closed) { // it is told the same
		err = errors.Join(err, closed)
	}
	return err
}

// messages takes in the messages of a batch. It returns with an error always,
// io.EOF at the end.
func (r *reading) messages(ctx context.Context, conn *kafka.Conn, b *kafka.Batch) error {
	for {
		m, err := b.ReadMessage()
		if err != nil {
			return err
		}
		if m.Offset > r.next && time.Since(r.asked) > gapInterval {
			r.asked = time.Now()
			if err := r.s.explainGap(ctx, r.p, m.Offset); err != nil {
				return err
			}
		}
		r.next = m.Offset + 1
		wanted, fault := r.in.inspect(&m)
		if !wanted {
			continue
		}
		if err := r.s.begin(ctx, r.p, r.in, fault); err != nil {
			return err // never begun, so it is fetched again
		}
		// It may have waited for room, which is not the broker's fault.
		if err := r.extend(conn); err != nil {
			return err
		}
	}
}

// extend gives the broker its time anew.
func (r *reading) extend(conn *kafka.Conn) error {
	return conn.SetReadDeadline(time.Now().Add(r.s.c.cfg.FetchMaxWait + requestTimeout))
}
