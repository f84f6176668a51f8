// Package regular opens files that people name: configurations, rubrics, schemas, keys.
// Under such a name may also stand a named pipe, whose opening waits for a writer, a
// device, whose reading may never end, a socket or a folder. These are errors that say so.
package regular

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// errNot is the error of what is not a regular file, by its kind.
type errNot fs.FileMode

func (e errNot) Error() string { return "it is " + e.kind() + ", not a regular file" }

func (e errNot) kind() string {
	switch mode := fs.FileMode(e); {
	case mode&fs.ModeDir != 0:
		return "a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	case mode&fs.ModeSymlink != 0:
		return "a link"
	}
	return "something else"
}

// Check returns an error, without a path, unless a file of this mode is regular.
func Check(mode fs.FileMode) error {
	if mode.IsRegular() {
		return nil
	}
	return errNot(mode.Type())
}

// Open opens a regular file for reading, and follows links. It never waits.
func Open(path string) (*os.File, error) {
	return open(path, os.Stat, os.OpenFile)
}

// OpenIn opens a regular file of a folder for reading, and follows links inside it. It
// never waits.
func OpenIn(root *os.Root, name string) (*os.File, error) {
	return open(name, root.Stat, root.OpenFile)
}

// open looks before it opens, because opening a device may do something and opening a
// socket fails with another error, and again afterwards, because the file may have been
// replaced.
func open(name string, stat func(string) (fs.FileInfo, error), openFile func(string, int, fs.FileMode) (*os.File, error)) (*os.File, error) {
	info, err := stat(name)
	if err != nil {
		return nil, err
	}
	if err := Check(info.Mode()); err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	f, err := openFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = Check(info.Mode())
	}
	if err != nil {
		return nil, errors.Join(&fs.PathError{Op: "open", Path: name, Err: err}, f.Close())
	}
	return f, nil
}

// Read returns the content of a regular file, at most limit bytes of it. It follows links.
func Read(path string, limit int64) ([]byte, error) {
	return readAll(limit)(Open(path))
}

// ReadIn is Read for a file of a folder, out of which no link leads.
func ReadIn(root *os.Root, name string, limit int64) ([]byte, error) {
	return readAll(limit)(OpenIn(root, name))
}

func readAll(limit int64) func(*os.File, error) ([]byte, error) {
	return func(f *os.File, err error) ([]byte, error) {
		if err != nil {
			return nil, err
		}
		defer func() { _ = f.Close() }() // it is only read
		return io.ReadAll(io.LimitReader(f, limit))
	}
}
