package fetch

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"
)

const (
	// stepBytes is how much has to arrive within Config.Timeout.
	stepBytes = 64 << 10
	// maxMuted bounds how long a broker is believed to be busy with a quota.
	maxMuted = time.Minute
	// headBuffer is what the small parts of an answer are read through. Batches
	// are read past it.
	headBuffer = 4 << 10
	// maxBatch is more than any broker is set to take, and bounds what is
	// allocated at its word.
	maxBatch = 256 << 20
)

// errAnswer says that an answer is none to what was asked.
var errAnswer = errors.New("the broker's answer to a fetch makes no sense")

// buffers are what an answer is read with.
type buffers struct {
	raw     []byte
	records records
}

// Conn fetches one partition. Apart from Close it is for one goroutine.
type Conn struct {
	d         *Dialer
	net       net.Conn
	in        *bufio.Reader
	version   int16
	request   fetchapi.Request
	sent      int32 // requests, which number themselves
	topic     string
	partition int32

	offset  int64 // everything below has been given out or does not exist
	high    int64
	muted   time.Duration // for how long the broker does not answer, because of a quota
	left    int           // bytes of the answer that are not read yet
	batches int           // of the answer that were read
	buf     *buffers
	within  bool // a batch is begun
}

func newConn(d *Dialer, conn net.Conn, version int16, topic string, partition int) *Conn {
	return &Conn{
		d: d, net: conn, in: bufio.NewReaderSize(conn, headBuffer), version: version, topic: topic, partition: int32(partition),
		request: fetchapi.Request{
			ReplicaID: -1, MaxWaitTime: int32(d.cfg.MaxWait.Milliseconds()), MinBytes: 1, MaxBytes: int32(d.cfg.MaxBytes),
			SessionEpoch: -1, // none: each request is whole
			Topics: []fetchapi.RequestTopic{{Topic: topic, Partitions: []fetchapi.RequestPartition{{
				Partition: int32(partition), CurrentLeaderEpoch: -1, LogStartOffset: -1, PartitionMaxBytes: int32(d.cfg.MaxBytes),
			}}}},
		},
	}
}

// Close ends the connection, and with an error what another goroutine does on it.
func (c *Conn) Close() error { return c.net.Close() }

// RemoteAddr gives the broker's address.
func (c *Conn) RemoteAddr() net.Addr { return c.net.RemoteAddr() }

// High gives the offset after the newest message, as of the last answer.
func (c *Conn) High() int64 { return c.high }

// Offset gives where reading goes on: everything below has been given out, or is
// known not to exist.
func (c *Conn) Offset() int64 { return c.offset }

// Fetch asks for the messages from an offset on and waits for the beginning of
// the answer, which is to be read to its end with Next. An error that the broker
// answers with is a kafka.Error.
func (c *Conn) Fetch(offset int64) error {
	if c.left > 0 || c.within {
		return errors.New("fetch: the answer before is not read to its end")
	}
	if err := c.net.SetDeadline(time.Now().Add(c.d.cfg.MaxWait + c.d.cfg.Timeout + c.muted)); err != nil {
		return err
	}
	c.sent++
	c.offset, c.batches = offset, 0
	c.request.Topics[0].Partitions[0].FetchOffset = offset
	if err := protocol.WriteRequest(c.net, c.version, c.sent, c.d.cfg.ClientID, &c.request); err != nil {
		return err
	}
	return c.head()
}

// head reads an answer up to its batches.
func (c *Conn) head() error {
	a := answer{in: c.in, left: 4}
	a.left = int(a.int32())
	number := a.int32()
	c.muted = min(time.Duration(a.int32())*time.Millisecond, maxMuted)
	code := int16(0)
	if c.version >= 7 {
		code = a.int16()
		a.skip(4) // session
	}
	topics := a.int32()
	if topics == 0 && a.err == nil {
		// Nothing but an error, or nothing at all: over its quota a client is
		// answered at once, and then not listened to for a while (KIP-219).
		if code != 0 {
			return errors.Join(kafka.Error(code), a.end())
		}
		return a.end()
	}
	topic := a.string()
	partitions, partition := a.int32(), a.int32()
	code = cmp.Or(a.int16(), code)
	c.high = a.int64()
	a.skip(8) // the last stable offset
	if c.version >= 5 {
		a.skip(8) // the first offset
	}
	a.skip(16 * int(max(a.int32(), 0))) // aborted transactions
	size := int(max(a.int32(), 0))
	switch {
	case a.err != nil:
		return a.err
	case number != c.sent || topics != 1 || partitions != 1 || topic != c.topic || partition != c.partition || size != a.left:
		return fmt.Errorf("%w: number %d for %d, %d topics, %d partitions, %d bytes of %d", errAnswer, number, c.sent, topics, partitions, size, a.left)
	case code != 0:
		return errors.Join(kafka.Error(code), a.end())
	}
	c.left = size
	return nil
}
