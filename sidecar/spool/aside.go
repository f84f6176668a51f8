package spool

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
)

const (
	damagedDir = "corrupt"
	asideFile  = "rejected.ndjson"
	// reserveFile reserves disk space for these two. Without it, a spool that has filled
	// its disk could not go on: nothing is freed before the oldest records are done, and
	// records that cannot be delivered are done only when they are written elsewhere.
	reserveFile = "reserve"
)

// keepDamaged writes bytes that are not frames into a file of their own, if they
// fit into Config.AsideBytes, and returns its name.
func (s *Spool) keepDamaged(at position, b []byte) (string, error) {
	dir := filepath.Join(s.cfg.Dir, damagedDir)
	kept, err := dirSize(dir)
	if err != nil || len(b) == 0 || kept+int64(len(b)) > s.cfg.AsideBytes {
		return "", err
	}
	name := filepath.Join(dir, fmt.Sprintf("%020d-%d.bin", at.segment, at.offset))
	return name, s.withReserve(func() error {
		if err := makeDamaged(dir); err != nil {
			return err
		}
		if err := s.writeFile(name, b); err != nil {
			return errors.Join(err, os.Remove(name))
		}
		return syncDir(dir)
	})
}

// writeFile creates a file and syncs it, because the original is then deleted.
func (s *Spool) writeFile(name string, b []byte) error {
	f, err := s.openAside(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// moveDamaged moves away a whole segment that cannot be read: the segments behind
// it are worth more than another attempt. It needs no disk space.
func (s *Spool) moveDamaged(seg segment, why error) error {
	dir := filepath.Join(s.cfg.Dir, damagedDir)
	if err := s.withReserve(func() error { return makeDamaged(dir) }); err != nil {
		return errors.Join(why, err)
	}
	name := filepath.Join(dir, segmentName(seg.id))
	if err := os.Rename(filepath.Join(s.cfg.Dir, segmentName(seg.id)), name); err != nil {
		return errors.Join(why, err)
	}
	s.log.Error("spool: a segment cannot be read and was moved aside", "segment", seg.id, "bytes", seg.size, "file", name, "error", why)
	s.stats.CorruptParts++
	s.stats.CorruptBytes += seg.size
	return nil
}

// makeDamaged makes the folder for damaged parts.
func makeDamaged(dir string) error {
	if err := checkDamaged(dir); err != nil {
		return err
	}
	return makeDir(dir)
}

func dirSize(dir string) (int64, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	var sum int64
	for _, e := range entries {
		if info, err := e.Info(); err == nil {
			sum += info.Size()
		}
	}
	return sum, err
}

// SetAside appends records that can never be delivered to the file
// rejected.ndjson of the folder, one per line, and syncs it. The records must not
// contain line ends. It is for the goroutine that reads. With [ErrFull] only the
// first n were written: the file has its full size, until it is moved away. After
// any other error all must be passed again.
func (s *Spool) SetAside(records [][]byte) (n int, err error) {
	err = s.withReserve(func() (err error) {
		n, err = s.setAside(records)
		return err
	})
	if err != nil {
		return n, fmt.Errorf("set records aside: %w", err)
	}
	return n, nil
}

func (s *Spool) setAside(records [][]byte) (n int, err error) {
	f, err := s.openAside(filepath.Join(s.cfg.Dir, asideFile), os.O_RDWR|os.O_CREATE|os.O_APPEND)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	var text []byte
	if endsMidLine(f, info.Size()) {
		text = append(text, '\n')
	}
	for ; n < len(records); n++ {
		if info.Size()+int64(len(text)+len(records[n])+1) > s.cfg.AsideBytes {
			err = fmt.Errorf("%s: %w", asideFile, ErrFull)
			break
		}
		text = append(append(text, records[n]...), '\n')
	}
	if n == 0 {
		return 0, err
	}
	if _, err := f.Write(text); err != nil {
		return 0, errors.Join(err, f.Truncate(info.Size()))
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	if info.Size() == 0 { // the file may be new
		if err := syncDir(s.cfg.Dir); err != nil {
			return 0, err
		}
	}
	return n, err
}

// endsMidLine reports whether a file of that size ends within a line.
func endsMidLine(f *os.File, size int64) bool {
	var end [1]byte
	_, err := f.ReadAt(end[:], size-1) // fails for an empty file
	return err == nil && end[0] != '\n'
}

// withReserve calls write. When the disk is full, it frees the reserve and calls write
// once more. It is for the goroutine that reads, and for Open.
func (s *Spool) withReserve(write func() error) error {
	err := write()
	if !errors.Is(err, syscall.ENOSPC) && !errors.Is(err, syscall.EDQUOT) {
		return err
	}
	s.disk.Lock() // no Append may use the space in between
	defer s.disk.Unlock()
	path := filepath.Join(s.cfg.Dir, reserveFile)
	if info, statErr := os.Lstat(path); statErr != nil || info.Size() == 0 {
		return err
	}
	if truncErr := truncateOwn(path, 0); truncErr != nil {
		return errors.Join(err, truncErr)
	}
	s.log.Warn("spool: the disk is full: the room of the reserve is used", "error", err)
	return write()
}

// restock fills the reserve, if there is space for it. If not, there may be when the
// next segment is freed.
func (s *Spool) restock() {
	path := filepath.Join(s.cfg.Dir, reserveFile)
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() && info.Size() == s.cfg.reserve() {
		return
	}
	if err := writeReserve(path, s.cfg.reserve()); err != nil {
		s.log.Warn("spool: the reserve cannot be filled: with a full disk, records that cannot be sent would stop those behind them", "error", err)
	}
}

// writeReserve creates the file, of its full size or empty. Its content is random,
// because some file systems use no space for zeros.
func writeReserve(path string, size int64) (err error) {
	f, err := openOwn(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{}), size); err != nil {
		return errors.Join(err, f.Truncate(0))
	}
	return nil
}
