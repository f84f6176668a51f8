package fetch

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/segmentio/kafka-go/compress"

	"github.com/evalworker/evalworker/event"
)

// MaxHeaders bounds the headers of a message. Each takes two bytes in a batch at
// the least, and forty here.
const MaxHeaders = 10_000

const (
	// windowBytes is how much of a compressed batch is decompressed at a time. A
	// record that is no larger is read where it lies.
	windowBytes = 64 << 10
	// keepBytes bounds what a buffer holds between batches.
	keepBytes = 1 << 20
	// keepHeaders bounds the same for the headers of a message.
	keepHeaders = 256
	// beginBytes is how much of a record that is too large is looked at.
	beginBytes = 64
	// growBytes is how far a record that does not fit is believed to reach at a time.
	growBytes = 1 << 20
)

// What is wrong with a batch whose checksum is right.
var (
	errLayout   = errors.New("its layout is wrong")
	errNegative = errors.New("a negative length")
)

// records gives the records of a batch, one after the other.
type records struct {
	batch
	max    int64 // bytes of a record that is read; zero: any
	left   int32 // how many are still to come
	before int64 // offset of the last one
	unread int64 // its bytes, if they were too many to read it

	plain []byte // the rest of the records, when they are not compressed

	codec  io.ReadCloser // nil when they are not
	source bytes.Reader
	window *bufio.Reader
	given  int    // bytes of the window that the last record lies in
	large  []byte // holds a record that the window does not
}

// reset begins a batch, which stays as it is until the next one.
func (r *records) reset(b []byte) error {
	h, err := parseBatch(b)
	if err != nil {
		return err
	}
	r.batch, r.left, r.given = h, h.count, 0
	r.before = h.base - 1
	r.plain, r.codec = b[headerBytes:], nil
	kind := compress.Compression(h.attributes & codecBits)
	if kind == compress.None {
		return nil
	}
	codec := kind.Codec()
	if codec == nil {
		return fmt.Errorf("%w: unknown compression %d at offset %d", ErrDamaged, kind, h.base)
	}
	r.source.Reset(r.plain)
	r.codec = codec.NewReader(&r.source)
	if r.window == nil {
		r.window = bufio.NewReaderSize(nil, windowBytes)
	}
	r.window.Reset(r.codec)
	return nil
}

// close lets go of the batch.
func (r *records) close() {
	if r.codec != nil {
		_ = r.codec.Close() // it only puts itself away
		r.codec = nil
		r.window.Reset(nil)
	}
	// Whoever shares the buffers must not keep those of a large batch alive.
	r.source.Reset(nil)
	r.plain, r.left = nil, 0
	if cap(r.large) > keepBytes {
		r.large = nil
	}
}

// next reads a record into m, whose topic and partition it leaves. Key, value and
// headers are valid until the next call; the strings of header keys stay. It
// gives io.EOF at the end of the batch.
func (r *records) next(m *event.Message) error {
	if r.left == 0 {
		return io.EOF
	}
	r.left--
	r.unread = 0
	b, err := r.record()
	if err == nil && r.unread > 0 {
		err = r.parseBegin(b, m)
	} else if err == nil {
		err = r.parse(b, m)
	}
	if err != nil {
		return fmt.Errorf("%w: %d records before the end of the batch at offset %d: %w", ErrDamaged, r.left+1, r.base, unexpected(err))
	}
	return nil
}

// record gives the bytes of the next record, without its length, or the first of
// one that is too large.
func (r *records) record() ([]byte, error) {
	if r.codec == nil {
		n, used := binary.Varint(r.plain)
		if used <= 0 || n < 0 || n > int64(len(r.plain)-used) {
			return nil, io.ErrUnexpectedEOF
		}
		b := r.plain[used:][:n]
		r.plain = r.plain[used:][n:]
		if r.tooLarge(n) {
			return b[:min(n, beginBytes)], nil
		}
		return b, nil
	}
	if _, err := r.window.Discard(r.given); err != nil {
		return nil, err
	}
	r.given = 0
	n, err := binary.ReadVarint(r.window)
	switch {
	case err != nil:
		return nil, err
	case n < 0:
		return nil, errNegative
	case r.tooLarge(n):
		return r.passOver(n)
	case n > windowBytes:
		return r.readLarge(n)
	}
	r.given = int(n)
	return r.window.Peek(r.given)
}

func (r *records) tooLarge(n int64) bool {
	if r.max > 0 && n > r.max {
		r.unread = n
	}
	return r.unread > 0
}

// passOver reads to the end of a record and gives its beginning.
func (r *records) passOver(n int64) ([]byte, error) {
	r.large = slices.Grow(r.large[:0], beginBytes)[:min(n, beginBytes)]
	if _, err := io.ReadFull(r.window, r.large); err != nil {
		return nil, err
	}
	if _, err := io.CopyN(io.Discard, r.window, n-int64(len(r.large))); err != nil {
		return nil, err
	}
	return r.large, nil
}

// readLarge takes memory as the bytes arrive: a length says nothing yet.
func (r *records) readLarge(n int64) ([]byte, error) {
	r.large = r.large[:0]
	for n > 0 {
		step := int(min(n, growBytes))
		at := len(r.large)
		r.large = slices.Grow(r.large, step)[:at+step]
		if _, err := io.ReadFull(r.window, r.large[at:]); err != nil {
			return nil, err
		}
		n -= int64(step)
	}
	return r.large, nil
}

// parse reads a record.
func (r *records) parse(b []byte, m *event.Message) error {
	p := parser{b: b}
	if err := r.place(&p, m); err != nil {
		return err
	}
	m.Key = p.bytes()
	m.Value = p.bytes()
	n := p.varint()
	switch {
	case p.bad || n < 0 || n > int64(len(p.b)/2): // a header takes two bytes at the least
		return errLayout
	case n > MaxHeaders:
		r.unread = int64(len(b))
		forget(m)
		return nil
	}
	if cap(m.Headers) > keepHeaders {
		m.Headers = nil
	}
	m.Headers = slices.Grow(m.Headers[:0], int(n))[:n]
	for i := range m.Headers {
		h := &m.Headers[i]
		// What was here is the header of the record before, which most often has
		// the same ones in the same order.
		if key := p.take(p.varint()); h.Key != string(key) {
			h.Key = string(key)
		}
		h.Value = p.bytes()
	}
	if p.bad || len(p.b) > 0 {
		return errLayout
	}
	return nil
}

// parseBegin reads no more of a record than where and when it is.
func (r *records) parseBegin(b []byte, m *event.Message) error {
	forget(m)
	return r.place(&parser{b: b}, m)
}

// place reads a record's time and offset.
func (r *records) place(p *parser, m *event.Message) error {
	p.skip(1) // attributes, of which there are none yet
	m.Time = r.time(p.varint())
	m.Offset = r.base + p.varint()
	// An offset out of order would make others pass as read.
	if p.bad || m.Offset <= r.before || m.Offset > r.last() {
		return errLayout
	}
	r.before = m.Offset
	return nil
}

// time gives when a record was published, or when the broker took it where the
// topic is set to that.
func (r *records) time(delta int64) time.Time {
	if r.attributes&logAppendTime != 0 {
		return time.UnixMilli(r.maxTime)
	}
	return time.UnixMilli(r.firstTime + delta)
}
