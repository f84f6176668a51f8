package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

const (
	segmentMagic  = "evspool1"
	segmentHeader = len(segmentMagic) + 8 // and the segment's number
	segmentSuffix = ".seg"
)

// segment is one file of frames.
type segment struct {
	id   uint64
	size int64 // of what is durable, header included
}

func segmentName(id uint64) string { return fmt.Sprintf("%020d%s", id, segmentSuffix) }

// createSegment creates the file of a new segment with its header, and syncs the
// folder: without that the file itself might not survive.
func createSegment(dir string, id uint64) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, segmentName(id)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) // follows no link
	if err != nil {
		return nil, err
	}
	_, err = f.Write(binary.BigEndian.AppendUint64([]byte(segmentMagic), id))
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// makeDir creates a folder with its parents and syncs each one's entry: without
// that the folder might not survive, even if its files are synced.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent == dir {
		return nil
	}
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// listSegments returns the segments of a folder with the sizes of their files, in
// order: their names have the same length, so names sort like numbers.
func listSegments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []segment
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		id, err := strconv.ParseUint(digits, 10, 64)
		if !ok || err != nil || segmentName(id) != e.Name() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		out = append(out, segment{id: id, size: info.Size()})
	}
	return out, nil
}

// readAt reads bytes [from, to) of a segment; fewer when the file ends before.
func (s *Spool) readAt(id uint64, from, to int64) (b []byte, err error) {
	f, err := openOwn(filepath.Join(s.cfg.Dir, segmentName(id)), os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b = make([]byte, to-from)
	n, err := f.ReadAt(b, from)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:n], err
}

// remove deletes a segment's file, if it is still there.
func (s *Spool) remove(id uint64) error {
	err := os.Remove(filepath.Join(s.cfg.Dir, segmentName(id)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// openSegment returns the segment to write to. It begins a new one when there is none,
// when the last one is full, or when the file of the last one is gone from the folder:
// nothing that is written to such a file can be read again.
func (s *Spool) openSegment() (uint64, error) {
	if s.file != nil && s.current.size < s.cfg.SegmentBytes {
		if _, err := os.Stat(s.file.Name()); err == nil {
			return s.current.id, nil
		}
	}
	s.seal()
	// No number is used twice, not even after a failure: the position on disk may be
	// in a segment that is gone.
	next := segment{id: s.nextID, size: int64(segmentHeader)}
	s.nextID++
	f, err := s.create(s.cfg.Dir, next.id)
	if err != nil {
		return 0, err
	}
	s.file, s.current = f, next
	s.mu.Lock()
	defer s.mu.Unlock()
	s.segments = append(s.segments, next)
	s.open = true
	s.stats.DiskBytes += next.size
	return next.id, nil
}

// seal closes the segment that is being written.
func (s *Spool) seal() {
	if s.file == nil {
		return
	}
	if err := s.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		s.log.Error("spool: the file of a segment cannot be closed; nothing is lost", "error", err) // it was synced: nothing depends on this
	}
	s.file = nil
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = false
	s.dropFinished()
}

// dropFinished forgets and deletes the segments that are wholly done. The caller holds
// mu, also during the deletion, which is rare and quick.
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
	s.stats.Events, s.stats.Bytes = 0, 0 // all is done, whatever damage took away
}

// discard deletes a segment's file and frees its bytes. The caller holds mu.
func (s *Spool) discard(seg segment) {
	if err := s.remove(seg.id); err != nil {
		s.log.Error("spool: a segment that is done cannot be deleted", "segment", seg.id, "error", err)
	}
	s.stats.DiskBytes -= seg.size
	s.freed = true
}

// head returns where the first record that is not done begins. There is a segment, and
// the caller holds mu.
func (s *Spool) head() position {
	if first := s.segments[0].id; s.done.segment != first {
		return position{first, int64(segmentHeader)}
	}
	return s.done
}
