package cli

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Open opens a file that a command reads, which may be a pipe: opening one waits for its
// writer, until ctx ends. The size is -1 when it is not known. A folder is an error.
func Open(ctx context.Context, path string) (f *os.File, size int64, err error) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		err = &fs.PathError{Op: "open", Path: path, Err: syscall.EISDIR}
	}
	if err != nil {
		return nil, 0, err
	}
	if info.Mode()&fs.ModeNamedPipe == 0 {
		f, err = os.Open(path)
	} else {
		f, err = openPipe(ctx, path)
	}
	switch {
	case err != nil:
		return nil, 0, err
	case info.Mode().IsRegular():
		return f, info.Size(), nil
	}
	return f, -1, nil
}

func openPipe(ctx context.Context, path string) (f *os.File, err error) {
	opened := make(chan struct{})
	go func() {
		defer close(opened)
		f, err = os.Open(path)
	}()
	select {
	case <-opened:
		return f, err
	case <-ctx.Done():
	}
	// One that may also write ends the wait, and itself waits for nobody.
	if both, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0); err == nil {
		<-opened
		return nil, errors.Join(context.Cause(ctx), f.Close(), both.Close())
	}
	return nil, context.Cause(ctx) // the pipe was removed: the goroutine ends with the process
}

// Interruptible returns a reader whose reads end with ctx, for a pipe or a terminal,
// which may be silent for ever. A read that is in progress then ends with its next data,
// or with the process.
func Interruptible(ctx context.Context, r io.Reader) io.Reader {
	return &interruptible{ctx: ctx, from: r, buf: make([]byte, 64<<10)}
}

type interruptible struct {
	ctx  context.Context //nolint:containedctx // a Read has no parameter for it
	from io.Reader
	buf  []byte // not touched after ctx has ended
	left []byte // what is read and not yet returned, a part of buf
}

func (i *interruptible) Read(p []byte) (int, error) {
	if len(i.left) > 0 {
		n := copy(p, i.left)
		i.left = i.left[n:]
		return n, nil
	}
	if err := context.Cause(i.ctx); err != nil {
		return 0, err
	}
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	go func() {
		n, err := i.from.Read(i.buf)
		done <- result{n, err}
	}()
	select {
	case r := <-done:
		n := copy(p, i.buf[:r.n])
		i.left = i.buf[n:r.n]
		if len(i.left) > 0 {
			return n, nil // an error comes again with the next read
		}
		return n, r.err
	case <-i.ctx.Done():
		return 0, context.Cause(i.ctx)
	}
}
