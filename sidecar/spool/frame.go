package spool

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"time"
)

// A frame is marker, length of the data, checksum, time in milliseconds, data;
// numbers are big-endian. Reading resumes at a marker after damage: its first two
// bytes are never adjacent in UTF-8, and so in no record of text.
const (
	marker      = "\xe7\xe7fr"
	frameHeader = len(marker) + 4 + 4 + 8
	// maxData is more than any record has; a greater length is damage.
	maxData = 1 << 28
)

// checksum is CRC-32C, for which processors have an instruction.
func checksum(segment uint64, frame []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli) // crc32 makes it once
	var id [8]byte
	binary.BigEndian.PutUint64(id[:], segment)
	sum := crc32.Update(0, table, id[:])
	sum = crc32.Update(sum, table, frame[4:8])
	return crc32.Update(sum, table, frame[12:])
}

// appendFrame appends the frame of one record of a segment to b.
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

// parseFrame reads the frame at the beginning of b and reports whether it is whole.
// Its size is also returned when b ends before the frame does; it is zero when b
// begins with something else.
func parseFrame(b []byte, segment uint64) (rec Record, size int, ok bool) {
	if len(b) < frameHeader || string(b[:len(marker)]) != marker {
		return Record{}, 0, false
	}
	length := binary.BigEndian.Uint32(b[4:])
	if length > maxData {
		return Record{}, 0, false
	}
	if size = frameHeader + int(length); len(b) < size {
		return Record{}, size, false
	}
	if checksum(segment, b[:size]) != binary.BigEndian.Uint32(b[8:]) {
		return Record{}, 0, false
	}
	return Record{Accepted: timeOf(b), Data: b[frameHeader:size]}, size, true
}

// nextFrame returns the offset of the first whole frame in b, or len(b).
func nextFrame(b []byte, segment uint64) int {
	for off := 0; ; {
		i := bytes.Index(b[off:], []byte(marker))
		if i < 0 {
			return len(b)
		}
		off += i
		if _, _, ok := parseFrame(b[off:], segment); ok {
			return off
		}
		off++
	}
}

// scanFrames walks over the frames of a segment's bytes. It returns how many there
// are from an offset on, their size, the end of the last one, and whether there is
// damage before that.
func scanFrames(b []byte, segment uint64, from int) (n, size, end int, damaged bool) {
	end = min(from, len(b))
	for off := end; off < len(b); {
		if _, length, ok := parseFrame(b[off:], segment); ok {
			n, size, off = n+1, size+length, off+length
			end = off
			continue
		}
		next := off + nextFrame(b[off:], segment)
		damaged = damaged || next < len(b)
		off = next
	}
	return n, size, end, damaged
}

// timeOf returns the time in a frame's header; zero when b is not one.
func timeOf(header []byte) time.Time {
	if len(header) < frameHeader || string(header[:len(marker)]) != marker {
		return time.Time{}
	}
	return time.UnixMilli(int64(binary.BigEndian.Uint64(header[12:]))) //nolint:gosec // written by appendFrame
}
