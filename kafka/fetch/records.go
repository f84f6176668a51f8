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

// MaxHeaders bounds the headers of a message that are read. A header takes at least two
// bytes in a batch, and forty here. A message with more is read without any of them.
const MaxHeaders = 10_000

const (
	// windowBytes is how much of a compressed batch is decompressed at a time. A
	// record that fits is read in place.
	windowBytes = 64 << 10
	growBytes   = 1 << 20 // first allocation for a record that does not fit
	keepBytes   = 1 << 20 // bounds what a buffer keeps between batches
	keepHeaders = 256     // bounds the headers that a message keeps
	beginBytes  = 64      // how much of a record is returned that is too large
)

// Faults of a batch whose checksum is right.
var (
	errLayout   = errors.New("its layout is wrong")
	errNegative = errors.New("a negative length")
)

// records reads the records of a batch one by one.
type records struct {
	batch
	max        int64 // size of the largest record that is read; zero: no bound
	left       int32 // records still to come
	lastOffset int64 // of the last record
	unread     int64 // size of the last record, if it was too large to be read
	headers    int64 // number of its headers, if they were too many to be read

	rest []byte // of the records, when they are not compressed

	codec  io.ReadCloser // nil when they are not compressed
	source bytes.Reader
	window *bufio.Reader
	used   int          // bytes of the window that the last record takes
	large  bytes.Buffer // holds a record that does not fit into the window
}

// reset begins a batch. b must not change until close.
func (r *records) reset(b []byte) error {
	h, err := parseBatch(b)
	if err != nil {
		return err
	}
	r.batch, r.left, r.used = h, h.count, 0
	r.lastOffset = h.base - 1
	r.rest, r.codec = b[headerBytes:], nil
	kind := compress.Compression(h.attributes & codecBits)
	if kind == compress.None {
		return nil
	}
	r.source.Reset(r.rest)
	codec, err := newDecoder(kind, r.rest, &r.source)
	if err != nil {
		return fmt.Errorf("%w: at offset %d: %w", ErrDamaged, h.base, err)
	}
	r.codec = codec
	if r.window == nil {
		r.window = bufio.NewReaderSize(nil, windowBytes)
	}
	r.window.Reset(r.codec)
	return nil
}

// close drops the batch.
func (r *records) close() {
	if r.codec != nil {
		_ = r.codec.Close() // it only returns itself to a pool
		r.codec = nil
		r.window.Reset(nil)
	}
	// Shared buffers must not keep the memory of a large batch alive.
	r.source.Reset(nil)
	r.rest, r.left = nil, 0
	if r.large.Cap() > keepBytes {
		r.large = bytes.Buffer{}
	}
}

// next reads a record into m, except for topic and partition. Key, value and headers
// are valid until the next call. At the end of the batch it returns io.EOF.
func (r *records) next(m *event.Message) error {
	if r.left == 0 {
		return io.EOF
	}
	r.left--
	r.unread, r.headers = 0, 0
	b, err := r.record()
	if err == nil && r.unread > 0 {
		clearMessage(m)
		err = r.parsePlace(&recordParser{b: b}, m)
	} else if err == nil {
		err = r.parse(b, m)
	}
	if err != nil {
		return fmt.Errorf("%w: %d records before the end of the batch at offset %d: %w", ErrDamaged, r.left+1, r.base, noEOF(err))
	}
	return nil
}

// record returns the bytes of the next record without its length. Of a record that
// is too large it returns only the first ones.
func (r *records) record() ([]byte, error) {
	if r.codec == nil {
		n, used := binary.Varint(r.rest)
		if used <= 0 || n < 0 || n > int64(len(r.rest)-used) {
			return nil, io.ErrUnexpectedEOF
		}
		b := r.rest[used:][:n]
		r.rest = r.rest[used:][n:]
		if r.tooLarge(n) {
			return b[:min(n, beginBytes)], nil
		}
		return b, nil
	}
	if _, err := r.window.Discard(r.used); err != nil {
		return nil, err
	}
	r.used = 0
	n, err := binary.ReadVarint(r.window)
	switch {
	case err != nil:
		return nil, err
	case n < 0:
		return nil, errNegative
	case r.tooLarge(n):
		return r.skipLarge(n)
	case n > windowBytes:
		return r.readLarge(n)
	}
	r.used = int(n)
	return r.window.Peek(r.used)
}

