package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/testkit/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func open(tb testing.TB, cfg Config) *Spool {
	tb.Helper()
	s, err := Open(cfg, quiet())
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func add(tb testing.TB, s *Spool, records ...string) {
	tb.Helper()
	raw := make([][]byte, len(records))
	for i, r := range records {
		raw[i] = []byte(r)
	}
	if err := s.Append(tb.Context(), raw); err != nil {
		tb.Fatal(err)
	}
}

func next(tb testing.TB, s *Spool, limits Limits) *Batch {
	tb.Helper()
	b, err := s.Next(tb.Context(), limits)
	if err != nil {
		tb.Fatal(err)
	}
	return b
}

func texts(b *Batch) []string {
	out := make([]string, len(b.Records))
	for i, r := range b.Records {
		out[i] = string(r.Data)
	}
	return out
}

// drain takes all records, in small batches.
func drain(tb testing.TB, s *Spool) []string {
	tb.Helper()
	var out []string
	for s.Stats().Events > 0 {
		b := next(tb, s, Limits{Records: 3, Bytes: 1 << 10})
		out = append(out, texts(b)...)
		if err := s.Done(b); err != nil {
			tb.Fatal(err)
		}
	}
	return out
}

// reopen closes the spool and opens it as the next process does.
func reopen(tb testing.TB, s *Spool) *Spool {
	tb.Helper()
	if err := s.Close(); err != nil {
		tb.Fatal(err)
	}
	return open(tb, s.cfg)
}

func numbered(from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf(`{"n":%d,"pad":%q}`, i, strings.Repeat("x", i%97)))
	}
	return out
}

func TestRecordsComeOutInOrderAndOnce(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: filepath.Join(t.TempDir(), "new", "folder")})
	want := numbered(0, 50)
	for _, r := range want[:10] {
		add(t, s, r)
	}
	add(t, s, want[10:]...)
	st := s.Stats()
	if st.Events != 50 || st.Segments != 1 || st.Oldest.IsZero() || st.DiskBytes != st.Bytes+int64(segmentHeader) {
		t.Errorf("Stats = %+v", st)
	}
	first := next(t, s, Limits{Records: 4, Bytes: 1 << 20})
	if again := next(t, s, Limits{Records: 4, Bytes: 1 << 20}); !slices.Equal(texts(first), texts(again)) {
		t.Error("a batch that is not done is not handed out again")
	}
	if diff := cmp.Diff(want, drain(t, s)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if st := s.Stats(); st.Events != 0 || st.Bytes != 0 || !st.Oldest.IsZero() {
		t.Errorf("Stats of an empty spool = %+v", st)
	}
}

func TestWhatIsDoneIsDoneForTheNextProcess(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir(), MaxBytes: 1 << 20, SegmentBytes: 500})
	want := numbered(0, 100)
	for _, r := range want {
		add(t, s, r)
	}
	if n := s.Stats().Segments; n < 5 {
		t.Fatalf("%d segments, want several", n)
	}
	var got []string
	for i := 0; len(got) < len(want); i++ {
		b := next(t, s, Limits{Records: 1 + i%7, Bytes: 1 << 20})
		got = append(got, texts(b)...)
		if err := s.Done(b); err != nil {
			t.Fatal(err)
		}
		before := s.Stats()
		s = reopen(t, s)
		if after := s.Stats(); after.Events != before.Events || after.Bytes != before.Bytes {
			t.Fatalf("after opening again: %+v, before %+v", after, before)
		}
		if len(got) == 40 {
			add(t, s, "late")
			want = append(want, "late")
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if files, err := filepath.Glob(filepath.Join(s.cfg.Dir, "*.seg")); len(files) != 0 {
		t.Errorf("segments that are done are still there: %v, %v", files, err)
	}
}

func TestAFullSpoolTakesNothingUntilThereIsRoom(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir(), MaxBytes: MinBytes})
	record := strings.Repeat("x", 1000)
	taken := 0
	for ; ; taken++ {
		err := s.Append(t.Context(), [][]byte{[]byte(record)})
		if errors.Is(err, ErrFull) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if taken < 50 || taken > MinBytes/1000 {
		t.Errorf("%d records of 1000 bytes in %d", taken, MinBytes)
	}
	if st := s.Stats(); st.DiskBytes > st.MaxBytes || st.Events != int64(taken) {
		t.Errorf("Stats = %+v", st)
	}
	// A segment, an eighth of the bound, is freed as a whole.
	for range taken / 4 {
		if err := s.Done(next(t, s, Limits{Records: 1, Bytes: 1})); err != nil {
			t.Fatal(err)
		}
	}
	add(t, s, record)
	if n := len(drain(t, s)); n != taken-taken/4+1 {
		t.Errorf("%d records were left", n)
	}
}

