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

	"github.com/evalworker/evalworker/event"
)

const (
	stepBytes   = 64 << 10    // of an answer that have to arrive within Config.Timeout
	maxThrottle = time.Minute // bounds how long a quota may silence a broker
	headBuffer  = 4 << 10     // holds the small parts of an answer; batches bypass it
	// maxBatch bounds the memory that is allocated for a size that a broker announces.
	// No broker is configured to accept as much.
	maxBatch = 256 << 20
)

var errAnswer = errors.New("the broker's answer to a fetch makes no sense")

// buffers hold the answer that is being read; connections share them.
type buffers struct {
	raw     []byte
	records records
}

// Conn fetches one partition. All methods but Close are for one goroutine.
type Conn struct {
	d         *Dialer
	net       net.Conn
	in        *bufio.Reader
	version   int16
	request   fetchapi.Request
	sent      int32 // requests so far, which is also the number of the last one
	topic     string
	partition int32

	offset   int64 // everything below has been read or does not exist
	high     int64
	throttle time.Duration // how long the broker will not answer, because of a quota
	left     int           // bytes of the answer still to be read
	batches  int           // read so far from the answer
	buf      *buffers
	inBatch  bool // a batch is being read
}

func newConn(d *Dialer, conn net.Conn, version int16, topic string, partition int) *Conn {
	return &Conn{
		d: d, net: conn, in: bufio.NewReaderSize(conn, headBuffer), version: version, topic: topic, partition: int32(partition), high: UnknownHigh,
		request: fetchapi.Request{
			ReplicaID: -1, MaxWaitTime: int32(d.cfg.MaxWait.Milliseconds()), MinBytes: 1, MaxBytes: int32(d.cfg.MaxBytes),
			SessionEpoch: -1, // no session: each request is complete
			Topics: []fetchapi.RequestTopic{{Topic: topic, Partitions: []fetchapi.RequestPartition{{
				Partition: int32(partition), CurrentLeaderEpoch: -1, LogStartOffset: -1, PartitionMaxBytes: int32(d.cfg.MaxBytes),
			}}}},
		},
	}
}

// Close ends the connection; calls of other goroutines on it fail.
func (c *Conn) Close() error { return c.net.Close() }

// RemoteAddr returns the broker's address.
func (c *Conn) RemoteAddr() net.Addr { return c.net.RemoteAddr() }

// UnknownHigh is the end of a partition that no answer has named yet.
const UnknownHigh = -1

// High returns the offset after the newest message, as of the last answer that named
// it. An answer under a quota does not: it is empty.
func (c *Conn) High() int64 { return c.high }

// Offset returns where reading goes on: everything below has been read, or is known
// not to exist.
func (c *Conn) Offset() int64 { return c.offset }

// Fetch asks for the messages from an offset on and waits for the beginning of the
// answer, which is then read to its end with Next. An error from the broker is a
// kafka.Error.
func (c *Conn) Fetch(offset int64) error {
	if c.left > 0 || c.inBatch {
		return errors.New("fetch: the answer before is not read to its end")
	}
	if err := c.net.SetDeadline(time.Now().Add(c.d.cfg.MaxWait + c.d.cfg.Timeout + c.throttle)); err != nil {
		return err
	}
	c.sent++
	c.offset, c.batches = offset, 0
	c.request.Topics[0].Partitions[0].FetchOffset = offset
	if err := protocol.WriteRequest(c.net, c.version, c.sent, c.d.cfg.ClientID, &c.request); err != nil {
		return err
	}
	return c.readHead()
}

