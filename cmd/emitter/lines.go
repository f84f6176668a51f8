package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
)

// line is one line of a file.
type line struct {
	number  int    // counted from 1
	size    int    // bytes read for it, its end included
	data    []byte // without its end; nil when it is too long
	tooLong bool
}

// byteOrderMark may stand at the beginning of a file in UTF-8, above all on Windows.
const byteOrderMark = "\ufeff"

// readLines calls each for every line of r, with data that belongs to the
// callee. Of a line longer than limit only the beginning is ever held. It ends
// with the input, with an error of reading it, or with one of each.
func readLines(r io.Reader, limit int, each func(line) error) error {
	// More bytes for the ends of a line.
	br := bufio.NewReaderSize(r, len(byteOrderMark)+limit+len("\r\n"))
	for n := 1; ; n++ {
		l := line{number: n}
		chunk, err := br.ReadSlice('\n')
		l.size = len(chunk)
		l.data = bytes.TrimSuffix(bytes.TrimSuffix(chunk, []byte("\n")), []byte("\r"))
		if n == 1 {
			l.data = bytes.TrimPrefix(l.data, []byte(byteOrderMark))
		}
		l.tooLong = len(l.data) > limit || errors.Is(err, bufio.ErrBufferFull)
		if l.tooLong {
			l.data = nil
		} else {
			l.data = bytes.Clone(l.data)
		}
		for errors.Is(err, bufio.ErrBufferFull) {
			chunk, err = br.ReadSlice('\n')
			l.size += len(chunk)
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if l.size > 0 {
			if err := each(l); err != nil {
				return err
			}
		}
		if err != nil {
			return nil
		}
	}
}

// lines reads r in a goroutine of its own, because a read of a terminal or a
// pipe cannot be interrupted: when ctx ends, the caller goes on at once, and the
// goroutine ends with its next line, or with the process. The error is there as
// soon as the channel of lines is closed, and is ctx's when that ended before the
// input did.
func streamLines(ctx context.Context, r io.Reader, limit int) (<-chan line, *error) {
	out, failed := make(chan line), new(error)
	go func() {
		defer close(out)
		*failed = readLines(r, limit, func(l line) error {
			select {
			case out <- l:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
	}()
	return out, failed
}
