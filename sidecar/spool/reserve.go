package spool

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
)

// reserveFile is room that is kept for SetAside and for damage. A spool that has
// filled its disk could not go on without it: nothing is freed before the oldest
// records are done, and those cannot be done before they are written elsewhere.
const reserveFile = "reserve"

// withReserve does what has to write, and does it again in the room of the
// reserve when there is no other. It is for the goroutine that reads, and Open.
func (s *Spool) withReserve(write func() error) error {
	err := write()
	if !noRoom(err) {
		return err
	}
	s.disk.Lock() // no Append may take the room in between
	defer s.disk.Unlock()
	path := filepath.Join(s.cfg.Dir, reserveFile)
	if info, statErr := os.Stat(path); statErr != nil || info.Size() == 0 {
		return err
	}
	if truncErr := os.Truncate(path, 0); truncErr != nil {
		return errors.Join(err, truncErr)
	}
	s.log.Warn("spool: the disk is full: the room of the reserve is used", "error", err)
	return write()
}

func noRoom(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// restock fills the reserve as soon as there is room, which may be only after the
// next segments are freed.
func (s *Spool) restock() {
	path := filepath.Join(s.cfg.Dir, reserveFile)
	if info, err := os.Stat(path); err == nil && info.Size() == s.cfg.reserve() {
		return
	}
	if err := writeReserve(path, s.cfg.reserve()); err != nil {
		s.log.Warn("spool: no room for the reserve: with a full disk, records that cannot be sent would stop those behind them", "error", err)
	}
}

// writeReserve makes the file, of its full size or empty. Zeros would do on most
// disks; others store them without taking room.
func writeReserve(path string, size int64) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := io.CopyN(f, rand.NewChaCha8([32]byte{}), size); err != nil {
		return errors.Join(err, f.Truncate(0))
	}
	return nil
}
