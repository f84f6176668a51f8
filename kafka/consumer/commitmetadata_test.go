package consumer

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMetadataRoundTrip(t *testing.T) {
	t.Parallel()
	for name, want := range map[string][]run{
		"none":     nil,
		"one":      {{1001, 1002}},
		"adjacent": {{1000, 1001}, {1001, 1005}},
		"far":      {{1005, 1006}, {2_000_000, 9_000_000_000}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := decodeRuns(1000, encodeRuns(1000, want, maxMetadata))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, runs); diff != "" {
				t.Errorf("runs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMetadataKeepsTheLowestRuns(t *testing.T) {
	t.Parallel()
	var many []run
	for i := range int64(5000) {
		many = append(many, run{100 + 3*i, 101 + 3*i})
	}
	s := encodeRuns(99, many, maxMetadata)
	if len(s) > maxMetadata {
		t.Fatalf("%d bytes, want at most %d", len(s), maxMetadata)
	}
	got, err := decodeRuns(99, s)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) < 1000 {
		t.Errorf("only %d runs in %d bytes", len(got), len(s))
	}
	if diff := cmp.Diff(many[:len(got)], got, runs); diff != "" {
		t.Errorf("not the lowest runs (-want +got):\n%s", diff)
	}
	if s := encodeRuns(99, many, 0); s != "" {
		t.Errorf("%q where nothing fits", s)
	}
}

// TestTheLargestWindowFitsIntoMetadata: a window full of finished runs, as long as
// skipped messages make them, fits into the metadata: what is left out is done again
// after a crash.
func TestTheLargestWindowFitsIntoMetadata(t *testing.T) {
	t.Parallel()
	tr := newTracker(1 << 40)
	for off := int64(1 << 40); tr.progress().spans < maxWindow; {
		tr.begin(off, time.Time{})
		tr.skip(off + 1)
		tr.skip(off + 1<<21 - 1)
		off += 1 << 21
	}
	m, _ := tr.checkpoint()
	if len(m.runs) != maxWindow/2 {
		t.Fatalf("%d runs in a window of %d", len(m.runs), maxWindow)
	}
	got, err := decodeRuns(m.low, encodeRuns(m.low, m.runs, maxMetadata))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m.runs, got, runs); diff != "" {
		t.Errorf("runs (-want +got):\n%s", diff)
	}
}

// TestMetadataOfOthersReadsAsNone: metadata that we did not write for that very offset
// must read as none: a run that is not finished would be lost.
func TestMetadataOfOthersReadsAsNone(t *testing.T) {
	t.Parallel()
	good := encodeRuns(1000, []run{{1001, 1010}}, maxMetadata)
	tests := map[string]struct {
		low  int64
		text string
	}{
		"words":          {1000, "committed by hand"},
		"base64":         {1000, "AAECAwQF"},
		"only the mark":  {1000, metadataPrefix},
		"cut short":      {1000, good[:len(good)-1]},
		"changed":        {1000, strings.Replace(good, good[len(good)-2:], "zz", 1)},
		"another offset": {999, good},
		"no offset":      {unknownOffset, good},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, err := decodeRuns(tt.low, tt.text); err == nil || got != nil {
				t.Errorf("decodeRuns = %v, %v, want an error", got, err)
			}
		})
	}
}

func FuzzMetadata(f *testing.F) {
	f.Add(int64(1000), encodeRuns(1000, []run{{1001, 1002}, {1005, 1090}}, maxMetadata))
	f.Add(int64(0), "ew1.AAAAAA")
	f.Add(int64(1<<62), "ew1.////////////////////////")
	f.Add(int64(-1), "")
	f.Fuzz(func(t *testing.T, low int64, text string) {
		got, err := decodeRuns(low, text)
		if err != nil && got != nil {
			t.Fatal("runs beside an error")
		}
		at := low
		for _, r := range got {
			if r.first < at || r.next <= r.first {
				t.Fatalf("runs %v above %d are not ascending", got, low)
			}
			at = r.next
		}
		again, err := decodeRuns(low, encodeRuns(low, got, len(text)+8))
		if len(got) > 0 && (err != nil || !cmp.Equal(got, again, runs)) {
			t.Fatalf("%v became %v, %v", got, again, err)
		}
	})
}

// FuzzMetadataPayload fuzzes the payload behind a valid checksum.
func FuzzMetadataPayload(f *testing.F) {
	f.Add(int64(10), []byte{1, 1, 2, 3})
	f.Add(int64(10), []byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 1})
	f.Add(int64(1<<62), []byte{0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f})
	f.Fuzz(func(t *testing.T, low int64, payload []byte) {
		sum := checksum(low, payload)
		b := append([]byte{byte(sum), byte(sum >> 8), byte(sum >> 16), byte(sum >> 24)}, payload...)
		got, _ := decodeRuns(low, metadataPrefix+metadataEncoding.EncodeToString(b))
		at := low
		for _, r := range got {
			if r.first < at || r.next <= r.first {
				t.Fatalf("runs %v above %d are not ascending", got, low)
			}
			at = r.next
		}
	})
}

func BenchmarkEncodeRuns(b *testing.B) {
	b.ReportAllocs()
	var many []run
	for i := range int64(150) {
		many = append(many, run{100 + 3*i, 101 + 3*i})
	}
	for b.Loop() {
		encodeRuns(99, many, maxMetadata)
	}
}
