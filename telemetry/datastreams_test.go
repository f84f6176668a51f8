package telemetry

import (
	"encoding/base64"
	"encoding/binary"
	"testing"
	"time"
)

// TestPathwaysAreBounded: a producer that makes up a pathway for each message costs no
// memory, and those that are known already, and later ones, are taken all the same.
func TestPathwaysAreBounded(t *testing.T) {
	t.Parallel()
	header := func(hash uint64, start byte) string {
		return base64.StdEncoding.EncodeToString(append(binary.LittleEndian.AppendUint64(nil, hash), start, 2))
	}
	d, now := &DataStream{}, time.UnixMilli(0)
	taken := 0
	for i := range uint64(5 * maxPathways) {
		if d.takes(header(i*0x9e3779b97f4a7c15, 2), now) {
			taken++
		}
	}
	if taken != maxPathways || len(d.pathways) != maxPathways {
		t.Errorf("%d taken, %d kept, want %d", taken, len(d.pathways), maxPathways)
	}
	if !d.takes(header(0, 2), now) || !d.takes(header(0, 3), now) {
		t.Error("a known pathway is not taken")
	}
	for _, hostile := range []string{"", "=", "\xff\xfe", "AAAA"} {
		if d.takes(hostile, now) {
			t.Errorf("%q is taken", hostile)
		}
	}
	if !d.takes(header(7, 2), now.Add(pathwaysReset)) || len(d.pathways) != 1 {
		t.Error("a later pathway is not taken")
	}
}
