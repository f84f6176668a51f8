package emitter

import (
	"math"
	"sync"
)

// pace is how much a [Publisher] sends at a time. A line that does not carry a whole
// batch within WriteTimeout would never carry any of it, because each attempt starts
// over.
type pace struct {
	mu    sync.Mutex
	limit int // guarded by mu; bytes
}

func newPace() *pace { return &pace{limit: math.MaxInt} }

// next gives how many of some messages to send now, and their size: at least one.
func (p *pace) next(ms []message) (n, size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n < len(ms) && (n == 0 || size+ms[n].size <= p.limit) {
		size += ms[n].size
		n++
	}
	return n, size
}

// slower is told of a size that was too much.
func (p *pace) slower(size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = size / 2
}

// faster is told of a size of which twice as much may be sent.
func (p *pace) faster(size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit = max(p.limit, 2*size)
}
