package fetch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/evalworker/evalworker/event"
)

// same treats no headers and an empty list of headers as equal, and nothing else.
var same = cmpopts.AcyclicTransformer("headers", func(hs []event.Header) []event.Header {
	if len(hs) == 0 {
		return nil
	}
	return hs
})

// TestRecords: everything that kafka-go writes is read again, under each codec.
func TestRecords(t *testing.T) {
	t.Parallel()
	for kind := compress.None; kind <= compress.Zstd; kind++ {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			got, err := readAll(at(encode(t, protocol.Attributes(kind), samples()...), 1<<40))
			if err != nil {
				t.Fatal(err)
			}
			want := samples()
			for i := range want {
				want[i].Offset += 1 << 40
			}
			if diff := cmp.Diff(want, got, same); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}

// TestRecordsAreReadInPlace: a record overwrites the one before, and an event like the
// one before allocates nothing.
func TestRecordsAreReadInPlace(t *testing.T) { //nolint:paralleltest // counts allocations
	var all []event.Message
	for range 200 {
		all = append(all, event.Message{Key: []byte("key"), Value: make([]byte, 2000), Headers: []event.Header{{Key: "evalworker-route", Value: []byte("r")}}})
	}
	batch := encode(t, protocol.Snappy, all...)
	var (
		r records
		m event.Message
	)
	read := func() {
		if err := r.reset(batch); err != nil {
			t.Fatal(err)
		}
		for range all {
			if err := r.next(&m); err != nil {
				t.Fatal(err)
			}
		}
		r.close()
	}
	read()
	if n := testing.AllocsPerRun(20, read); n > 20 { // what the codec takes for a batch
		t.Errorf("%v allocations for %d records", n, len(all))
	}
}

func TestBatchAttributes(t *testing.T) {
	t.Parallel()
	one := event.Message{Value: []byte("x"), Time: published}
	taken := published.Add(time.Hour)
	stamped := encode(t, 0, one)
	binary.BigEndian.PutUint16(stamped[attributesAt:], logAppendTime)
	binary.BigEndian.PutUint64(stamped[maxTimeAt:], uint64(taken.UnixMilli()))
	got, err := readAll(seal(stamped))
	if err != nil || len(got) != 1 || !got[0].Time.Equal(taken) {
		t.Errorf("a topic with the broker's time: %v, %v", got, err)
	}

	marker := encode(t, 0, one)
	binary.BigEndian.PutUint16(marker[attributesAt:], controlBatch)
	if h, err := parseBatch(seal(marker)); err != nil || !h.control() {
		t.Errorf("a marker: %+v, %v", h, err)
	}
	if h, err := parseBatch(stamped); err != nil || h.control() {
		t.Errorf("no marker: %+v, %v", h, err)
	}
}

// TestDamaged: a batch with a changed byte is not read, apart from the few bytes that
// the checksum does not cover.
func TestDamaged(t *testing.T) {
	t.Parallel()
	whole := encode(t, protocol.Snappy, samples()[:3]...)
	want := samples()[:3]
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 0x55
		got, err := readAll(b)
		switch {
		case err == nil && i < crcAt: // base offset, length, leader epoch
			for j := range got {
				got[j].Offset = int64(j)
			}
			if diff := cmp.Diff(want, got, same); diff != "" {
				t.Errorf("byte %d (-want +got):\n%s", i, diff)
			}
		case !errors.Is(err, ErrDamaged):
			t.Errorf("byte %d: %v, want ErrDamaged", i, err)
		}
	}
	for n := range whole {
		if _, err := readAll(whole[:n]); !errors.Is(err, ErrDamaged) {
			t.Errorf("%d bytes of it: %v, want ErrDamaged", n, err)
		}
	}
}

// TestDamagedRecords: a batch with a right checksum can still be nonsense.
func TestDamagedRecords(t *testing.T) {
	t.Parallel()
	record := func(fields ...int64) []byte {
		b := []byte{0}
		for _, f := range fields {
			b = binary.AppendVarint(b, f)
		}
		return append(binary.AppendVarint(nil, int64(len(b))), b...)
	}
	tests := map[string][]byte{
		"no record at all":             {},
		"a length that is not there":   binary.AppendVarint(nil, 100),
		"a negative length":            binary.AppendVarint(nil, -3),
		"a length that never ends":     bytes.Repeat([]byte{0xff}, 20),
		"more than there is memory":    binary.AppendVarint(nil, 1<<60),
		"an empty record":              record()[:1],
		"a key beyond the end":         record(0, 0, 5),
		"a key of a negative length":   record(0, 0, -2),
		"a value beyond the end":       record(0, 0, -1, 9),
		"a negative number of headers": record(0, 0, -1, -1, -1),
		"a million headers":            record(0, 0, -1, -1, 1_000_000),
		"a header without a key":       record(0, 0, -1, -1, 1, -1, -1),
		"an offset before the batch":   record(0, -1, -1, -1, 0),
		"an offset behind the batch":   record(0, 1, -1, -1, 0),
		"more than a record":           record(0, 0, -1, -1, 0, 0),
	}
	for name, body := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, kind := range []compress.Compression{compress.None, compress.Snappy, compress.Zstd} {
				b := encode(t, 0, event.Message{})[:headerBytes]
				binary.BigEndian.PutUint16(b[attributesAt:], uint16(kind))
				if codec := kind.Codec(); codec != nil {
					var packed bytes.Buffer
					w := codec.NewWriter(&packed)
					if _, err := w.Write(body); err != nil {
						t.Fatal(err)
					}
					if err := w.Close(); err != nil {
						t.Fatal(err)
					}
					b = append(b, packed.Bytes()...)
				} else {
					b = append(b, body...)
				}
				if got, err := readAll(seal(b)); !errors.Is(err, ErrDamaged) || len(got) > 0 {
					t.Errorf("%v: %v, %v, want ErrDamaged", kind, got, err)
				}
			}
		})
	}
	twice := encode(t, 0, event.Message{Value: []byte("x")})
	twice = append(twice, twice[headerBytes:]...)
	binary.BigEndian.PutUint32(twice[countAt:], 2)
	if _, err := readAll(seal(twice)); !errors.Is(err, ErrDamaged) {
		t.Errorf("an offset twice: %v", err)
	}
	unknown := encode(t, 0, event.Message{})
	binary.BigEndian.PutUint16(unknown[attributesAt:], 7)
	if _, err := readAll(seal(unknown)); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "unknown compression 7") {
		t.Errorf("an unknown codec: %v", err)
	}
}

// FuzzRecords reads any bytes that a publisher may have put into a batch whose checksum
// is right, with each compression.
func FuzzRecords(f *testing.F) {
	for kind := compress.None; kind <= compress.Zstd; kind++ {
		f.Add(encode(f, protocol.Attributes(kind), samples()[:3]...)[attributesAt:])
	}
	for _, bomb := range bombs() {
		f.Add(packed(f, bomb.kind, bomb.body)[attributesAt:])
	}
	f.Fuzz(func(t *testing.T, rest []byte) {
		b := make([]byte, attributesAt, attributesAt+len(rest)+headerBytes)
		b[magicAt] = format
		b = append(b, rest...)
		if len(b) < headerBytes {
			b = append(b, make([]byte, headerBytes-len(b))...)
		}
		got, err := readAll(seal(b))
		if err != nil && !errors.Is(err, ErrDamaged) {
			t.Fatalf("%v is not ErrDamaged", err)
		}
		if h, _ := parseBatch(b); err == nil && len(got) != int(h.count) {
			t.Fatalf("%d records of %d", len(got), h.count)
		}
	})
}