func TestAFolderBelongsToOneProcess(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir()})
	held := fmt.Sprintf("spool folder is in use by another process (process %d): %s", os.Getpid(), s.cfg.Dir)
	if _, err := Open(s.cfg, quiet()); !errors.Is(err, ErrLocked) || err.Error() != held {
		t.Errorf("a second Open = %v, want %s", err, held)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), [][]byte{{1}}); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close = %v", err)
	}
	if _, err := s.Next(t.Context(), Limits{}); !errors.Is(err, ErrClosed) {
		t.Errorf("Next after Close = %v", err)
	}
	open(t, s.cfg)
}

func TestAppendsTogetherKeepTheirOwnOrder(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir(), MaxBytes: 1 << 20, SegmentBytes: 2000})
	const writers, each = 8, 30
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range each {
				if err := s.Append(context.Background(), [][]byte{fmt.Appendf(nil, "%d:%03d:a", w, i), fmt.Appendf(nil, "%d:%03d:b", w, i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	all := drain(t, s)
	if len(all) != 2*writers*each {
		t.Fatalf("%d records", len(all))
	}
	for i := 0; i < len(all); i += 2 {
		if strings.TrimSuffix(all[i], "a") != strings.TrimSuffix(all[i+1], "b") {
			t.Fatalf("%q is followed by %q: an Append is not together", all[i], all[i+1])
		}
	}
	for w := range writers {
		own := slices.DeleteFunc(slices.Clone(all), func(r string) bool { return !strings.HasPrefix(r, fmt.Sprint(w, ":")) })
		if !slices.IsSorted(own) {
			t.Errorf("writer %d's records are out of order: %v", w, own)
		}
	}
}

// TestABatchSaysWhetherThereIsMore: in its segment or in those behind it.
func TestABatchSaysWhetherThereIsMore(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir(), MaxBytes: MinBytes, SegmentBytes: 100})
	long := strings.Repeat("x", 100) // fills a segment
	add(t, s, "a", "b")
	add(t, s, "c", long)
	add(t, s, "d")
	for _, want := range []struct {
		records int
		more    bool
	}{{1, true}, {3, true}, {1, false}} {
		b := next(t, s, Limits{Records: want.records, Bytes: 1 << 10})
		if len(b.Records) != want.records || b.More != want.more {
			t.Errorf("%d records, more: %t; want %+v", len(b.Records), b.More, want)
		}
		if err := s.Done(b); err != nil {
			t.Fatal(err)
		}
	}
	add(t, s, "e", "f")
	if b := next(t, s, Limits{Records: 2, Bytes: 1 << 10}); b.More {
		t.Error("the last records have more behind them")
	}
}

// TestAppendsTogetherShareASync: those that arrive while one is under way share the next.
func TestAppendsTogetherShareASync(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir()})
	taken, goes := make(chan struct{}), make(chan struct{})
	s.create = func(dir string, id uint64) (*os.File, error) {
		close(taken)
		<-goes
		return createSegment(dir, id)
	}
	var running sync.WaitGroup
	appendOne := func() {
		if err := s.Append(t.Context(), [][]byte{[]byte("x")}); err != nil {
			t.Error(err)
		}
	}
	running.Go(appendOne)
	<-taken
	for range 64 {
		running.Go(appendOne)
	}
	for s.Stats().DiskBytes < 65*int64(frameHeader+1) { // only this shows that all of them wait
		runtime.Gosched()
	}
	close(goes)
	running.Wait()
	if st := s.Stats(); st.Appended != 65 || st.Syncs != 2 {
		t.Errorf("%d records in %d syncs, want 65 in 2", st.Appended, st.Syncs)
	}
}