func (r *records) tooLarge(n int64) bool {
	if r.max > 0 && n > r.max {
		r.unread = n
	}
	return r.unread > 0
}

// skipLarge reads to the end of a record and returns its beginning.
func (r *records) skipLarge(n int64) ([]byte, error) {
	begin, err := r.readLarge(min(n, beginBytes))
	if err != nil {
		return nil, err
	}
	_, err = io.CopyN(io.Discard, r.window, n-int64(len(begin)))
	return begin, err
}

// readLarge allocates as the bytes arrive: the announced length may be wrong.
func (r *records) readLarge(n int64) ([]byte, error) {
	r.large.Reset()
	r.large.Grow(int(min(n, growBytes)) + bytes.MinRead)
	_, err := io.CopyN(&r.large, r.window, n)
	return r.large.Bytes(), err
}

// parse reads a record.
func (r *records) parse(b []byte, m *event.Message) error {
	p := recordParser{b: b}
	if err := r.parsePlace(&p, m); err != nil {
		return err
	}
	m.Key = p.bytes()
	m.Value = p.bytes()
	n := p.varint()
	switch {
	case p.bad || n < 0 || n > int64(len(p.b)/2): // a header takes at least two bytes
		return errLayout
	case n > MaxHeaders:
		r.headers, m.Headers = n, nil
		return nil
	}
	if cap(m.Headers) > keepHeaders {
		m.Headers = nil
	}
	m.Headers = slices.Grow(m.Headers[:0], int(n))[:n]
	for i := range m.Headers {
		h := &m.Headers[i]
		// h still has the key of the previous record, which mostly had the same
		// headers in the same order.
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

// parsePlace reads the time and offset of a record. The time is when it was
// published, or when the broker stored it if the topic is set to that.
func (r *records) parsePlace(p *recordParser, m *event.Message) error {
	p.skip(1) // attributes: none are defined
	m.Time = time.UnixMilli(r.firstTime + p.varint())
	if r.attributes&logAppendTime != 0 {
		m.Time = time.UnixMilli(r.maxTime)
	}
	m.Offset = r.base + p.varint()
	// An offset out of order would make other records count as read.
	if p.bad || m.Offset <= r.lastOffset || m.Offset > r.last() {
		return errLayout
	}
	r.lastOffset = m.Offset
	return nil
}

// recordParser reads the fields of a record. After the first that is missing, bad
// is set and all others are zero.
type recordParser struct {
	b   []byte
	bad bool
}

func (p *recordParser) skip(n int) { p.take(int64(n)) }

// take returns the next n bytes, without room to append.
func (p *recordParser) take(n int64) []byte {
	if n < 0 || n > int64(len(p.b)) {
		p.b, p.bad = nil, true
		return nil
	}
	out := p.b[:n:n]
	p.b = p.b[n:]
	return out
}

// varint returns an integer in Kafka's encoding: zigzag, as encoding/binary and
// Protocol Buffers have it.
func (p *recordParser) varint() int64 {
	if len(p.b) > 0 && p.b[0] < 0x80 { // most are lengths below 64
		u := p.b[0]
		p.b = p.b[1:]
		return int64(u>>1) ^ -int64(u&1)
	}
	v, n := binary.Varint(p.b)
	if n <= 0 {
		p.b, p.bad = nil, true
		return 0
	}
	p.b = p.b[n:]
	return v
}

// bytes returns a field that follows its length; nil for a length of -1.
func (p *recordParser) bytes() []byte {
	n := p.varint()
	if n == -1 {
		return nil
	}
	return p.take(n)
}
