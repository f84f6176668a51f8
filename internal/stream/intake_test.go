package stream

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
)

func newIntake(skip func(*eval.Message) bool) (*intake, *tally) {
	seen := &tally{counts: make(map[string]int)}
	return &intake{
		tracker: newTracker(0), skip: skip, observe: seen, log: slog.New(slog.DiscardHandler), maxBytes: 1000,
	}, seen
}

func TestIntake(t *testing.T) {
	t.Parallel()
	skip := func(m *eval.Message) bool {
		if string(m.Value) == "bad" {
			panic("content")
		}
		return string(m.Value) == "skip"
	}
	value := func(s string) kafka.Message { return kafka.Message{Offset: 5, Value: []byte(s)} }
	tests := []struct {
		name     string
		message  kafka.Message
		restored []run
		wanted   bool
		fault    eval.Reason
		counts   map[string]int
		next     int64
	}{
		{"wanted", value("x"), nil, true, "", map[string]int{}, 5},
		{"skipped", value("skip"), nil, false, "", map[string]int{"consumed": 1}, 6},
		{"finished by an earlier owner", value("x"), []run{{5, 6}}, false, "", map[string]int{}, 6},
		{"a marker", kafka.Message{Offset: 5, Key: []byte{0, 0, 0, 1}, Value: []byte{0, 0, 0, 0, 0, 9}}, nil, false, "", map[string]int{"control": 1}, 6},
		{"too large", value(strings.Repeat("y", 1001)), nil, true, eval.ReasonTooLarge, map[string]int{}, 5},
		{"the largest", value(strings.Repeat("y", 1000)), nil, true, "", map[string]int{}, 5},
		{"Skip panics", value("bad"), nil, true, eval.ReasonPanic, map[string]int{}, 5},
		{"taken before", kafka.Message{Offset: 4, Value: []byte("x")}, nil, false, "", map[string]int{}, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in, seen := newIntake(skip)
			in.tracker.jump(5)
			in.tracker.restore(tt.restored)
			wanted, fault := in.inspect(&tt.message)
			if wanted != tt.wanted || eval.ReasonOf(fault) != tt.fault {
				t.Errorf("inspect = %v, %v, want %v, %s", wanted, fault, tt.wanted, tt.fault)
			}
			if fault != nil && !eval.IsPermanent(fault) {
				t.Errorf("%v would be tried again", fault)
			}
			if diff := cmp.Diff(tt.counts, seen.counts); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			if got := in.tracker.progress().next; got != tt.next {
				t.Errorf("next = %d, want %d", got, tt.next)
			}
		})
	}
}

func TestIsControl(t *testing.T) {
	t.Parallel()
	marker := func(kind byte) kafka.Message {
		return kafka.Message{Key: []byte{0, 0, 0, kind}, Value: []byte{0, 0, 0, 0, 0, 3}}
	}
	withHeader := marker(1)
	withHeader.Headers = []kafka.Header{{Key: "event"}}
	tests := map[string]struct {
		m    kafka.Message
		want bool
	}{
		"commit":         {marker(1), true},
		"abort":          {marker(0), true},
		"another type":   {marker(2), false},
		"with headers":   {withHeader, false},
		"a short key":    {kafka.Message{Key: []byte{0, 0, 1}, Value: []byte{0, 0, 0, 0, 0, 3}}, false},
		"JSON":           {kafka.Message{Key: []byte{0, 0, 0, 1}, Value: []byte(`{"a":1`)}, false},
		"an empty value": {kafka.Message{Key: []byte{0, 0, 0, 1}}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := isControl(&tt.m); got != tt.want {
				t.Errorf("isControl = %v, want %v", got, tt.want)
			}
		})
	}
}

func TestPanicFaultKeepsContentOut(t *testing.T) {
	t.Parallel()
	for _, v := range []any{"secret words", fmt.Errorf("of secret words"), struct{ s string }{"secret words"}} {
		if text := panicFault(v).Error(); strings.Contains(text, "secret") {
			t.Errorf("%T: %q tells what the panic was called with", v, text)
		}
	}
	func() {
		defer func() {
			if text := panicFault(recover()).Error(); !strings.Contains(text, "index out of range") {
				t.Errorf("%q: the run-time's own words are missing", text)
			}
		}()
		var none []int
		_ = none[len(none)]
	}()
}

// BenchmarkSkip is what a message costs that nobody wants, after it is fetched.
func BenchmarkSkip(b *testing.B) {
	in := &intake{
		tracker: newTracker(0), observe: discard{}, log: slog.New(slog.DiscardHandler), maxBytes: 1 << 20,
		skip: func(m *eval.Message) bool { return len(m.Headers) > 0 },
	}
	m := kafka.Message{Topic: testTopic, Key: []byte("key"), Value: make([]byte, 2000)}
	for i := range 14 {
		m.Headers = append(m.Headers, kafka.Header{Key: fmt.Sprint("header", i), Value: []byte("value")})
	}
	b.ReportAllocs()
	for b.Loop() {
		if wanted, _ := in.inspect(&m); wanted {
			b.Fatal("not skipped")
		}
		m.Offset++
	}
}
