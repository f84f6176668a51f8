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
	size    int    // bytes read for it, with its end
	data    []byte // without its end; nil if it is too long
	tooLong bool
}

// byteOrderMark begins some files in UTF-8, mostly from Windows.
const byteOrderMark = "\ufeff"

// readLines calls each for every line of r, with data that belongs to the callee. It
// never holds more than the beginning of a line longer than limit. It ends with the
// input, with an error of reading it, or with an error of each.
func readLines(r io.Reader, limit int, each func(line) error) error {
	// The buffer has room for a line of limit bytes and its ends.
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

// streamLines reads r in a goroutine of its own, because a read of a terminal or a
// pipe cannot be interrupted: when ctx ends, the caller goes on at once, and the
// goroutine ends with its next line, or with the process. The error is set when the
// channel of lines is closed; it is ctx's if that ended before the input.
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
