package sidecar

import (
	"errors"
	"io"
	"sync"
)

// bodies reads the bodies of requests, and uses the memory of small ones again. It is
// safe for concurrent use.
type bodies struct {
	limit int64     // bytes of a body
	small sync.Pool // of *[]byte with room for smallBody
}

// smallBody is the size up to which the memory of a body is used again. A larger one
// would keep its memory for requests that seldom need as much.
const smallBody = 16 << 10

// firstRoom is where a body begins whose size is not known.
const firstRoom = 4 << 10

// errTooLarge is the error of a body beyond the limit.
var errTooLarge = errors.New("the body is too large")

// read reads a body to its end. size is how long it will be; zero or less: unknown. What
// it holds never exceeds the limit by more than a byte, and while it grows the part that
// is copied: a buffer that only doubles would have room for two bodies.
func (b *bodies) read(in io.Reader, size int64) ([]byte, error) {
	if size <= 0 {
		size = firstRoom
	}
	body := b.room(min(size, b.limit) + 1) // the one more shows that there is no more
	for {
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		switch {
		case int64(len(body)) > b.limit:
			return nil, errTooLarge
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, err
		}
		if len(body) == cap(body) {
			body = append(make([]byte, 0, min(2*int64(cap(body)), b.limit+1)), body...)
		}
	}
}

// room returns an empty slice with room for size bytes, or more if it is small.
func (b *bodies) room(size int64) []byte {
	if size > smallBody {
		return make([]byte, 0, size)
	}
	if kept, ok := b.small.Get().(*[]byte); ok {
		return (*kept)[:0]
	}
	return make([]byte, 0, smallBody)
}

// done takes back the memory of a body that nothing refers to any more.
func (b *bodies) done(body []byte) {
	if cap(body) == smallBody {
		b.small.Put(&body)
	}
}
