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

	"github.com/evalworker/evalworker/eval"
)

const (
	// windowBytes is how much of a compressed batch is decompressed at a time. A
	// record that is no larger is read where it lies.
	windowBytes = 64 << 10
	// keepBytes bounds what a buffer holds between batches.
	keepBytes = 1 << 20
	// keepHeaders bounds the same for the headers of a message.
	keepHeaders = 256
	// growBytes is how far a record that does not fit is believed to reach at a time.
	growBytes = 1 << 20
)

// records gives the records of a batch, one after the other.
type records struct {
	batch
	left int32 // how many are still to come

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
	}
	r.plain, r.left = nil, 0
	if cap(r.large) > keepBytes {
		r.large = nil
	}
}

// next reads a record into m, whose topic and partition it leaves. Key, value and
// headers are valid until the next call; the strings of header keys stay. It
// gives io.EOF at the end of the batch.
func (r *records) next(m *eval.Message) error {
	if r.left == 0 {
		return io.EOF
	}
	r.left--
	b, err := r.record()
	if err != nil {
		return fmt.Errorf("%w: %d records before the end of the batch at offset %d: %w", ErrDamaged, r.left+1, r.base, err)
	}
	if !r.parse(b, m) {
		return fmt.Errorf("%w: %d records before the end of the batch at offset %d", ErrDamaged, r.left+1, r.base)
	}
	return nil
}

// record gives the bytes of the next record, without its length.
func (r *records) record() ([]byte, error) {
	if r.codec == nil {
		n, used := binary.Varint(r.plain)
		if used <= 0 || n < 0 || n > int64(len(r.plain)-used) {
			return nil, io.ErrUnexpectedEOF
		}
		rest := r.plain[used:]
		r.plain = rest[n:]
		return rest[:n], nil
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
		return nil, errors.New("a record of a negative length")
	case n > windowBytes:
		return r.readLarge(n)
	}
	r.given = int(n)
	b, err := r.window.Peek(r.given)
	return b, err
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

// parse reads a record, and reports whether it is one.
func (r *records) parse(b []byte, m *eval.Message) bool {
	p := parser{b: b}
	p.skip(1) // attributes, of which there are none yet
	m.Time = r.time(p.varint())
	m.Offset = r.base + p.varint()
	m.Key = p.bytes()
	m.Value = p.bytes()
	n := p.varint()
	if p.bad || n < 0 || n > int64(len(p.b)/2) || m.Offset < r.base { // a header takes two bytes at the least
		return false
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
	return !p.bad && len(p.b) == 0
}

// time gives when a record was published, or when the broker took it where the
// topic is set to that.
func (r *records) time(delta int64) time.Time {
	if r.attributes&logAppendTime != 0 {
		return time.UnixMilli(r.maxTime)
	}
	return time.UnixMilli(r.firstTime + delta)
}
