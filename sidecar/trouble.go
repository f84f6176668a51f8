package sidecar

import (
	"errors"
	"fmt"
	"sync"
	"syscall"
	"time"
)

// logEvery is how often a trouble that lasts is logged.
const logEvery = time.Minute

// trouble is something that does not work for a while. The zero value is none.
// It is safe for concurrent use.
type trouble struct {
	mu     sync.Mutex
	began  time.Time // guarded by mu; zero: there is none now
	last   error     // guarded by mu; kept when it is over
	lastAt time.Time // guarded by mu
	logs   rare      // guarded by mu
}

// note notes one failure, and says whether to log it: the first, then one a
// minute.
func (t *trouble) note(err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.lastAt = err, time.Now()
	if t.began.IsZero() {
		t.began, t.logs = t.lastAt, rare{}
	}
	_, ok := t.logs.now()
	return ok
}

// over notes a success; it says since when there was trouble, if there was.
func (t *trouble) over() (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := t.began
	t.began = time.Time{}
	return since, !since.IsZero()
}

// since says since when there is trouble, if there is.
func (t *trouble) since() (time.Time, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.began, !t.began.IsZero()
}

// error gives the last failure and its time, also of a trouble that is over.
func (t *trouble) error() (error, time.Time) { //nolint:staticcheck // what happened, then when: neither is this method's own error
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last, t.lastAt
}

// text is the failure of a trouble that lasts, or "none".
func (t *trouble) text() string {
	if _, is := t.since(); !is {
		return "none"
	}
	err, _ := t.error()
	return err.Error()
}

// rare says when to log something that may happen a thousand times a second: at
// once, and then once a minute, with the number of times in between.
type rare struct {
	mu   sync.Mutex
	next time.Time // guarded by mu
	n    int       // guarded by mu
}

func (r *rare) now() (n int, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	if time.Now().Before(r.next) {
		return 0, false
	}
	n = r.n
	r.n, r.next = 0, time.Now().Add(logEvery)
	return n, true
}

// hanging is a disk that has not answered for some time.
type hanging time.Duration

func (h hanging) Error() string {
	return fmt.Sprint("the disk has not answered for ", time.Duration(h))
}

// cause is what a client may know of a failure of the disk: paths are not its
// business.
func cause(err error) string {
	if h, ok := errors.AsType[hanging](err); ok {
		return h.Error()
	}
	if no, ok := errors.AsType[syscall.Errno](err); ok {
		return no.Error()
	}
	return "the file system reports an error"
}
