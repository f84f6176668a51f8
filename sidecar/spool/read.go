package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// Record is one record of the spool.
type Record struct {
	Accepted time.Time // when Append was called, to the millisecond
	Data     []byte
}

// Limits bound a batch: it has at least one record, and no more than fit.
type Limits struct {
	Records int
	Bytes   int
}

// Batch is the oldest records that are not done.
type Batch struct {
	Records []Record
	// More reports whether there were records behind these that did not fit.
	More bool

	end  position
	size int64
}

// Next waits for records and returns the oldest that are not done, in order; the
// same ones again until Done. The error is [ErrClosed], the context's, or the file
// system's. In the last case an operator may move the segment that cannot be read
// away, and Next continues with the one behind it.
func (s *Spool) Next(ctx context.Context, limits Limits) (*Batch, error) {
	for {
		head, limit, last, changed, closed := s.readableRange()
		switch {
		case closed:
			return nil, ErrClosed
		case head.offset < limit:
			b, err := s.read(head, limit, limits)
			if err != nil {
				return nil, fmt.Errorf("read spool: %w", err)
			}
			if b != nil {
				b.More = !last || b.end.offset < limit
				return b, nil
			}
			continue // damage was skipped
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// readableRange returns where reading goes on, up to where the segment is durable, and
// whether it is the last one.
func (s *Spool) readableRange() (head position, limit int64, last bool, changed <-chan struct{}, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) > 0 {
		head, limit = s.head(), s.segments[0].size
	}
	return head, limit, len(s.segments) <= 1, s.changed, s.closed
}

// read reads a batch that begins at head. It returns nil when there was damage at
// head, which it has moved aside.
func (s *Spool) read(head position, limit int64, limits Limits) (*Batch, error) {
	window := int64(limits.Bytes + frameHeader)
	for {
		to := min(limit, head.offset+window)
		raw, err := s.readAt(head.segment, head.offset, to)
		if errors.Is(err, fs.ErrNotExist) {
			s.log.Error("spool: a segment is gone, and its records with it", "segment", head.segment)
			return nil, s.skip(head, limit, nil)
		}
		if err != nil {
			return nil, err
		}
		b, need := s.parse(head, raw, limits)
		if b != nil {
			return b, nil
		}
		if need > to-head.offset && head.offset+need <= limit {
			window = need // the first frame is larger than the limits
			continue
		}
		rest, err := s.readAt(head.segment, head.offset, limit)
		if err != nil {
			return nil, err
		}
		n := nextFrame(rest, head.segment)
		end := head.offset + int64(n)
		if n == len(rest) {
			end = limit // the file may have become shorter
		}
		return nil, s.skip(head, end, rest[:n])
	}
}

// parse takes whole frames from the front of raw. When there is none, need is how
// many bytes the first one has, or zero when it is damaged.
func (s *Spool) parse(head position, raw []byte, limits Limits) (b *Batch, need int64) {
	b = &Batch{end: head}
	for off := 0; off < len(raw) && len(b.Records) < max(1, limits.Records); {
		rec, size, ok := parseFrame(raw[off:], head.segment)
		if !ok || (len(b.Records) > 0 && off+size > limits.Bytes+frameHeader) {
			need = int64(size)
			break
		}
		b.Records = append(b.Records, rec)
		off += size
		b.size += int64(size)
		b.end.offset += int64(size)
	}
	if len(b.Records) == 0 {
		return nil, need
	}
	return b, 0
}

// skip moves damaged bytes aside and continues behind them.
func (s *Spool) skip(head position, end int64, damaged []byte) error {
	name, err := s.keepDamaged(head, damaged)
	if err != nil {
		return err
	}
	s.log.Error("spool: a damaged part of a segment was moved aside",
		"segment", head.segment, "offset", head.offset, "bytes", end-head.offset, "file", name)
	if s.advance(position{head.segment, end}, 0, 0) {
		s.restock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.CorruptParts++
	s.stats.CorruptBytes += end - head.offset
	return nil
}

// Done marks a batch as done: it is not handed out again, not even by the next
// process. An error means that the position could not be written: this process
// goes on, but the next one would repeat.
func (s *Spool) Done(b *Batch) error {
	freed := s.advance(b.end, int64(len(b.Records)), b.size)
	err := s.mark.set(b.end)
	if freed {
		s.restock()
	}
	if err != nil {
		return fmt.Errorf("write the spool's position: %w", err)
	}
	return nil
}

// advance moves on to a position, and reports whether a segment was deleted since the
// last call.
func (s *Spool) advance(to position, records, size int64) (freed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = to
	s.stats.Events = max(0, s.stats.Events-records)
	s.stats.Bytes = max(0, s.stats.Bytes-size)
	s.dropFinished()
	s.announce()
	freed, s.freed = s.freed, false
	return freed
}
