package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	segmentMagic  = "evspool1"
	segmentHeader = len(segmentMagic) + 8 // and the segment's number
	segmentSuffix = ".seg"
)

// segment is one file of frames.
type segment struct {
	id   uint64
	size int64 // of what is durable, header included
}

func segmentName(id uint64) string { return fmt.Sprintf("%020d%s", id, segmentSuffix) }

// createSegment makes the file of a new segment with its header. The folder is
// synced, without which the file itself might not survive.
func createSegment(dir string, id uint64) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, segmentName(id)), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(binary.BigEndian.AppendUint64([]byte(segmentMagic), id))
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// makeDir makes a folder with those above it, and syncs each one's entry: without
// it the folder itself might not survive, whatever is synced in it.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent == dir {
		return nil
	}
	if err := makeDir(parent); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncDir(parent)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// listSegments gives the segments of a folder in order, with the sizes of their
// files.
func listSegments(dir string) ([]segment, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []segment
	for _, e := range entries {
		digits, ok := strings.CutSuffix(e.Name(), segmentSuffix)
		id, err := strconv.ParseUint(digits, 10, 64)
		if !ok || err != nil || segmentName(id) != e.Name() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		out = append(out, segment{id: id, size: info.Size()})
	}
	slices.SortFunc(out, func(a, b segment) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	return out, nil
}

// readAt reads bytes [from, to) of a segment; fewer when the file ends before.
func (s *Spool) readAt(id uint64, from, to int64) (b []byte, err error) {
	f, err := os.Open(filepath.Join(s.cfg.Dir, segmentName(id)))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b = make([]byte, to-from)
	n, err := f.ReadAt(b, from)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return b[:n], err
}

// remove deletes a segment's file; one that is gone is no fault.
func (s *Spool) remove(id uint64) error {
	err := os.Remove(filepath.Join(s.cfg.Dir, segmentName(id)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
