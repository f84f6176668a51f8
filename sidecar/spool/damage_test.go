package spool

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// segmentFiles returns the files of a folder's segments.
func segmentFiles(tb testing.TB, dir string) []string {
	tb.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"+segmentSuffix))
	if err != nil {
		tb.Fatal(err)
	}
	return files
}

func edit(tb testing.TB, file string, change func([]byte) []byte) {
	tb.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, change(b), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// TestATornTailIsCutAway: a crash may cut the last segment anywhere. What is whole
// stays, the rest goes, and what is added later comes after it.
func TestATornTailIsCutAway(t *testing.T) {
	t.Parallel()
	want := numbered(0, 3)
	var ends []int // sizes of the file after each record
	for cut := 0; ; cut++ {
		s := open(t, Config{Dir: t.TempDir(), MaxBytes: MinBytes})
		ends = ends[:0]
		for _, r := range want {
			add(t, s, r)
			ends = append(ends, int(s.Stats().DiskBytes))
		}
		if cut > ends[2] {
			break
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		edit(t, segmentFiles(t, s.cfg.Dir)[0], func(b []byte) []byte { return b[:cut] })
		s = open(t, s.cfg)
		whole := 0
		for whole < 3 && ends[whole] <= cut {
			whole++
		}
		s = reopen(t, s) // a second Open must not see it as damage
		add(t, s, "later")
		if diff := cmp.Diff(append(slices.Clone(want[:whole]), "later"), drain(t, s)); diff != "" {
			t.Fatalf("cut at %d of %v (-want +got):\n%s", cut, ends, diff)
		}
		if st := s.Stats(); st.CorruptParts != 0 {
			t.Errorf("cut at %d: %+v", cut, st)
		}
	}
}

// TestATornTailIsKept: damage in the last record looks like a torn tail. The record may
// have been confirmed, so it is kept.
func TestATornTailIsKept(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir()})
	add(t, s, "a", "safe")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	edit(t, segmentFiles(t, s.cfg.Dir)[0], func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
	kept := filepath.Join(s.cfg.Dir, damagedDir)
	if err := os.WriteFile(kept, nil, 0o600); err != nil { // nothing can be kept
		t.Fatal(err)
	}
	s = open(t, s.cfg)
	if st := s.Stats(); st.TornBytes != 0 {
		t.Errorf("cut away without being kept: %+v", st)
	}
	if err := errors.Join(s.Close(), os.Remove(kept)); err != nil {
		t.Fatal(err)
	}
	s = open(t, s.cfg)
	if got := drain(t, s); !slices.Equal(got, []string{"a"}) {
		t.Errorf("%q", got)
	}
	files, err := os.ReadDir(kept)
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if b, err := os.ReadFile(filepath.Join(kept, files[0].Name())); err != nil || !bytes.HasSuffix(b, []byte("saf"+string('e'^1))) {
		t.Errorf("kept %q, %v", b, err)
	}
}

func TestDamageInTheMiddleCostsOnlyWhatItHit(t *testing.T) {
	t.Parallel()
	want := numbered(0, 30)
	for name, change := range map[string]func(b []byte, at int) []byte{
		"a bit of the data":   func(b []byte, at int) []byte { b[at+frameHeader+3] ^= 4; return b },
		"a bit of the length": func(b []byte, at int) []byte { b[at+len(marker)] ^= 0x40; return b },
		"a bit of the marker": func(b []byte, at int) []byte { b[at] ^= 1; return b },
		"a bit of the time":   func(b []byte, at int) []byte { b[at+12] ^= 1; return b },
		"bytes that are gone": func(b []byte, at int) []byte { return slices.Delete(b, at+5, at+9) },
		"zeros":               func(b []byte, at int) []byte { clear(b[at : at+frameHeader+5]); return b },
		"bytes too many":      func(b []byte, at int) []byte { return slices.Insert(b, at+2, []byte("xyz"+marker)...) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, Config{Dir: t.TempDir(), SegmentBytes: 1000})
			for _, r := range want {
				add(t, s, r)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			// The third record of the second segment.
			file, lost := segmentFiles(t, s.cfg.Dir)[1], ""
			edit(t, file, func(b []byte) []byte {
				at := segmentHeader
				for range 2 {
					_, size, _ := parseFrame(b[at:], 2)
					at += size
				}
				rec, _, ok := parseFrame(b[at:], 2)
				if !ok {
					t.Fatal("the test does not find its record")
				}
				lost = string(rec.Data)
				return change(b, at)
			})
			s = open(t, s.cfg)
			got := drain(t, s)
			rest := slices.DeleteFunc(slices.Clone(want), func(r string) bool { return r == lost })
			if diff := cmp.Diff(rest, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
			st := s.Stats()
			if st.CorruptParts != 1 || st.CorruptBytes == 0 || st.Events != 0 {
				t.Errorf("Stats = %+v", st)
			}
			kept, err := os.ReadDir(filepath.Join(s.cfg.Dir, damagedDir))
			if err != nil || len(kept) != 1 {
				t.Errorf("kept %v, %v", kept, err)
			}
			if err := s.Drained(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestDamageUnderAnOpenSpool: damage that comes while the spool is open is met by the
// reader.
func TestDamageUnderAnOpenSpool(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir(), AsideBytes: 10})
	add(t, s, "a", "b", "c")
	edit(t, segmentFiles(t, s.cfg.Dir)[0], func(b []byte) []byte { b[segmentHeader+frameHeader] = 'x'; return b })
	if b := next(t, s, Limits{Records: 9, Bytes: 999}); !slices.Equal(texts(b), []string{"b", "c"}) {
		t.Errorf("%q", texts(b))
	} else if err := s.Done(b); err != nil {
		t.Error(err)
	}
	if err := s.Drained(t.Context()); err != nil {
		t.Error(err)
	}
	if kept, _ := os.ReadDir(filepath.Join(s.cfg.Dir, damagedDir)); len(kept) != 0 {
		t.Errorf("more was kept than there is room for: %v", kept)
	}
}

func TestALostPositionRepeatsAndLosesNothing(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir()})
	add(t, s, "a", "b")
	if err := s.Done(next(t, s, Limits{Records: 1, Bytes: 1})); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(s.cfg.Dir, positionFile)
	edit(t, path, func(b []byte) []byte { return bytes.Repeat([]byte("?"), len(b)) })
	s = open(t, s.cfg)
	if got := drain(t, s); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q", got)
	}
	add(t, s, "c")
	s = reopen(t, s)
	if got := drain(t, s); !slices.Equal(got, []string{"c"}) {
		t.Errorf("%q", got)
	}
}

// FuzzSegment: whatever is in a segment, reading ends, never panics, and returns only
// records that were written to that segment.
func FuzzSegment(f *testing.F) {
	now := time.UnixMilli(1_750_000_000_000)
	good := appendFrame(appendFrame([]byte(segmentMagic+"\x00\x00\x00\x00\x00\x00\x00\x01"), 1, now, []byte("a")), 1, now, []byte("bb"))
	f.Add(good, 0, byte(0))
	f.Add(good, segmentHeader+3, byte(7))
	f.Add(append(slices.Clone(good), marker+"\x00\x00\x00\xff"...), 40, byte(1))
	f.Add(append(slices.Clone(good), appendFrame(nil, 2, now, []byte("other"))...), 2, byte(0))
	f.Fuzz(func(t *testing.T, raw []byte, at int, flip byte) {
		raw = slices.Clone(raw)
		if at >= 0 && at < len(raw) {
			raw[at] ^= flip
		}
		dir := t.TempDir()
		for id, b := range map[uint64][]byte{1: raw, 2: appendFrame(bytes.Repeat([]byte{0}, segmentHeader), 2, now, []byte("end"))} {
			if err := os.WriteFile(filepath.Join(dir, segmentName(id)), b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		// An open spool without its lock and its writer: this is about reading.
		// It keeps no damage and never syncs, because a disk is slow.
		s := &Spool{cfg: Config{Dir: dir, MaxBytes: MinBytes, AsideBytes: 1}.withDefaults(), log: quiet(), openAside: openOwn, changed: make(chan struct{})}
		if err := s.load(); err != nil {
			t.Fatal(err)
		}
		s.mark.synced = now.AddDate(100, 0, 0)
		got := drain(t, s)
		if len(got) == 0 || got[len(got)-1] != "end" {
			t.Errorf("what comes after damage is lost: %q", got)
		}
		for _, r := range got[:len(got)-1] {
			if i := bytes.Index(raw, []byte(r)); i < 0 || !bytes.Contains(raw, []byte(marker)) {
				t.Errorf("%q was never written", r)
			}
		}
		if err := s.mark.file.Close(); err != nil {
			t.Error(err)
		}
	})
}

// FuzzFrame: a frame that was written is read again, and never as one of another
// segment.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("data"), uint64(1), int64(0))
	f.Add([]byte(marker), uint64(1<<63), int64(-1))
	f.Fuzz(func(t *testing.T, data []byte, id uint64, ms int64) {
		b := appendFrame(nil, id, time.UnixMilli(ms), data)
		rec, size, ok := parseFrame(b, id)
		if !ok || size != len(b) || !bytes.Equal(rec.Data, data) || rec.Accepted.UnixMilli() != ms {
			t.Errorf("read %+v, %d, %v of %d bytes", rec, size, ok, len(b))
		}
		for cut := range len(b) {
			if _, need, ok := parseFrame(b[:cut], id); ok || need != 0 && (need <= cut || need > len(b)) {
				t.Errorf("cut at %d of %d: %v, %d", cut, len(b), ok, need)
			}
		}
		if _, _, ok := parseFrame(b, id+1); ok {
			t.Error("read as a frame of the next segment")
		}
	})
}

// TestASegmentThatBecameShorter: a segment that became shorter under the reader costs
// what it lost.
func TestASegmentThatBecameShorter(t *testing.T) {
	t.Parallel()
	for name, keep := range map[string]func(size int) int{
		"within a record":  func(size int) int { return size - 5 },
		"within the first": func(int) int { return segmentHeader + 5 },
		"empty":            func(int) int { return 0 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t, Config{Dir: t.TempDir(), SegmentBytes: 100, MaxBytes: MinBytes})
			want := numbered(0, 20)
			for _, r := range want {
				add(t, s, r)
			}
			lost := 0
			edit(t, segmentFiles(t, s.cfg.Dir)[1], func(b []byte) []byte {
				n := keep(len(b))
				all, _, _, _ := scanFrames(b, 2, segmentHeader)
				left, _, _, _ := scanFrames(b[:n], 2, segmentHeader)
				lost = all - left
				return b[:n]
			})
			got := drain(t, s)
			if len(got) != len(want)-lost || lost == 0 || got[len(got)-1] != want[len(want)-1] {
				t.Errorf("%d of %d records, %d were cut off: %q", len(got), len(want), lost, got)
			}
			if st := s.Stats(); st.CorruptParts != 1 || st.CorruptBytes == 0 {
				t.Errorf("Stats = %+v", st)
			}
		})
	}
}

// TestASegmentThatCannotBeRead: one segment that the disk cannot read must not keep the
// others from being sent. A folder stands for it: it can be opened, and not be read.
func TestASegmentThatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir(), SegmentBytes: 1})
	add(t, s, "a")
	add(t, s, "b")
	add(t, s, "c")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file := segmentFiles(t, s.cfg.Dir)[1]
	if err := errors.Join(os.Remove(file), os.Mkdir(file, 0o700)); err != nil {
		t.Fatal(err)
	}
	s = open(t, s.cfg)
	if got := drain(t, s); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("%q", got)
	}
	if st := s.Stats(); st.CorruptParts != 1 {
		t.Errorf("Stats = %+v", st)
	}
	if _, err := os.Stat(filepath.Join(s.cfg.Dir, damagedDir, filepath.Base(file))); err != nil {
		t.Errorf("it was not kept: %v", err)
	}
}
