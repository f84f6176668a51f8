package emitter

import (
	"math"
	"sync"
)

// pace is how much a [Publisher] sends at a time. A line that does not carry a whole
// batch within WriteTimeout would never carry any of it, because each attempt starts
// over.
type sendLimit struct {
	mu    sync.Mutex
	bytes int // guarded by mu; bytes
}

func newSendLimit() *sendLimit { return &sendLimit{bytes: math.MaxInt} }

// next gives how many of some messages to send now, and their size: at least one.
func (p *sendLimit) next(ms []message) (n, size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n < len(ms) && (n == 0 || size+ms[n].size <= p.bytes) {
		size += ms[n].size
		n++
	}
	return n, size
}

// slower is told of a size that was too much.
func (p *sendLimit) halve(size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes = size / 2
}

// faster is told of a size of which twice as much may be sent.
func (p *sendLimit) double(size int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes = max(p.bytes, 2*size)
}
