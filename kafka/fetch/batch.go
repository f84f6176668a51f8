package fetch

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrDamaged means that a batch cannot be read: its checksum or its layout is wrong.
// Another attempt helps when the network damaged it, or when another replica leads.
var ErrDamaged = errors.New("damaged record batch")

var errOldFormat = errors.New("record batch of a format before 2, which Kafka wrote before 0.11 and with an old log.message.format.version; it is not read")

// Places in the header of a record batch of format 2. Base offset, length and magic
// byte are where older formats have them.
const (
	baseAt       = 0
	lengthAt     = 8 // of all that follows it
	lengthEnd    = 12
	magicAt      = 16
	crcAt        = 17
	attributesAt = 21 // the checksum covers everything from here
	lastDeltaAt  = 23
	firstTimeAt  = 27
	maxTimeAt    = 35
	countAt      = 57
	headerBytes  = 61
)

// Bits of a batch's attributes.
const (
	codecBits     = 0x07
	logAppendTime = 1 << 3
	controlBatch  = 1 << 5
)

const format = 2

// batch is the header of a record batch.
type batch struct {
	base       int64
	lastDelta  int32
	attributes int16
	firstTime  int64 // milliseconds since 1970
	maxTime    int64
	count      int32
}

// parseBatch checks a whole batch and reads its header.
func parseBatch(b []byte) (batch, error) {
	if len(b) < headerBytes {
		return batch{}, fmt.Errorf("%w: %d bytes, less than its header has", ErrDamaged, len(b))
	}
	base := int64(binary.BigEndian.Uint64(b[baseAt:]))
	if b[magicAt] != format {
		return batch{}, fmt.Errorf("%w: format %d at offset %d", ErrDamaged, b[magicAt], base)
	}
	sum := crc32.Checksum(b[attributesAt:], crc32.MakeTable(crc32.Castagnoli))
	if want := binary.BigEndian.Uint32(b[crcAt:]); sum != want {
		return batch{}, fmt.Errorf("%w: at offset %d the checksum is %08x, not %08x", ErrDamaged, base, sum, want)
	}
	h := batch{
		base:       base,
		lastDelta:  int32(binary.BigEndian.Uint32(b[lastDeltaAt:])),
		attributes: int16(binary.BigEndian.Uint16(b[attributesAt:])),
		firstTime:  int64(binary.BigEndian.Uint64(b[firstTimeAt:])),
		maxTime:    int64(binary.BigEndian.Uint64(b[maxTimeAt:])),
		count:      int32(binary.BigEndian.Uint32(b[countAt:])),
	}
	// When compaction has removed all records, the batch stays with its range.
	if h.base < 0 || h.lastDelta < 0 || h.count < 0 {
		return batch{}, fmt.Errorf("%w: base offset %d, last offset %d after it, %d records", ErrDamaged, h.base, h.lastDelta, h.count)
	}
	return h, nil
}

// last returns the offset of the batch's last record, even if that was compacted away.
func (h batch) last() int64 { return h.base + int64(h.lastDelta) }

// control reports whether the records are markers of transactions.
func (h batch) control() bool { return h.attributes&controlBatch != 0 }
