package spool

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A frame is marker, length of the data, checksum, time in milliseconds, data;
// numbers are big-endian. The marker is where reading resumes after damage: its
// first two bytes never stand together in UTF-8, hence in no record of text.
const (
	marker      = "\xe7\xe7fr"
	frameHeader = len(marker) + 4 + 4 + 8
	// maxData is above any record; a length beyond it is damage.
	maxData = 1 << 28
)

// castagnoli has an instruction of its own on today's processors.
func checksum(segment uint64, frame []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli) // made once, inside crc32
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], segment)
	sum := crc32.Update(0, table, id[:])
	sum = crc32.Update(sum, table, frame[4:8])
	return crc32.Update(sum, table, frame[12:])
}

// appendFrame adds the frame of one record of a segment to b.
func appendFrame(b []byte, segment uint64, at time.Time, data []byte) []byte {
	start := len(b)
	b = append(b, marker...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(data))) //nolint:gosec // Append has checked it
	b = binary.BigEndian.AppendUint32(b, 0)
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixMilli())) //nolint:gosec // restored by the same conversion
	b = append(b, data...)
	binary.BigEndian.PutUint32(b[start+8:], checksum(segment, b[start:]))
	return b
}

// state is what the beginning of some bytes turned out to be.
type state int

const (
	bad   state = iota // no frame
	short              // the beginning of a frame that needs more bytes
	whole
)

// parseFrame reads the frame at the beginning of b. The size is that of the
// whole frame; with short it is how many bytes there have to be to tell more.
func parseFrame(b []byte, segment uint64) (rec Record, size int, st state) {
	if len(b) < frameHeader {
		if n := min(len(b), len(marker)); string(b[:n]) != marker[:n] {
			return Record{}, 0, bad
		}
		return Record{}, frameHeader, short
	}
	if string(b[:len(marker)]) != marker {
		return Record{}, 0, bad
	}
	length := binary.BigEndian.Uint32(b[4:])
	if length > maxData {
		return Record{}, 0, bad
	}
	size = frameHeader + int(length)
	if len(b) < size {
		return Record{}, size, short
	}
	if checksum(segment, b[:size]) != binary.BigEndian.Uint32(b[8:]) {
		return Record{}, 0, bad
	}
	at := time.UnixMilli(int64(binary.BigEndian.Uint64(b[12:]))) //nolint:gosec // written by the same conversion
	return Record{Accepted: at, Data: b[frameHeader:size]}, size, whole
}

// resume gives the offset of the first whole frame in b, or len(b).
func resume(b []byte, segment uint64) int {
	for off := 0; ; {
		i := bytes.Index(b[off:], []byte(marker))
		if i < 0 {
			return len(b)
		}
		off += i
		if _, _, st := parseFrame(b[off:], segment); st == whole {
			return off
		}
		off++
	}
}

// survey walks over the frames of a segment's bytes: how many there are from an
// offset on, with how many bytes, the end of the last, and whether there is
// damage before that.
func survey(b []byte, segment uint64, from int) (n, size, end int, damaged bool) {
	end = min(from, len(b))
	for off := end; off < len(b); {
		if _, length, st := parseFrame(b[off:], segment); st == whole {
			n, size, off = n+1, size+length, off+length
			end = off
			continue
		}
		next := off + resume(b[off:], segment)
		damaged = damaged || next < len(b)
		off = next
	}
	return n, size, end, damaged
}

// timeOf gives the time in a frame's header; zero when b is none.
func timeOf(header []byte) time.Time {
	if len(header) < frameHeader || string(header[:len(marker)]) != marker {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(header[12:]))) //nolint:gosec // written by appendFrame
}
