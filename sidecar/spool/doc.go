// Package spool is a bounded first-in, first-out queue of records on disk. What
// Append has answered for survives a crash of the process and of the machine,
// and comes out in the order in which it went in.
//
//	s, err := spool.Open(cfg, log)
//	err = s.Append(ctx, records)       // nil: written and synced
//	batch, err := s.Next(ctx, limits)  // the oldest records that are not done
//	err = s.Done(batch)                // never handed out again
//
// # What is guaranteed
//
// Append returns nil only when its records are in a segment that was synced.
// Calls that arrive together share one sync: while one is on its way, the next
// group gathers. An Append that returns an error may have left its records
// behind all the same, so that whoever repeats it can repeat records.
//
// Records are handed out at least once. The position up to which they are done
// is written with each Done and synced once a second: a killed process repeats
// the batch that was out, a machine without power also what was done within that
// second.
//
// # On disk
//
// A folder belongs to one process at a time, which holds a lock on it. Segments
// are files of frames: marker, length, CRC-32C, time, data. The checksum covers
// the number of the segment, so that no frame is taken for one of another file.
// A segment is only ever appended to by the process that made it; each Open
// begins a new one, and a segment is deleted when all of it is done.
//
// Damage is moved to the folder corrupt, reported and counted, and reading goes
// on at the next frame that is whole. Open moves a segment there that it cannot
// read at all; and a tail that a crash tore off, which is counted by itself,
// since most likely nobody was told that it is safe.
//
// # Bounds
//
// All segments together stay below Config.MaxBytes: beyond it Append answers
// [ErrFull]. A disk that is full before that makes Append fail and nothing else:
// the group that did not fit is undone, and the next one is tried anew.
// SetAside and damage have room of their own, the file reserve, because a spool
// that could not write these would hand out and free nothing more. It is filled
// again when a segment has been freed.
//
// # What it is not
//
// It knows neither events nor Kafka. It has one reader: Next and Done are for
// one goroutine.
package spool
