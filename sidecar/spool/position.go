package spool

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"time"
)

// position is a place in the spool: everything before it is done.
type position struct {
	segment uint64
	offset  int64
}

const (
	positionFile = "position"
	slotBytes    = 512 // a sector: one slot is never torn by writing the other
	slotUsed     = 8 + 8 + 8 + 4
	syncEvery    = time.Second
)

// bookmark keeps the position in a file of two slots that are written in turn, so
// that one of them is always whole. The file never grows, so it can be written on a
// full disk.
type bookmark struct {
	file   *os.File
	turn   uint64 // number of the last write
	synced time.Time
}

// openBookmark opens the file and returns the position in it, or the zero one.
func openBookmark(path string) (*bookmark, position, error) {
	f, err := openOwn(path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, position{}, err
	}
	b := &bookmark{file: f}
	raw := make([]byte, 2*slotBytes)
	if _, err = f.ReadAt(raw, 0); err == nil || errors.Is(err, io.EOF) {
		_, err = f.WriteAt(raw, 0) // the file gets its full size while there may be room
	}
	if err != nil {
		return nil, position{}, errors.Join(err, f.Close())
	}
	var pos position
	for _, slot := range [][]byte{raw[:slotBytes], raw[slotBytes:]} {
		if turn, p, ok := decodeSlot(slot); ok && turn > b.turn {
			b.turn, pos = turn, p
		}
	}
	return b, pos, nil
}

func encodeSlot(turn uint64, p position) []byte {
	b := make([]byte, 0, slotUsed)
	b = binary.BigEndian.AppendUint64(b, turn)
	b = binary.BigEndian.AppendUint64(b, p.segment)
	b = binary.BigEndian.AppendUint64(b, uint64(p.offset)) //nolint:gosec // never negative
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
}

func decodeSlot(b []byte) (turn uint64, p position, ok bool) {
	if crc32.Checksum(b[:slotUsed-4], crc32.MakeTable(crc32.Castagnoli)) != binary.BigEndian.Uint32(b[slotUsed-4:]) {
		return 0, position{}, false
	}
	p = position{binary.BigEndian.Uint64(b[8:]), int64(binary.BigEndian.Uint64(b[16:]))} //nolint:gosec // written by encodeSlot
	return binary.BigEndian.Uint64(b), p, p.offset >= 0
}

// set writes a position. It syncs at most once a second: a power failure repeats a
// second's batches, which a reader has to tolerate anyway.
func (b *bookmark) set(p position) error {
	b.turn++
	if _, err := b.file.WriteAt(encodeSlot(b.turn, p), int64(b.turn%2)*slotBytes); err != nil {
		return err
	}
	if time.Since(b.synced) < syncEvery {
		return nil
	}
	b.synced = time.Now()
	return b.file.Sync()
}

func (b *bookmark) close() error { return errors.Join(b.file.Sync(), b.file.Close()) }
