package consumer

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

func newReader(t testing.TB, skip func(*event.Message) bool) (*reader, *tally) {
	t.Helper()
	seen := &tally{counts: make(map[string]int)}
	cfg := DefaultConfig()
	cfg.MaxMessageBytes = 1 << 10
	c, err := New(cfg, Deps{Handle: new(notebook).Handle, Skip: skip, Observe: seen})
	if err != nil {
		t.Fatal(err)
	}
	return &reader{c: c, p: newPartition(t.Context(), 0, 0)}, seen
}

func TestInspect(t *testing.T) {
	t.Parallel()
	skip := func(m *event.Message) bool {
		if string(m.Value) == "bad" {
			panic("content")
		}
		return string(m.Value) == "skip"
	}
	value := func(s string) event.Message { return event.Message{Offset: 5, Value: []byte(s)} }
	tests := []struct {
		name     string
		message  event.Message
		restored []run
		wanted   bool
		fault    eval.Reason
		counts   map[string]int
		next     int64
	}{
		{"wanted", value("x"), nil, true, "", map[string]int{}, 5},
		{"skipped", value("skip"), nil, false, "", map[string]int{"consumed": 1}, 6},
		{"finished by an earlier owner", value("x"), []run{{5, 6}}, false, "", map[string]int{}, 6},
		{"a marker", value("marker"), nil, false, "", map[string]int{"control": 1}, 6},
		{"a marker of an earlier owner", value("marker"), []run{{5, 6}}, false, "", map[string]int{}, 6},
		{"too large to be read", value("unread"), nil, true, eval.ReasonTooLarge, map[string]int{}, 5},
		{"too large", value(strings.Repeat("y", 1<<10+1)), nil, true, eval.ReasonTooLarge, map[string]int{}, 5},
		{"the largest", value(strings.Repeat("y", 1<<10)), nil, true, "", map[string]int{}, 5},
		{"Skip panics", value("bad"), nil, true, eval.ReasonPanic, map[string]int{}, 5},
		{"taken before", event.Message{Offset: 4, Value: []byte("x")}, nil, false, "", map[string]int{}, 5},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r, seen := newReader(t, skip)
			r.p.tracker.jump(5)
			r.p.tracker.restore(tt.restored)
			r.msg = tt.message
			r.control = string(tt.message.Value) == "marker"
			if string(tt.message.Value) == "unread" {
				r.msg.Value, r.unread = nil, 1<<40
			}
			wanted, fault := r.inspect()
			if wanted != tt.wanted || eval.ReasonOf(fault) != tt.fault {
				t.Errorf("inspect = %v, %v, want %v, %s", wanted, fault, tt.wanted, tt.fault)
			}
			if fault != nil && !eval.IsPermanent(fault) {
				t.Errorf("%v would be tried again", fault)
			}
			if diff := cmp.Diff(tt.counts, seen.counts); diff != "" {
				t.Errorf("counts (-want +got):\n%s", diff)
			}
			if got := r.p.tracker.progress().next; got != tt.next {
				t.Errorf("next = %d, want %d", got, tt.next)
			}
		})
	}
}

// TestCopyMessage: a copy does not change when the next message is read over the
// original, and null stays different from empty.
func TestCopyMessage(t *testing.T) {
	t.Parallel()
	read := func() event.Message {
		return event.Message{
			Topic: "topic", Partition: 3, Offset: 7, Key: []byte("key"), Value: []byte("value"),
			Headers: []event.Header{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte{}}, {Key: "c"}},
		}
	}
	r, _ := newReader(t, nil)
	r.msg = read()
	r.size = messageBytes(&r.msg)
	kept := r.copyMessage()
	clear(r.msg.Key)
	clear(r.msg.Value)
	clear(r.msg.Headers[0].Value)
	clear(r.msg.Headers)
	if diff := cmp.Diff(read(), kept); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
	_ = append(kept.Key, "overwritten"...)
	if string(kept.Value) != "value" {
		t.Error("what is appended to the key runs into the value")
	}
}

func TestPanicFaultKeepsContentOut(t *testing.T) {
	t.Parallel()
	r, _ := newReader(t, nil)
	for _, v := range []any{"secret words", fmt.Errorf("of secret words"), struct{ s string }{"secret words"}} {
		if text := r.c.panicFault("panicked", &r.msg, v).Error(); strings.Contains(text, "secret") {
			t.Errorf("%T: %q shows the value of the panic", v, text)
		}
	}
	func() {
		defer func() {
			if text := r.c.panicFault("panicked", &r.msg, recover()).Error(); !strings.Contains(text, "index out of range") {
				t.Errorf("%q: the run-time's own words are missing", text)
			}
		}()
		var none []int
		_ = none[len(none)]
	}()
}

// BenchmarkSkip measures an unwanted message, after it is fetched.
func BenchmarkSkip(b *testing.B) {
	r, _ := newReader(b, func(m *event.Message) bool { return len(m.Headers) > 0 })
	r.c.cfg.MaxMessageBytes, r.c.observe = 1<<20, nopObserver{}
	m := &r.msg
	*m = event.Message{Topic: testTopic, Key: []byte("key"), Value: make([]byte, 2000)}
	for i := range 14 {
		m.Headers = append(m.Headers, event.Header{Key: fmt.Sprint("header", i), Value: []byte("value")})
	}
	b.ReportAllocs()
	for b.Loop() {
		if wanted, _ := r.inspect(); wanted {
			b.Fatal("not skipped")
		}
		m.Offset++
	}
}