// readHead reads an answer up to its batches.
func (c *Conn) readHead() error {
	a := fieldReader{in: c.in, left: 4}
	a.left = int(a.int32())
	number := a.int32()
	c.throttle = min(time.Duration(a.int32())*time.Millisecond, maxThrottle)
	code := int16(0)
	if c.version >= 7 {
		code = a.int16()
		a.skip(4) // session
	}
	topics := a.int32()
	if topics == 0 && a.err == nil {
		// Only an error, or nothing at all: a client over its quota is answered at
		// once and then ignored for a while (KIP-219).
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

// Control reports whether the message from Next is the marker at the end of a
// transaction, which no application published.
func (c *Conn) Control() bool { return c.buf.records.control() }

// Unread returns the size of the message from Next if it was too large to be read,
// and 0 for any other.
func (c *Conn) Unread() int64 { return c.buf.records.unread }

// UnreadHeaders returns the number of headers of the message from Next if there are more
// than MaxHeaders, of which none is read then, and 0 for any other.
func (c *Conn) UnreadHeaders() int64 { return c.buf.records.headers }

// Next reads a message into m, except for topic and partition. Key, value and
// headers point into memory that is reused, and are valid until the next call. At
// the end of the answer it returns io.EOF, and m is empty.
func (c *Conn) Next(m *event.Message) error {
	for {
		if !c.inBatch {
			if err := c.nextBatch(); err != nil {
				clearMessage(m)
				return err
			}
		}
		err := c.buf.records.next(m)
		switch {
		case errors.Is(err, io.EOF):
			c.inBatch = false
			c.offset = max(c.offset, c.buf.records.last()+1)
			c.buf.records.close()
			continue
		case err != nil:
			return err
		case m.Offset < c.offset: // the first batch may begin before it
			continue
		}
		c.offset = m.Offset + 1
		return nil
	}
}

// nextBatch begins the next batch of the answer. At the end of the answer it
// releases the buffers and returns io.EOF.
func (c *Conn) nextBatch() error {
	if c.left == 0 {
		c.releaseBuffers()
		return io.EOF
	}
	if c.buf == nil {
		c.buf = c.d.buffers.Get().(*buffers)
		c.buf.records.max = int64(c.d.cfg.MaxRecord)
	}
	raw, err := c.readBatch()
	if err != nil {
		return err
	}
	if raw == nil { // the rest of the answer is part of a batch
		c.releaseBuffers()
		return io.EOF
	}
	if err := c.buf.records.reset(raw); err != nil {
		return err
	}
	c.batches++
	c.inBatch = true
	return nil
}

// releaseBuffers returns the buffers to the pool.
func (c *Conn) releaseBuffers() {
	if c.buf == nil {
		return
	}
	if cap(c.buf.raw) > keepBytes {
		c.buf.raw = nil
	}
	c.d.buffers.Put(c.buf)
	c.buf = nil
}

// clearMessage drops the parts of a message that point into shared memory. The
// strings of header keys stay, for the next message.
func clearMessage(m *event.Message) {
	m.Key, m.Value = nil, nil
	if cap(m.Headers) > keepHeaders {
		m.Headers = nil
	}
	m.Headers = m.Headers[:cap(m.Headers)]
	for i := range m.Headers {
		m.Headers[i].Value = nil
	}
	m.Headers = m.Headers[:0]
}

// readBatch reads a whole batch. It returns nil when the answer holds only the
// beginning of one: brokers may cut the last batch off at the requested size.
func (c *Conn) readBatch() ([]byte, error) {
	size, err := c.batchSize()
	if err != nil {
		return nil, err
	}
	whole := size <= c.left
	if !whole && c.batches == 0 {
		return nil, fmt.Errorf("%w: it ends within its first batch", errAnswer)
	}
	size = min(size, c.left)
	c.buf.raw = slices.Grow(c.buf.raw[:0], size)[:size]
	for rest := c.buf.raw; len(rest) > 0; {
		step := rest[:min(len(rest), stepBytes)]
		if err := c.extendDeadline(); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(c.in, step); err != nil {
			return nil, noEOF(err)
		}
		rest = rest[len(step):]
	}
	c.left -= size
	if !whole {
		return nil, nil
	}
	return c.buf.raw, nil
}

// batchSize returns the size of the next batch, which may be more than is left of
// the answer.
func (c *Conn) batchSize() (int, error) {
	if c.left <= magicAt {
		return headerBytes, nil
	}
	if err := c.extendDeadline(); err != nil {
		return 0, err
	}
	head, err := c.in.Peek(magicAt + 1)
	if err != nil {
		return 0, noEOF(err)
	}
	base := int64(binary.BigEndian.Uint64(head))
	length := int32(binary.BigEndian.Uint32(head[lengthAt:]))
	switch {
	case head[magicAt] < format:
		return 0, fmt.Errorf("at offset %d: %w", base, errOldFormat)
	case length < headerBytes-lengthEnd || length > maxBatch:
		return 0, fmt.Errorf("%w: %d bytes at offset %d", ErrDamaged, length, base)
	}
	return lengthEnd + int(length), nil
}

// extendDeadline starts the broker's time for the next piece.
func (c *Conn) extendDeadline() error { return c.net.SetReadDeadline(time.Now().Add(c.d.cfg.Timeout)) }

// noEOF keeps the end of a connection from being mistaken for the end of an answer.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// fieldReader reads the fields at the beginning of an answer. After the first error
// it returns zeros.
type fieldReader struct {
	in      *bufio.Reader
	left    int // bytes of the answer still to be read
	err     error
	scratch [8]byte
}

// consume subtracts n bytes from what is left, and reports whether they can be read.
func (a *fieldReader) consume(n int) bool {
	if a.err == nil && (n < 0 || n > a.left) {
		a.err = errAnswer
	}
	if a.err != nil {
		return false
	}
	a.left -= n
	return true
}

func (a *fieldReader) read(b []byte) []byte {
	if a.consume(len(b)) {
		_, err := io.ReadFull(a.in, b)
		a.err = noEOF(err)
	}
	if a.err != nil {
		clear(b)
	}
	return b
}

func (a *fieldReader) skip(n int) {
	if a.consume(n) {
		_, err := a.in.Discard(n)
		a.err = noEOF(err)
	}
}

func (a *fieldReader) int16() int16 { return int16(binary.BigEndian.Uint16(a.read(a.scratch[:2]))) }
func (a *fieldReader) int32() int32 { return int32(binary.BigEndian.Uint32(a.read(a.scratch[:4]))) }
func (a *fieldReader) int64() int64 { return int64(binary.BigEndian.Uint64(a.read(a.scratch[:8]))) }

func (a *fieldReader) string() string {
	return string(a.read(make([]byte, max(a.int16(), 0))))
}

// end skips the rest of the answer.
func (a *fieldReader) end() error {
	a.skip(a.left)
	return a.err
}
