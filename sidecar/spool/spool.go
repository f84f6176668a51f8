package spool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/evalworker/evalworker/internal/base/regular"
)

// Spool is an open spool. Append, Stats and Drained are safe for concurrent use.
type Spool struct {
	cfg  Config
	log  *slog.Logger
	lock *flock.Flock
	mark *bookmark // reader only, and Close

	create    func(dir string, id uint64) (*os.File, error)
	openAside func(path string, flag int) (*os.File, error) // opens what is written beside segments

	disk   sync.Mutex // held while segments are written or the reserve is used; locked before mu
	writer sync.WaitGroup
	file   *os.File // writer goroutine only; of the last segment; nil: the next group begins one
	buf    []byte   // writer goroutine only; the groups being written

	current segment // writer goroutine only; the segment of file
	nextID  uint64  // writer goroutine only, after Open; of the segment that begins next

	mu       sync.Mutex
	segments []segment     // guarded by mu; in order, not wholly done
	open     bool          // guarded by mu; the last segment may grow
	freed    bool          // guarded by mu; a segment was deleted since restock
	done     position      // guarded by mu; everything before it is done
	pending  []*group      // guarded by mu; waiting for the writer
	stats    Stats         // guarded by mu; without Oldest, MaxBytes and Segments
	closed   bool          // guarded by mu
	wake     chan struct{} // wakes the writer; holds one
	changed  chan struct{} // guarded by mu; closed and replaced when records are added or done
}

// lockFile is the file whose lock says that the folder is in use.
const lockFile = "lock"

// Stats is the state of a spool at one moment.
type Stats struct {
	Events    int64     `json:"events"`     // records that are safe and not done
	Bytes     int64     `json:"bytes"`      // of those records, with their frames
	DiskBytes int64     `json:"disk_bytes"` // of all segments and waiting Appends; what MaxBytes bounds
	MaxBytes  int64     `json:"max_bytes"`  // the bound
	Segments  int       `json:"segments"`   // files
	Oldest    time.Time `json:"-"`          // when the oldest record that is not done was accepted; zero when there is none

	// Since Open.
	Appended     int64 `json:"-"`             // records made safe, also after their Append gave up
	Syncs        int64 `json:"syncs"`         // of segments; appended records that came together share one
	CorruptParts int64 `json:"corrupt_parts"` // damaged parts of segments
	CorruptBytes int64 `json:"corrupt_bytes"` // of those
	TornBytes    int64 `json:"torn_bytes"`    // that Open moved aside from the end of the last segment
}

// Open opens the spool of a folder, or creates one, and starts the writer goroutine,
// which Close ends. It reads every segment once. The error is faults of the
// configuration, [ErrLocked], or the file system's.
func Open(cfg Config, log *slog.Logger) (*Spool, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("configure spool: %w", err)
	}
	cfg = cfg.withDefaults()
	if dir, err := filepath.Abs(cfg.Dir); err == nil { // who reads of a fault does not know the working directory
		cfg.Dir = dir
	}
	if err := errors.Join(makeDir(cfg.Dir), checkFolder(cfg.Dir, log)); err != nil {
		return nil, fmt.Errorf("open spool: %w", err)
	}
	s := &Spool{
		cfg: cfg, log: log, create: createSegment, openAside: openOwn,
		lock: flock.New(filepath.Join(cfg.Dir, lockFile), flock.SetPermissions(0o600)),
		wake: make(chan struct{}, 1), changed: make(chan struct{}),
	}
	if err := s.takeLock(); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		err = errors.Join(fmt.Errorf("open spool %s: %w", cfg.Dir, err), s.lock.Unlock())
		if s.mark != nil {
			err = errors.Join(err, s.mark.close())
		}
		return nil, err
	}
	s.restock()
	s.writer.Go(s.runWriter)
	return s, nil
}

// takeLock locks the folder.
func (s *Spool) takeLock() error {
	ok, err := s.lock.TryLock()
	if err == nil && !ok && s.cfg.LockWait > 0 {
		ctx, cancel := context.WithTimeout(context.Background(), s.cfg.LockWait)
		defer cancel()
		if ok, err = s.lock.TryLockContext(ctx, 50*time.Millisecond); errors.Is(err, context.DeadlineExceeded) {
			err = nil
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("lock spool: %w", err)
	case !ok:
		return fmt.Errorf("%w%s: %s", ErrLocked, s.holder(), s.cfg.Dir)
	}
	// For people only: the lock works without it, also on a full disk.
	if f, err := openOwn(s.lock.Path(), os.O_WRONLY|os.O_TRUNC); err == nil {
		_, _ = f.WriteString(strconv.Itoa(os.Getpid()))
		_ = f.Close()
	}
	return nil
}

// holder names the process that has the lock, if its file does.
func (s *Spool) holder() string {
	raw, _ := regular.Read(s.lock.Path(), 20) // when it fails, there is no number in raw
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return ""
	}
	return fmt.Sprintf(" (process %d)", pid)
}

