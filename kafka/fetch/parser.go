package fetch

import "encoding/binary"

// parser takes a record apart. After something that is not there it gives
// nothing more, and bad is set.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) skip(n int) { p.take(int64(n)) }

// take gives the next n bytes, without room to append.
func (p *parser) take(n int64) []byte {
	if n < 0 || n > int64(len(p.b)) {
		p.b, p.bad = nil, true
		return nil
	}
	out := p.b[:n:n]
	p.b = p.b[n:]
	return out
}

// varint gives an integer in Kafka's encoding, which is that of encoding/binary
// and of Protocol Buffers (zigzag).
func (p *parser) varint() int64 {
	if len(p.b) > 0 && p.b[0] < 0x80 { // most are lengths below 64
		u := p.b[0]
		p.b = p.b[1:]
		return int64(u>>1) ^ -int64(u&1)
	}
	v, n := binary.Varint(p.b)
	if n <= 0 {
		p.b, p.bad = nil, true
		return 0
	}
	p.b = p.b[n:]
	return v
}

// bytes gives what has its length before it; nil for a length of -1.
func (p *parser) bytes() []byte {
	n := p.varint()
	if n == -1 {
		return nil
	}
	return p.take(n)
}
