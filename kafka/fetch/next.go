package fetch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/evalworker/evalworker/event"
)

// Control says whether the message that Next gave is the marker at the end of a
// transaction, and none that anybody published.
func (c *Conn) Control() bool { return c.buf.records.control() }

// Unread gives the bytes of the message that Next gave when they were too many to
// read it, and 0 for any other.
func (c *Conn) Unread() int64 { return c.buf.records.unread }

// Next reads a message into m, whose topic and partition it leaves. Key, value
// and headers lie in memory that is used again, and are valid until the next
// call. It gives io.EOF at the end of the answer, and a message with nothing in it.
func (c *Conn) Next(m *event.Message) error {
	for {
		if !c.within {
			if err := c.nextBatch(); err != nil {
				forget(m)
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
		c.buf.records.max = int64(c.d.cfg.MaxRecord)
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

// forget takes from a message what keeps memory alive that others use now. The
// strings of header keys stay, for the next one.
func forget(m *event.Message) {
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

// readBatch reads a whole batch. It gives nil when there is only the beginning of
// one, with which brokers may fill an answer up to the bytes that were asked for.
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
		if err := c.wait(); err != nil {
			return nil, err
		}
		if _, err := io.ReadFull(c.in, step); err != nil {
			return nil, unexpected(err)
		}
		rest = rest[len(step):]
	}
	c.left -= size
	if !whole {
		return nil, nil
	}
	return c.buf.raw, nil
}

// batchSize gives the bytes of the batch that comes next. They may be more than
// are left of the answer.
func (c *Conn) batchSize() (int, error) {
	if c.left <= magicAt {
		return headerBytes, nil
	}
	if err := c.wait(); err != nil {
		return 0, err
	}
	head, err := c.in.Peek(magicAt + 1)
	if err != nil {
		return 0, unexpected(err)
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

// wait gives the broker its time anew.
func (c *Conn) wait() error { return c.net.SetReadDeadline(time.Now().Add(c.d.cfg.Timeout)) }

// unexpected keeps the end of a connection from being taken for that of an answer.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
