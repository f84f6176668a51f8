package fetch

import (
	"bufio"
	"encoding/binary"
	"io"
)

// answer reads the fields at the beginning of an answer. After an error, which
// stays, it gives zeros.
type answer struct {
	in      *bufio.Reader
	left    int // bytes of it
	err     error
	scratch [8]byte
}

// fits reports whether there are n more bytes, and that nothing went wrong yet.
func (a *answer) fits(n int) bool {
	if a.err == nil && (n < 0 || n > a.left) {
		a.err = errAnswer
	}
	if a.err != nil {
		return false
	}
	a.left -= n
	return true
}

func (a *answer) read(b []byte) []byte {
	if a.fits(len(b)) {
		_, err := io.ReadFull(a.in, b)
		a.err = unexpected(err)
	}
	if a.err != nil {
		clear(b)
	}
	return b
}

func (a *answer) skip(n int) {
	if a.fits(n) {
		_, err := a.in.Discard(n)
		a.err = unexpected(err)
	}
}

func (a *answer) int16() int16 { return int16(binary.BigEndian.Uint16(a.read(a.scratch[:2]))) }
func (a *answer) int32() int32 { return int32(binary.BigEndian.Uint32(a.read(a.scratch[:4]))) }
func (a *answer) int64() int64 { return int64(binary.BigEndian.Uint64(a.read(a.scratch[:8]))) }

func (a *answer) string() string {
	return string(a.read(make([]byte, max(a.int16(), 0))))
}

// end passes over what is left.
func (a *answer) end() error {
	a.skip(a.left)
	return a.err
}
