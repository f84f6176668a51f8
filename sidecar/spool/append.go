package spool

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"time"
)

// group is the records of one Append.
type group struct {
	records [][]byte
	size    int64
	at      time.Time
	result  chan error // holds one
}

// Append adds records in their order, all of them or none, and returns when they
// are safe: written and synced. The records must not be changed before that. The
// error is [ErrFull], [ErrClosed], the context's, or the file system's, such as
// ENOSPC. After the last two the records may still be in the spool: when the context
// ends they are taken back only while they wait for the disk.
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

func (s *Spool) enqueue(g *group) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ErrClosed
	}
	// A segment, with its header, may begin with this group.
	if s.stats.DiskBytes+g.size+int64(segmentHeader) > s.cfg.MaxBytes {
		return ErrFull
	}
	s.stats.DiskBytes += g.size
	s.pending = append(s.pending, g)
	s.wakeWriter()
	return nil
}

// withdraw takes a group back, unless the writer has it. Otherwise repeated
// requests would pile up while a disk hangs, and all be written when it recovers.
func (s *Spool) withdraw(g *group) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.pending, g); i >= 0 {
		s.pending = slices.Delete(s.pending, i, i+1)
		s.stats.DiskBytes -= g.size
	}
}

// runWriter is the writer goroutine. It ends when the spool is closed and no group
// waits.
func (s *Spool) runWriter() {
	for {
		runtime.Gosched() // whoever is ready to append does so first, and shares the sync
		groups, size, closed := s.takeGroups()
		if len(groups) == 0 {
			if closed {
				s.seal()
				return
			}
			<-s.wake
			continue
		}
		err := s.writeGroups(groups, size)
		for _, g := range groups {
			g.result <- err
		}
	}
}

// takeGroups removes the groups of the next sync from the queue.
func (s *Spool) takeGroups() (groups []*group, size int64, closed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for n < len(s.pending) && (n == 0 || size+s.pending[n].size <= groupBytes) {
		size += s.pending[n].size
		n++
	}
	groups = slices.Clone(s.pending[:n])
	s.pending = slices.Delete(s.pending, 0, n)
	return groups, size, s.closed
}

// writeGroups writes and syncs groups. When that fails, none of their records are
// left in a segment that is read, and the next call begins a new segment.
func (s *Spool) writeGroups(groups []*group, size int64) error {
	s.disk.Lock()
	defer s.disk.Unlock()
	id, err := s.openSegment()
	if err == nil {
		s.buf = s.buf[:0]
		for _, g := range groups {
			for _, r := range g.records {
				s.buf = appendFrame(s.buf, id, g.at, r)
			}
		}
		if _, err = s.file.Write(s.buf); err == nil {
			// A sync that failed must not be tried again: by then the kernel has
			// dropped the data that it could not write.
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

func (s *Spool) commit(groups []*group, size int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.current.size += size
	s.segments[len(s.segments)-1] = s.current
	for _, g := range groups {
		s.stats.Events += int64(len(g.records))
		s.stats.Appended += int64(len(g.records))
	}
	s.stats.Bytes += size
	s.stats.Syncs++
	s.announce()
}

// undo takes back groups that were not written. It truncates their part of the file;
// if that fails, the part is not read before the next Open, which may repeat it. A
// segment that holds nothing else is deleted, because otherwise a failing disk would
// leave one for each attempt.
func (s *Spool) undo(size int64) {
	begun := s.file != nil
	if begun {
		if err := truncateOwn(s.file.Name(), s.current.size); err != nil {
			s.log.Error("spool: the rest of a failed write stays in its segment", "error", err)
		}
	}
	s.seal()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.DiskBytes -= size
	if n := len(s.segments) - 1; begun && n >= 0 && s.segments[n] == s.current && s.current.size == int64(segmentHeader) {
		s.discard(s.current)
		s.segments = s.segments[:n]
	}
	s.announce()
}
