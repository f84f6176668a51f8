package deadletter

import (
	"crypto/sha256"
	"fmt"
)

// identity is equal for two letters of the same message.
type identity [sha256.Size]byte

// identify returns the identity of a message that died at a place. The place alone is
// not enough: a topic that was made again begins at offset 0, while the letters of the
// old one are still here.
func identify(at Origin, m *message) identity {
	h := sha256.New()
	fmt.Fprintln(h, at.Topic, at.Partition, at.Offset, len(m.headers))
	add := func(b []byte) {
		fmt.Fprintln(h, len(b)) // so that different lists of fields cannot collide
		h.Write(b)
	}
	add(m.key)
	add(m.value)
	for _, header := range m.headers {
		add([]byte(header.Key))
		add(header.Value)
	}
	return identity(h.Sum(nil))
}

// maxIdentities bounds the sent messages that a run remembers.
const maxIdentities = 200_000

// identitySet holds the identities added last: at least maxIdentities/2. That is
// enough because duplicates are close to each other: a worker that dies between the
// letter and its commit writes the letter again.
type identitySet struct{ young, old map[identity]struct{} }

func (s *identitySet) add(id identity) {
	if s.young == nil || len(s.young) >= maxIdentities/2 {
		s.young, s.old = make(map[identity]struct{}), s.young
	}
	s.young[id] = struct{}{}
}

func (s *identitySet) has(id identity) bool {
	_, young := s.young[id]
	_, old := s.old[id]
	return young || old
}
