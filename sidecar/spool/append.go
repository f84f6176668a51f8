package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// group is what one Append wants to be written.
type group struct {
	records [][]byte
	size    int64
	at      time.Time
	result  chan error // holds one
}

// Append adds records in their order, all of them or none, and returns when they
// are safe: written and synced. The records must not be changed before that. The
// error is [ErrFull], [ErrClosed], the context's, or the file system's, such as
// ENOSPC; after the last two the records may be in the spool nevertheless: the
// context's takes them back only as long as they wait for the disk.
func (s *Spool) Append(ctx context.Context, records [][]byte) error {
	g := &group{records: records, at: time.Now(), result: make(chan error, 1)}
	for _, r := range records {
		if len(r) > maxData {
			return fmt.Errorf("a record of %d bytes: %w", len(r), ErrFull)
		}
		g.size += int64(frameHeader + len(r))
	}
	if len(records) == 0 {
		return nil
	}
	if err := s.enqueue(g); err != nil {
		return err
	}
	select {
	case err := <-g.result:
		return err
	case <-ctx.Done():
		s.withdraw(g)
		return fmt.Errorf("append to spool: %w", context.Cause(ctx))
	}
}

// withdraw takes back what nobody waits for any more, unless the writer has it.
// Repetitions would pile up otherwise while a disk hangs, and all be written when
// it wakes.
func (s *Spool) withdraw(g *group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.pending, g); i >= 0 {
		s.pending = slices.Delete(s.pending, i, i+1)
		s.used -= g.size
	}
}

func (s *Spool) enqueue(g *group) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	// Room for the header of a segment that may begin with this group.
	if s.used+g.size+int64(segmentHeader) > s.cfg.MaxBytes {
		return ErrFull
	}
	s.used += g.size
	s.pending = append(s.pending, g)
	s.nudge()
	return nil
}

// write is the writer goroutine. It ends when the spool is closed and nothing
// waits.
func (s *Spool) write() {
	for {
		groups, closed := s.takeGroups()
		if len(groups) == 0 {
			if closed {
				s.seal()
				return
			}
			<-s.wake
			continue
		}
		err := s.writeGroups(groups)
		for _, g := range groups {
			g.result <- err
		}
	}
}

// takeGroups takes what waits, up to the bytes that one sync is for.
func (s *Spool) takeGroups() ([]*group, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, size := 0, int64(0)
	for n < len(s.pending) && (n == 0 || size+s.pending[n].size <= groupBytes) {
		size += s.pending[n].size
		n++
	}
	groups := slices.Clone(s.pending[:n])
	s.pending = slices.Delete(s.pending, 0, n)
	return groups, s.closed
}

// writeGroups writes and syncs some Appends. When that fails, nothing of them is
// left in a segment that is read, and the next call begins a new one.
func (s *Spool) writeGroups(groups []*group) error {
	s.disk.Lock()
	defer s.disk.Unlock()
	var size int64
	for _, g := range groups {
		size += g.size
	}
	id, err := s.ready()
	if err == nil {
		s.buf = s.buf[:0]
		for _, g := range groups {
			for _, r := range g.records {
				s.buf = appendFrame(s.buf, id, g.at, r)
			}
		}
		if _, err = s.file.Write(s.buf); err == nil {
			// A sync that failed may not be tried again: the kernel has forgotten by
			// then what it could not write.
			err = s.file.Sync()
		}
		if cap(s.buf) > 2*groupBytes {
			s.buf = nil // one large Append must not keep its memory for good
		}
	}
	if err != nil {
		s.undo(size)
		return fmt.Errorf("write to spool: %w", err)
	}
	s.commit(groups, size)
	return nil
}

// ready gives the segment to write to, a new one when there is none or when the
// last has its size.
func (s *Spool) ready() (uint64, error) {
	if id, size := s.last(); s.file != nil && size < s.cfg.SegmentBytes && s.present() {
		return id, nil
	}
	s.seal()
	id := s.takeID()
	f, err := s.create(s.cfg.Dir, id)
	if err != nil {
		return 0, err
	}
	s.file = f
	s.begin(id)
	return id, nil
}

// present reports whether the file being written still has its name. Without it
// nothing that is written can be read again.
func (s *Spool) present() bool {
	_, err := os.Stat(s.file.Name())
	return err == nil
}

// takeID never gives a number twice: the position in the file of bookmarks may
// be one of a segment that is gone.
func (s *Spool) takeID() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.nextID
	s.nextID++
	return id
}

func (s *Spool) last() (id uint64, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.segments) == 0 {
		return 0, 0
	}
	seg := s.segments[len(s.segments)-1]
	return seg.id, seg.size
}

func (s *Spool) begin(id uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments = append(s.segments, segment{id: id, size: int64(segmentHeader)})
	s.open = true
	s.used += int64(segmentHeader)
}

func (s *Spool) commit(groups []*group, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments[len(s.segments)-1].size += size
	for _, g := range groups {
		s.events += int64(len(g.records))
		s.stats.Appended += int64(len(g.records))
	}
	s.bytes += size
	s.announce()
}

// undo takes back a group that was not written. What the file holds of it is cut
// away, or else is not read before the next Open, which may repeat it. A segment
// that holds nothing else goes: a disk that fails would leave one an attempt.
func (s *Spool) undo(size int64) {
	id, durable := s.last()
	begun := s.file != nil
	if begun {
		if err := os.Truncate(s.file.Name(), durable); err != nil {
			s.log.Error("spool: the rest of a failed write stays in its segment", "error", err)
		}
	}
	s.seal()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= size
	if n := len(s.segments) - 1; begun && n >= 0 && s.segments[n] == (segment{id, int64(segmentHeader)}) {
		s.discard(s.segments[n])
		s.segments = s.segments[:n]
	}
	s.announce()
}

// seal ends the last segment.
func (s *Spool) seal() {
	if s.file == nil {
		return
	}
	if err := s.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		s.log.Error("spool: close segment", "error", err) // it was synced: nothing depends on this
	}
	s.file = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = false
	s.dropFinished()
}

// dropFinished forgets and deletes segments of which all is done. It needs mu,
// also while it deletes: that is rare and quick.
func (s *Spool) dropFinished() {
	for len(s.segments) > 0 {
		seg := s.segments[0]
		if s.head().offset < seg.size {
			return
		}
		if s.open && len(s.segments) == 1 {
			break
		}
		s.discard(seg)
		s.segments = s.segments[1:]
	}
	s.events, s.bytes = 0, 0 // all is done, whatever damage took away
}

// discard deletes the file of a segment that holds nothing any more. It needs mu.
func (s *Spool) discard(seg segment) {
	if err := s.remove(seg.id); err != nil {
		s.log.Error("spool: a segment that is done cannot be deleted", "segment", seg.id, "error", err)
	}
	s.used -= seg.size
	s.freed = true
}

// head gives where the first record that is not done begins. It needs mu, and a
// segment.
func (s *Spool) head() position {
	if first := s.segments[0].id; s.done.segment != first {
		return position{first, int64(segmentHeader)}
	}
	return s.done
}