// load loads the segments and the position that earlier processes left.
func (s *Spool) load() error {
	all, err := listSegments(s.cfg.Dir)
	if err != nil {
		return err
	}
	s.mark, s.done, err = openBookmark(filepath.Join(s.cfg.Dir, positionFile))
	if err != nil {
		return err
	}
	s.nextID = max(1, s.done.segment+1)
	for i, seg := range all {
		s.nextID = max(s.nextID, seg.id+1)
		if err := s.loadSegment(seg, i == len(all)-1); err != nil {
			return err
		}
	}
	if len(s.segments) > 0 && s.segments[0].id != s.done.segment {
		s.done = position{s.segments[0].id, int64(segmentHeader)}
	}
	return nil
}

// loadSegment counts the records of a segment that are not done, and deletes the
// segment when there are none.
func (s *Spool) loadSegment(seg segment, last bool) error {
	if seg.id < s.done.segment {
		return s.remove(seg.id)
	}
	raw, err := s.readAt(seg.id, 0, seg.size)
	if errors.Is(err, fs.ErrPermission) {
		return err // only an operator can mend it
	}
	if err != nil {
		return s.moveDamaged(seg, err)
	}
	from := segmentHeader
	if seg.id == s.done.segment {
		from = max(from, int(s.done.offset))
	}
	n, size, end, damaged := scanFrames(raw, seg.id, from)
	if last && end < len(raw) && s.cutTail(position{seg.id, int64(end)}, raw[end:]) {
		raw = raw[:end]
	}
	// The reader deals with damage when it comes to it.
	if n == 0 && !damaged && end == len(raw) {
		return s.remove(seg.id)
	}
	s.segments = append(s.segments, segment{id: seg.id, size: int64(len(raw))})
	s.stats.DiskBytes += int64(len(raw))
	s.stats.Events += int64(n)
	s.stats.Bytes += int64(size)
	return nil
}

// cutTail truncates the torn end that a crash left of the last segment, and reports
// whether it did. The end may also be a confirmed record that was damaged later, so it
// is moved aside first; if that fails, it is left to the reader.
func (s *Spool) cutTail(at position, tail []byte) bool {
	name, err := s.keepDamaged(at, tail)
	if err == nil {
		err = truncateOwn(filepath.Join(s.cfg.Dir, segmentName(at.segment)), at.offset)
	}
	if err != nil {
		s.log.Error("spool: the torn end of the last segment stays where it is", "segment", at.segment, "bytes", len(tail), "error", err)
		return false
	}
	s.stats.TornBytes += int64(len(tail))
	s.log.Warn("spool: the torn end of the last segment was moved aside", "segment", at.segment, "bytes", len(tail), "file", name)
	return true
}

// Close writes the Appends that wait, makes further ones return [ErrClosed], and
// releases the folder. Records that are not done stay in it.
func (s *Spool) Close() error {
	if !s.markClosed() {
		return nil
	}
	s.writer.Wait()
	err := s.mark.close()
	_ = truncateOwn(s.lock.Path(), 0) // while no other process can have it; for people only
	if err = errors.Join(err, s.lock.Unlock()); err != nil {
		return fmt.Errorf("close spool: %w", err)
	}
	return nil
}

// markClosed marks the spool closed, and reports whether it was open.
func (s *Spool) markClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	s.closed = true
	s.announce()
	s.wakeWriter()
	return true
}

func (s *Spool) wakeWriter() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// announce wakes Next and Drained. The caller holds mu.
func (s *Spool) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Drained waits until every record that is safe is done.
func (s *Spool) Drained(ctx context.Context) error {
	for {
		left, changed := s.remaining()
		if left == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w; records left in the spool: %d", context.Cause(ctx), left)
		}
	}
}

func (s *Spool) remaining() (int64, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.Events, s.changed
}

// Stats returns the present state.
func (s *Spool) Stats() Stats {
	st, head := s.statsAndHead()
	if st.Events > 0 {
		if b, err := s.readAt(head.segment, head.offset, head.offset+int64(frameHeader)); err == nil {
			st.Oldest = timeOf(b)
		}
	}
	return st
}

func (s *Spool) statsAndHead() (Stats, position) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.stats
	st.MaxBytes, st.Segments = s.cfg.MaxBytes, len(s.segments)
	if len(s.segments) == 0 {
		return st, position{}
	}
	return st, s.head()
}
