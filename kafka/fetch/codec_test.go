package fetch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/compress/snappy"

	"github.com/evalworker/evalworker/event"
)

// packed makes a batch of one record out of compressed bytes.
func packed(t testing.TB, kind compress.Compression, body []byte) []byte {
	t.Helper()
	b := encode(t, 0, event.Message{})[:headerBytes]
	binary.BigEndian.PutUint16(b[attributesAt:], uint16(kind))
	return seal(append(b, body...))
}

// bombs are a few bytes each, which claim very much.
func bombs() map[string]struct {
	kind compress.Compression
	body []byte
} {
	type bomb = struct {
		kind compress.Compression
		body []byte
	}
	framed := func(size uint32, block []byte) []byte {
		b := append([]byte(snappyMagic), 0, 0, 0, 1, 0, 0, 0, 1)
		return append(binary.BigEndian.AppendUint32(b, size), block...)
	}
	block := append(binary.AppendUvarint(nil, 1<<32-1), 0, 'x')
	good := append(binary.AppendUvarint(nil, 1), 0, 'x')
	frame := func(descriptor byte, rest ...byte) []byte {
		return append(append([]byte{0x28, 0xb5, 0x2f, 0xfd, descriptor}, rest...), 1<<3|1, 0, 0, 'x')
	}
	return map[string]bomb{
		"a block":                  {compress.Snappy, block},
		"a block in a frame":       {compress.Snappy, framed(uint32(len(block)), block)},
		"a second block":           {compress.Snappy, append(framed(uint32(len(good)), good), framed(uint32(len(block)), block)[snappyHeader:]...)},
		"a frame of Snappy":        {compress.Snappy, framed(1<<32-1, block)},
		"a second frame of Snappy": {compress.Snappy, append(framed(uint32(len(good)), good), 0xff, 0xff, 0xff, 0xff)},
		"a window of Zstandard":    {compress.Zstd, frame(0, 19<<3)},
		"a content of Zstandard":   {compress.Zstd, frame(0xa0, 0, 0, 0, 0x1f)},
		"a frame behind another":   {compress.Zstd, append(frame(0, 0), frame(0, 19<<3)...)},
		"a content of eight bytes": {compress.Zstd, frame(0xe0, 0, 0, 0, 0x1f, 0, 0, 0, 0)},
		"a block of LZ4":           {compress.Lz4, []byte{4, '"', 'M', 24, 64, 112, 223, 0xff, 0xff, 0xff, 0x7f, 'x'}},
		"a content of LZ4":         {compress.Lz4, []byte{4, '"', 'M', 24, 72, 112, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 'x'}},
		"a legacy block of LZ4":    {compress.Lz4, []byte{2, '!', 'L', 24, 0xff, 0xff, 0xff, 0x7f, 'x'}},
		"an extra field of Gzip":   {compress.Gzip, []byte{31, 139, 8, 4, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 'x'}},
	}
}

// TestBombs: what a few bytes claim is never allocated.
func TestBombs(t *testing.T) { //nolint:paralleltest // counts allocated bytes
	const bound = 34 << 20
	for name, bomb := range bombs() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := readAll(packed(t, bomb.kind, bomb.body))
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > bound {
			t.Errorf("%s: %d bytes allocated for %d", name, n, len(bomb.body))
		}
	}
}

// TestRatios: what can be compressed most is read under each codec, also in one block.
func TestRatios(t *testing.T) {
	t.Parallel()
	want := event.Message{Value: bytes.Repeat([]byte("x"), 20<<20), Time: published}
	raw := encode(t, 0, want)[headerBytes:]
	bodies := map[string][]byte{}
	for kind := compress.Gzip; kind <= compress.Zstd; kind++ {
		var b bytes.Buffer
		w := kind.Codec().NewWriter(&b)
		if _, err := w.Write(raw); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		bodies[kind.String()] = b.Bytes()
	}
	best, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		t.Fatal(err)
	}
	bodies["zstd best"] = best.EncodeAll(raw, nil)
	var unframed bytes.Buffer
	w := (&snappy.Codec{Framing: snappy.Unframed}).NewWriter(&unframed)
	if _, err := w.Write(raw); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	bodies["snappy unframed"] = unframed.Bytes()
	kinds := map[string]compress.Compression{"zstd best": compress.Zstd, "snappy unframed": compress.Snappy}
	for kind := compress.Gzip; kind <= compress.Zstd; kind++ {
		kinds[kind.String()] = kind
	}
	for name, body := range bodies {
		b := encode(t, 0, event.Message{Time: published})[:headerBytes]
		binary.BigEndian.PutUint16(b[attributesAt:], uint16(kinds[name]))
		got, err := readAll(seal(append(b, body...)))
		if err != nil || len(got) != 1 || !bytes.Equal(got[0].Value, want.Value) {
			t.Errorf("%s: %d records, %v", name, len(got), err)
		}
	}
}
