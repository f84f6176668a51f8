package deadletter

import (
	"crypto/sha256"
	"fmt"
)

// identity is what two letters share that are of one message.
type identity [sha256.Size]byte

// identify gives the identity of a message that died there. The place alone would
// not do: in a topic that was made anew offsets begin at 0 again, while the letters
// of the old one are still here.
func identify(at Origin, m *message) identity {
	h := sha256.New()
	fmt.Fprintln(h, at.Topic, at.Partition, at.Offset, len(m.headers))
	add := func(b []byte) {
		fmt.Fprintln(h, len(b)) // so that no two lists of fields read alike
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

// maxRecent bounds what a run remembers of the messages that it has sent.
const maxIdentities = 200_000

// recent remembers the last messages, maxRecent at least half of it. A worker that
// dies between the letter and its commit writes the letter again; the two stand
// near each other.
type identitySet struct{ young, old map[identity]struct{} }

func (r *identitySet) add(of identity) {
	if r.young == nil || len(r.young) >= maxIdentities/2 {
		r.young, r.old = make(map[identity]struct{}), r.young
	}
	r.young[of] = struct{}{}
}

func (r *identitySet) has(of identity) bool {
	_, young := r.young[of]
	_, old := r.old[of]
	return young || old
}
