package emitter

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/segmentio/kafka-go"
)

// Whatever a broker answers, a partition's messages are written in order and
// without a gap, but for those that it will never take.
func TestAPartitionIsWrittenInOrder(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test that can be repeated
		var ms []message
		poison := map[uint64]bool{}
		for i := range uint64(40) {
			ms = append(ms, message{seq: i, size: 10})
			poison[i] = rng.IntN(10) == 0
		}
		var written, refused []uint64
		p := &Publisher{cfg: Config{BatchEvents: 1 + rng.IntN(20), BatchBytes: 10 + rng.IntN(200)}}
		p.produce = func(_ context.Context, _ int, batch []message) error {
			if rng.IntN(5) == 0 {
				return kafka.NotEnoughReplicas
			}
			if slices.ContainsFunc(batch, func(m message) bool { return poison[m.seq] }) {
				return kafka.InvalidRecord
			}
			for _, m := range batch {
				written = append(written, m.seq)
			}
			return nil
		}
		for left := ms; len(left) > 0; {
			settled, no, err := p.write(t.Context(), 0, left)
			for _, r := range no {
				refused = append(refused, r.seq)
			}
			if (err == nil) != (settled == len(left)) {
				t.Fatalf("seed %d: %d of %d settled with %v", seed, settled, len(left), err)
			}
			left = left[settled:]
		}
		if !slices.IsSorted(written) || len(written)+len(refused) != len(ms) {
			t.Errorf("seed %d: written %v, refused %v", seed, written, refused)
		}
		for _, seq := range refused {
			if !poison[seq] {
				t.Errorf("seed %d: %d was refused for the fault of another", seed, seq)
			}
		}
	}
}
