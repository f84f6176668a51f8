package spool

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// Errors of the spool. Match them with errors.Is.
var (
	// ErrFull: the records would exceed Config.MaxBytes, and none was accepted.
	ErrFull = errors.New("spool is full")
	// ErrClosed: Close was called.
	ErrClosed = errors.New("spool is closed")
	// ErrLocked: another process holds the folder.
	ErrLocked = errors.New("spool folder is in use by another process")
)

// Config says where a spool is and how large it may become. A zero field means its
// default.
type Config struct {
	// Dir is the folder; Open creates it when it is missing. Required.
	Dir string
	// LockWait is how long Open waits for another process to release the folder, such
	// as one that was killed and has not ended yet; default: not at all.
	LockWait time.Duration
	// MaxBytes bounds all segments together; default 1 GiB.
	MaxBytes int64
	// SegmentBytes is the size at which a new segment begins; default 8 MiB, or an
	// eighth of MaxBytes when that is less.
	SegmentBytes int64
	// AsideBytes bounds each of the two places for data that cannot be delivered, which
	// are damaged parts of segments and records that were set aside; default 64 MiB.
	// Beyond it they are only counted.
	AsideBytes int64
}

// MinBytes is the least that Config.MaxBytes may be.
const MinBytes = 64 << 10

// groupBytes bounds the records that share a sync; a single Append may have more.
const groupBytes = 4 << 20

// reserve is the size of the reserve: enough for a batch that is rejected as a
// whole, or for one large record.
func (c Config) reserve() int64 { return min(4<<20, c.MaxBytes/4) }

func (c Config) withDefaults() Config {
	c.MaxBytes = cmp.Or(c.MaxBytes, 1<<30)
	c.SegmentBytes = cmp.Or(c.SegmentBytes, min(8<<20, c.MaxBytes/8))
	c.AsideBytes = cmp.Or(c.AsideBytes, 64<<20)
	return c
}

// Validate returns every fault of the configuration, after defaults.
func (c Config) Validate() fault.List {
	c = c.withDefaults()
	var faults fault.List
	if c.Dir == "" {
		faults.Add("dir", "no folder", "want a folder on a disk that survives restarts")
	}
	if c.MaxBytes < MinBytes {
		faults.Add("max_bytes", fmt.Sprintf("%d is too small", c.MaxBytes), fmt.Sprintf("want at least %d, or zero for 1 GiB", MinBytes))
	} else if c.SegmentBytes < 1 || c.SegmentBytes > c.MaxBytes/4 {
		faults.Add("segment_bytes", fmt.Sprintf("%d is out of range", c.SegmentBytes), "want at most a quarter of max_bytes: a segment is freed only as a whole")
	}
	if c.AsideBytes < 0 {
		faults.Add("aside_bytes", fmt.Sprintf("%d is below zero", c.AsideBytes), "want a number of bytes")
	}
	return faults
}
