package replay

import (
	"bytes"

	"github.com/evalworker/evalworker/event"
)

// order makes lines of feedback wait for the lines before them, which are evaluated at
// the same time. That costs nothing but a place among the lines in flight: reports are
// in the order of lines anyway. The zero order has no line yet.
type order struct{ last chan struct{} }

// place is a line's place in an order.
type place struct {
	before   <-chan struct{} // closed once all lines before have ended; nil for the first line
	ended    chan<- struct{}
	feedback bool
}

// next returns the place of the next line.
func (o *order) next(line []byte) place {
	ended := make(chan struct{})
	p := place{before: o.last, ended: ended, feedback: bytes.Contains(line, []byte(event.KindUserFeedback))}
	o.last = ended
	return p
}

// wait waits until all lines before a line of feedback have ended. They do when the
// context of the replay ends, too.
func (p place) wait() {
	if p.feedback && p.before != nil {
		<-p.before
	}
}

// leave says that the line has ended. It returns once all lines before have.
func (p place) leave() {
	if p.before != nil {
		<-p.before
	}
	close(p.ended)
}
