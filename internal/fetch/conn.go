package fetch

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"

	"github.com/evalworker/evalworker/eval"
)

const (
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
	left    int // bytes of the answer that are not read yet
	batches int // of the answer that were read
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

// Control says whether the message that Next gave is the marker at the end of a
// transaction, and none that anybody published.
func (c *Conn) Control() bool { return c.buf.records.control() }

// Fetch asks for the messages from an offset on and waits for the beginning of
// the answer, which is to be read to its end with Next. An error that the broker
// answers with is a kafka.Error.
func (c *Conn) Fetch(offset int64) error {
	if c.left > 0 || c.within {
		return errors.New("fetch: the answer before is not read to its end")
	}
	if err := c.net.SetDeadline(time.Now().Add(c.d.cfg.MaxWait + c.d.cfg.Timeout)); err != nil {
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
	a.skip(4) // for how long the broker has throttled us
	code := int16(0)
	if c.version >= 7 {
		code = a.int16()
		a.skip(4) // session
	}
	topics := a.int32()
	if code != 0 && topics == 0 {
		return errors.Join(kafka.Error(code), a.end())
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
	if c.version >= 11 {
		a.skip(4) // a better replica
	}
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

// Next reads a message into m, whose topic and partition it leaves. Key, value
// and headers lie in memory that is used again, and are valid until the next
// call. It gives io.EOF at the end of the answer.
func (c *Conn) Next(m *eval.Message) error {
	for {
		if !c.within {
			if err := c.nextBatch(); err != nil {
				return err
			}
		}
		err := c.buf.records.next(m)
		switch {
		case errors.Is(err, io.EOF):
			c.within = false
			c.offset = max(c.offset, c.buf.records.last()+1)
			c.buf.records.close()
			continue
		case err != nil:
			return err
		case m.Offset < c.offset: // an answer begins with a whole batch
			continue
		}
		c.offset = m.Offset + 1
		return nil
	}
}

// nextBatch begins the next batch of the answer. At the end of the answer it
// gives io.EOF and the buffers back.
func (c *Conn) nextBatch() error {
	if c.left == 0 {
		c.release()
		return io.EOF
	}
	if c.buf == nil {
		c.buf = c.d.buffers.Get().(*buffers)
	}
	raw, err := c.readBatch()
	if err != nil {
		return err
	}
	if raw == nil { // the rest of the answer is a part of a batch
		c.release()
		return io.EOF
	}
	if err := c.buf.records.reset(raw); err != nil {
		return err
	}
	c.batches++
	c.within = true
	return nil
}

// release gives the buffers to whoever reads next.
func (c *Conn) release() {
	if c.buf == nil {
		return
	}
	if cap(c.buf.raw) > keepBytes {
		c.buf.raw = nil
	}
	c.d.buffers.Put(c.buf)
	c.buf = nil
}

// readBatch reads a whole batch. It gives nil when there is only the beginning of
// one, with which brokers may fill an answer up to the bytes that were asked for.
func (c *Conn) readBatch() ([]byte, error) {
	if err := c.net.SetReadDeadline(time.Now().Add(c.d.cfg.Timeout)); err != nil {
		return nil, err
	}
	size := -1
	if c.left > magicAt {
		head, err := c.in.Peek(magicAt + 1)
		if err != nil {
			return nil, unexpected(err)
		}
		length := int32(binary.BigEndian.Uint32(head[lengthAt:]))
		base := int64(binary.BigEndian.Uint64(head))
		switch {
		case head[magicAt] < format:
			return nil, fmt.Errorf("at offset %d: %w", base, errOldFormat)
		case length < headerBytes-lengthEnd || length > maxBatch:
			return nil, fmt.Errorf("%w: %d bytes at offset %d", ErrDamaged, length, base)
		}
		size = lengthEnd + int(length)
	}
	if size < 0 || size > c.left {
		if c.batches == 0 {
			return nil, fmt.Errorf("%w: it ends within its first batch", errAnswer)
		}
		_, err := c.in.Discard(c.left)
		c.left = 0
		return nil, unexpected(err)
	}
	c.buf.raw = slices.Grow(c.buf.raw[:0], size)[:size]
	if _, err := io.ReadFull(c.in, c.buf.raw); err != nil {
		return nil, unexpected(err)
	}
	c.left -= size
	return c.buf.raw, nil
}

// unexpected keeps the end of a connection from being taken for that of an answer.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
