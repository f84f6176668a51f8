package deadletter

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// filled returns a bench with six letters in two partitions that died one hour apart;
// 0:1 was redriven.
func filled(t *testing.T) (b *bench, first time.Time) {
	t.Helper()
	b = newBench(t, 2)
	first = time.Now().Add(-10 * time.Hour).Truncate(time.Second)
	for i := range 6 {
		reason := eval.ReasonPanic
		if i%3 == 0 {
			reason = eval.ReasonMalformed
		}
		l := b.letter(fmt.Sprintf("k%d", i), reason, i)
		l.Time = first.Add(time.Duration(i) * time.Hour)
		b.write(b.cfg.DeadLetters(), i%2, l)
	}
	if got, totals := b.redrive(Filter{IDs: []ID{{0, 1}}}, DefaultOptions()); totals.Redriven != 1 {
		t.Fatalf("%v %+v", got, totals)
	}
	return b, first
}

func TestFilters(t *testing.T) {
	t.Parallel()
	b, first := filled(t)
	hour := func(n int) time.Time { return first.Add(time.Duration(n) * time.Hour) }
	tests := []struct {
		name string
		f    Filter
		want []string
		sum  string // letters, redriven
	}{
		{"all", Filter{}, []string{"0:0 k0 malformed", "0:2 k4 panic", "1:0 k1 panic", "1:1 k3 malformed", "1:2 k5 panic"}, "5 1"},
		{"reason", Filter{Reason: eval.ReasonMalformed}, []string{"0:0 k0 malformed", "1:1 k3 malformed"}, "2 0"},
		{"reason of the redriven one", Filter{Reason: eval.ReasonPanic}, []string{"0:2 k4 panic", "1:0 k1 panic", "1:2 k5 panic"}, "3 1"},
		{"key", Filter{Key: "k3"}, []string{"1:1 k3 malformed"}, "1 0"},
		{"beginning of keys", Filter{Prefix: "k"}, []string{"0:0 k0 malformed", "0:2 k4 panic", "1:0 k1 panic", "1:1 k3 malformed", "1:2 k5 panic"}, "5 1"},
		{"a key, or the beginning of others", Filter{Key: "k4", Prefix: "k3"}, []string{"0:2 k4 panic", "1:1 k3 malformed"}, "2 0"},
		{"no beginning", Filter{Prefix: "3"}, nil, "0 0"},
		{"since", Filter{Since: hour(3)}, []string{"0:2 k4 panic", "1:1 k3 malformed", "1:2 k5 panic"}, "3 0"},
		{"since just after", Filter{Since: hour(3).Add(time.Second)}, []string{"0:2 k4 panic", "1:2 k5 panic"}, "2 0"},
		{"since after all", Filter{Since: hour(20)}, nil, "0 0"},
		{"until", Filter{Until: hour(2)}, []string{"0:0 k0 malformed", "1:0 k1 panic"}, "2 0"},
		{"since and until", Filter{Since: hour(1), Until: hour(4)}, []string{"1:0 k1 panic", "1:1 k3 malformed"}, "2 1"},
		{"limit counts on", Filter{Limit: 2}, []string{"0:0 k0 malformed", "0:2 k4 panic"}, "5 1"},
		{"ids", Filter{IDs: []ID{{1, 1}, {0, 0}, {1, 1}, {0, 1}}}, []string{"0:0 k0 malformed", "1:1 k3 malformed"}, "2 1"},
		{"nothing of the kind", Filter{Key: "x"}, nil, "0 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, sum := b.list(tt.f)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if s := fmt.Sprint(sum.Letters, sum.Redriven); s != tt.sum {
				t.Errorf("summary %s, want %s", s, tt.sum)
			}
			counted := 0
			for _, c := range sum.Reasons {
				counted += c.Letters
			}
			if counted != sum.Letters {
				t.Errorf("%d letters by reason, %d in all", counted, sum.Letters)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	b, first := filled(t)
	_, sum := b.list(Filter{})
	want := []Count{
		{eval.ReasonPanic, 3, first.Add(time.Hour), first.Add(5 * time.Hour)},
		{eval.ReasonMalformed, 2, first, first.Add(3 * time.Hour)},
	}
	if diff := cmp.Diff(want, sum.Reasons); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var done []string
	var passed, total int64
	whole, err := b.open().List(t.Context(), Filter{}, true, func(d, all int64) { passed, total = d, all }, func(l *Letter) error {
		if l.Redriven {
			done = append(done, l.ID.String())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	// What is listed too is counted too; k2 panicked.
	want[0].Letters++
	if diff := cmp.Diff(Summary{Letters: 6, Redriven: 1, Reasons: want}, whole); diff != "" {
		t.Errorf("with those that were redriven (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"0:1"}, done); diff != "" {
		t.Errorf("redriven (-want +got):\n%s", diff)
	}
	// Seven messages, one of them a mark, each read twice.
	if passed != 14 || total != 14 {
		t.Errorf("progress ends at %d of %d, want 14", passed, total)
	}
}

func TestLetter(t *testing.T) {
	t.Parallel()
	b, _ := filled(t)
	q := b.open()
	l, err := q.Letter(t.Context(), ID{0, 1})
	if err != nil {
		t.Fatal(err)
	}
	if string(l.Key) != "k2" || !l.Redriven || string(l.Value) != `{"event":"llm_request_completed","request_id":"k2"}` || q.WouldDie(l) != "" {
		t.Errorf("letter %+v", l)
	}
	if trace, err := q.OriginState(t.Context(), l); err != nil || trace != OriginReplaced {
		t.Errorf("Trace = %s, %v", trace, err) // it never was there
	}
	for id, want := range map[ID]string{
		{0, 3}: "a mark of a redrive",
		{0, 4}: "partition 0 of events.dead holds the offsets 0 to 3",
		{2, 0}: "events.dead has the partitions 0 to 1",
	} {
		if _, err := q.Letter(t.Context(), id); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), want) {
			t.Errorf("Letter(%v): %v", id, err)
		}
	}
}

// TestNoTopic: "nothing has died yet" differs from a wrong name.
func TestNoTopic(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, func(c *broker.Config) { delete(c.Topics, "events.dead") })
	_, err := b.open().List(t.Context(), Filter{}, false, nil, nil)
	if !errors.Is(err, ErrEmpty) || err.Error() != "no dead letters: topic events.dead does not exist yet" {
		t.Errorf("List: %v", err)
	}
	if _, err := b.open().Redrive(t.Context(), Filter{}, DefaultOptions(), nil); !errors.Is(err, ErrEmpty) {
		t.Errorf("Redrive: %v", err)
	}
	b.cfg.Topic = "evnts"
	_, err = b.open().List(t.Context(), Filter{}, false, nil, nil)
	if err == nil || errors.Is(err, ErrEmpty) || !strings.Contains(err.Error(), "neither topic evnts.dead nor evnts exists") {
		t.Errorf("List with a wrong name: %v", err)
	}
}

func TestOpenValidates(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.cfg.Brokers = nil
	if _, err := Open(b.cfg); err == nil {
		t.Error("Open takes no brokers")
	}
	b = newBench(t, 1)
	faults := Options{}.Validate()
	if len(faults) != 1 || faults[0].Path != "max-redrives" {
		t.Errorf("faults of no options: %v", faults)
	}
	if _, err := b.open().Redrive(t.Context(), Filter{}, Options{}, nil); err == nil {
		t.Error("Redrive takes no options")
	}
}
