// Package spool is a bounded first-in, first-out queue of records on disk. What
// Append has confirmed survives a crash of the process and of the machine, and
// comes out in the order in which it went in.
//
//	s, err := spool.Open(cfg, log)
//	err = s.Append(ctx, records)       // nil: written and synced
//	batch, err := s.Next(ctx, limits)  // the oldest records that are not done
//	err = s.Done(batch)                // never handed out again
//
// # What is guaranteed
//
// Append returns nil only when its records are in a segment that was synced.
// Calls that arrive together share one sync: while one is under way, the next
// group gathers. An Append that returns an error may still have left its records
// behind, so a caller that repeats it can repeat records.
//
// Records are handed out at least once. The position up to which they are done is
// written with each Done and synced once a second: a killed process repeats the
// batch that was out, a power failure also what was done within that second.
//
// # On disk
//
// A folder belongs to one process at a time, which holds a lock on it. Segments
// are files of frames: marker, length, CRC-32C, time, data. The checksum covers
// the number of the segment, so that no frame is mistaken for one of another file.
// Only the process that made a segment appends to it: each Open begins a new one.
// A segment is deleted when all of it is done.
//
// Damage is moved to the folder corrupt, logged and counted, and reading goes on at
// the next whole frame. Open moves there a segment that it cannot read at all, and
// the torn end that a crash leaves, which was most likely never confirmed.
//
// # Bounds
//
// All segments together stay below Config.MaxBytes: beyond it Append returns
// [ErrFull]. On a disk that is full before that only Append fails: what did not fit
// is undone, and the next call tries again. SetAside and damage have space of their
// own, the file reserve, because a spool that cannot write these can free nothing.
// The reserve is filled again when a segment is freed.
//
// # What it does not do
//
// It knows neither events nor Kafka. It has one reader: Next, Done and SetAside
// are for one goroutine.
package spool