func TestNextAndDrainedWait(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: t.TempDir()})
	got := make(chan string, 1)
	var reader sync.WaitGroup
	reader.Go(func() {
		b, err := s.Next(context.Background(), Limits{Records: 1, Bytes: 100})
		if err != nil {
			got <- err.Error()
			return
		}
		got <- texts(b)[0]
		if err := s.Done(b); err != nil {
			t.Error(err)
		}
	})
	add(t, s, "a")
	if r := <-got; r != "a" {
		t.Errorf("Next gave %q", r)
	}
	if err := s.Drained(t.Context()); err != nil {
		t.Error(err)
	}
	reader.Wait()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Next(ctx, Limits{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Next = %v", err)
	}
	add(t, s, "b")
	if err := s.Drained(ctx); !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "records left in the spool: 1") {
		t.Errorf("Drained = %v", err)
	}
}

// TestAFullDiskFailsAppendAndNothingElse: /dev/full answers every write with ENOSPC.
func TestAFullDiskFailsAppendAndNothingElse(t *testing.T) {
	t.Parallel()
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full here")
	}
	s := open(t, Config{Dir: t.TempDir()})
	add(t, s, "before")
	s = reopen(t, s)
	full := func(string, uint64) (*os.File, error) { return os.OpenFile("/dev/full", os.O_WRONLY, 0) }
	none := func(string, uint64) (*os.File, error) { return nil, syscall.ENOSPC }
	for name, create := range map[string]func(string, uint64) (*os.File, error){"no room for data": full, "no room for a file": none} {
		s.create = create // the writer is idle: nothing was appended yet, or the last Append has failed
		if err := s.Append(t.Context(), [][]byte{[]byte("lost")}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: Append = %v, want ENOSPC", name, err)
		}
	}
	s.create = createSegment
	add(t, s, "after")
	if diff := cmp.Diff([]string{"before", "after"}, drain(t, s)); diff != "" {
		t.Errorf("records (-want +got):\n%s", diff)
	}
	if st := s.Stats(); st.DiskBytes > 100 {
		t.Errorf("room was not given back: %+v", st)
	}
}

func TestAFolderThatVanishesIsNotWrittenTo(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Dir: filepath.Join(t.TempDir(), "spool")})
	add(t, s, "a")
	if err := os.RemoveAll(s.cfg.Dir); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), [][]byte{[]byte("b")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Append = %v: what it wrote cannot be read again", err)
	}
	if err := os.MkdirAll(s.cfg.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	add(t, s, "c")
	if b := next(t, s, Limits{Records: 9, Bytes: 99}); !slices.Equal(texts(b), []string{"c"}) {
		t.Errorf("%q", texts(b))
	}
	if st := s.Stats(); st.CorruptParts != 1 {
		t.Errorf("the loss was not counted: %+v", st)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  Config
		want string
	}{
		"default":   {Config{Dir: "d"}, ""},
		"no folder": {Config{}, "dir"},
		"small":     {Config{Dir: "d", MaxBytes: 1}, "max_bytes"},
		"segments":  {Config{Dir: "d", SegmentBytes: 1 << 40}, "segment_bytes"},
		"aside":     {Config{Dir: "d", AsideBytes: -1}, "aside_bytes"},
	} {
		fs := c.cfg.Validate()
		if (c.want == "") != (len(fs) == 0) || (len(fs) > 0 && (fs[0].Path != c.want || fs[0].Expected == "")) {
			t.Errorf("%s: %v", name, fs)
		}
	}
}

func TestOpenWaitsForAProcessThatIsNearlyGone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	before, err := Open(Config{Dir: dir}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	opened := make(chan error, 1)
	go func() {
		after, err := Open(Config{Dir: dir, LockWait: time.Minute}, quiet())
		if err == nil {
			err = after.Close()
		}
		opened <- err
	}()
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-opened; err != nil {
		t.Error(err)
	}
	held := open(t, Config{Dir: dir})
	if _, err := Open(Config{Dir: held.cfg.Dir, LockWait: time.Millisecond}, quiet()); !errors.Is(err, ErrLocked) {
		t.Errorf("Open = %v, want ErrLocked", err)
	}
}
