package spool

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

const (
	damagedDir = "corrupt"
	asideFile  = "rejected.ndjson"
)

// keepDamaged writes bytes that are no frames into a file of their own, as long
// as there is room for such, and gives its name.
func (s *Spool) keepDamaged(at position, b []byte) (string, error) {
	dir := filepath.Join(s.cfg.Dir, damagedDir)
	kept, err := sizeOf(dir)
	if err != nil || len(b) == 0 || kept+int64(len(b)) > s.cfg.AsideBytes {
		return "", err
	}
	name := filepath.Join(dir, fmt.Sprintf("%020d-%d.bin", at.segment, at.offset))
	return name, s.withReserve(func() error {
		if err := makeDir(dir); err != nil {
			return err
		}
		if err := writeFile(name, b); err != nil {
			return errors.Join(err, os.Remove(name))
		}
		return syncDir(dir)
	})
}

// writeFile makes a file and syncs it: what is in it is deleted elsewhere then.
func writeFile(name string, b []byte) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// moveDamaged moves a whole segment that cannot be read away, which takes no
// room: what is behind it is worth more than another try.
func (s *Spool) moveDamaged(seg segment, why error) error {
	dir := filepath.Join(s.cfg.Dir, damagedDir)
	if err := s.withReserve(func() error { return makeDir(dir) }); err != nil {
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

func sizeOf(dir string) (int64, error) {
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
// rejected.ndjson of the folder, a line each, and syncs it. The records must
// have no line ends in them. It is for the goroutine that reads. With [ErrFull]
// only the first n were written: the file has its size, until somebody moves it
// away. After any other error all have to be handed over again.
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
	f, err := os.OpenFile(filepath.Join(s.cfg.Dir, asideFile), os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	var text []byte
	if torn(f, info.Size()) {
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

// torn reports whether a file of that size ends within a line.
func torn(f *os.File, size int64) bool {
	if size == 0 {
		return false
	}
	var end [1]byte
	_, err := f.ReadAt(end[:], size-1)
	return err == nil && end[0] != '\n'
}
