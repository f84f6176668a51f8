package deadletter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/broker"
	"github.com/evalworker/evalworker/kafka/consumer"
)

// TestRedrive: once the worker is fixed, letters are redriven unchanged, handled, and
// not redriven again.
func TestRedrive(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	odd := newEvent("odd")
	odd.Headers = append(odd.Headers, kafka.Header{Key: "binary", Value: []byte{0, 0xff, '\n'}}, kafka.Header{Key: "empty", Value: []byte{}}, kafka.Header{Key: "twice", Value: []byte("1")}, kafka.Header{Key: "twice", Value: []byte("2")})
	keyless := newEvent("keyless")
	keyless.Key = nil
	b.write(b.cfg.Topic, 0, newEvent("good"), odd, keyless, kafka.Record{Key: kafka.NewBytes([]byte("null"))})
	broken := b.work(func(m event.Message) error {
		if string(m.Key) == "good" {
			return nil
		}
		panic("a bug")
	})
	b.committed(4)
	broken.stop()
	want := []string{"0:0 odd panic", "0:1  panic", "0:2 null panic"}
	got, sum := b.list(Filter{})
	if diff := cmp.Diff(want, sortedByOffset(got)); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
	if sum.Letters != 3 || sum.Redriven != 0 || len(sum.Reasons) != 1 || sum.Reasons[0].Letters != 3 {
		t.Errorf("summary %+v", sum)
	}

	// A null value is not an event, so it needs Force.
	results, totals := b.redrive(Filter{Reason: eval.ReasonPanic}, DefaultOptions())
	if diff := cmp.Diff(Totals{Redriven: 2, Skipped: 1}, totals); diff != "" {
		t.Errorf("%v (-want +got):\n%s", results, diff)
	}
	results, totals = b.redrive(Filter{}, Options{MaxRedrives: 3, Force: true})
	if diff := cmp.Diff(Totals{Redriven: 1, AlreadyRedriven: 2}, totals); diff != "" {
		t.Errorf("%v (-want +got):\n%s", results, diff)
	}
	if _, totals = b.redrive(Filter{}, DefaultOptions()); totals != (Totals{AlreadyRedriven: 3}) {
		t.Errorf("a second run: %+v", totals)
	}

	mended := b.work(func(event.Message) error { return nil })
	b.committed(7)
	mended.stop()
	seen := map[string]event.Message{}
	for _, m := range mended.messages() {
		seen[string(m.Key)] = m
	}
	if len(seen) != 3 || len(mended.messages()) != 3 {
		t.Fatalf("%d messages handled, want 3", len(mended.messages()))
	}
	for key, want := range map[string]kafka.Record{"odd": odd, "": keyless, "null": {}} {
		m := seen[key]
		var headers []event.Header
		for _, h := range want.Headers {
			headers = append(headers, event.Header(h))
		}
		headers = append(headers, event.Header{Key: consumer.HeaderRedrives, Value: []byte("1")})
		// kafka-go's Reader, which workers use, returns null for empty.
		if diff := cmp.Diff(headers, m.Headers, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("headers of %q (-want +got):\n%s", key, diff)
		}
		// Sampling reads the same data, so it decides the same.
		before, _ := event.EnvelopeFromHeaders(headers[:len(headers)-1])
		after, ok := event.EnvelopeFromHeaders(m.Headers)
		if before != after || ok != (key != "null") {
			t.Errorf("envelope of %q: %+v, was %+v", key, after, before)
		}
		if (m.Value == nil) != (want.Value == nil) || (m.Key == nil) != (key == "") {
			t.Errorf("%q: key %q, value %q", key, m.Key, m.Value)
		}
	}
	if got := string(seen["odd"].Value); got != `{"event":"llm_request_completed","request_id":"odd"}` {
		t.Errorf("value %q", got)
	}
	if got, _ := b.list(Filter{}); len(got) != 0 {
		t.Errorf("still waiting: %v", got)
	}
}

// sortedByOffset: letters of one batch of messages die in any order.
func sortedByOffset(lines []string) []string {
	keys := map[string]string{}
	for _, l := range lines {
		id, rest, _ := strings.Cut(l, " ")
		keys[rest] = id
	}
	var out []string
	for i, k := range []string{"odd panic", " panic", "null panic"} {
		if _, ok := keys[k]; ok {
			out = append(out, fmt.Sprintf("0:%d %s", i, k))
		}
	}
	return out
}

// TestLoopEnds: a message that dies each time is redriven three times, and then
// skipped.
func TestLoopEnds(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.write(b.cfg.Topic, 0, newEvent("poison"))
	w := b.work(func(event.Message) error { panic("always") })
	for n := range 3 {
		b.committed(int64(n) + 1)
		if got, totals := b.redrive(Filter{}, DefaultOptions()); totals != (Totals{Redriven: 1, AlreadyRedriven: n}) {
			t.Fatalf("redrive %d: %v, %+v", n+1, got, totals)
		}
	}
	b.committed(4)
	got, totals := b.redrive(Filter{}, DefaultOptions())
	if diff := cmp.Diff([]string{"poison refused redrives"}, got); diff != "" || totals != (Totals{Skipped: 1, AlreadyRedriven: 3}) {
		t.Errorf("fourth: %+v (-want +got):\n%s", totals, diff)
	}
	if got, totals := b.redrive(Filter{}, Options{MaxRedrives: 4}); totals.Redriven != 1 {
		t.Errorf("with one more allowed: %v, %+v", got, totals)
	}
	b.committed(5)
	w.stop()
	if n := len(w.messages()); n != 5 {
		t.Errorf("handled %d times, want 5", n)
	}
}

// TestSkips: letters that cannot or must not be redriven are skipped with the reason.
func TestSkips(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.cfg.MaxMessageBytes = 2000
	h := func(key, value string) kafka.Header { return kafka.Header{Key: key, Value: []byte(value)} }
	broken := b.letter("broken", eval.ReasonMalformed, 1)
	broken.Value = kafka.NewBytes([]byte(`{"event":"llm_request_completed","output":"no id"}`))
	large := b.letter("large", eval.ReasonTooLarge, 2)
	large.Value = kafka.NewBytes([]byte(`{"event":"llm_request_completed","request_id":"large","output":"` + strings.Repeat("x", 3000) + `"}`))
	other := b.letter("other", eval.ReasonPanic, 3)
	other.Headers = append(other.Headers, h(consumer.HeaderOriginTopic, "elsewhere"))
	b.write(b.cfg.DeadLetters(), 0,
		broken, large, other,
		newEvent("foreign"),
		b.letter("worn", eval.ReasonPanic, 4, h(consumer.HeaderRedrives, "3")),
		b.letter("gone", eval.ReasonPanic, 5, h(consumer.HeaderTruncated, consumer.TruncatedValue)),
		b.letter("odd count", eval.ReasonPanic, 6, h(consumer.HeaderRedrives, "-1")),
	)
	want := []string{
		"broken refused hopeless", "large refused hopeless", "other refused other_topic", "foreign refused foreign",
		"worn refused redrives", "gone refused truncated", "odd count redriven",
	}
	got, totals := b.redrive(Filter{}, DefaultOptions())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if totals != (Totals{Redriven: 1, Skipped: 6}) {
		t.Errorf("totals %+v", totals)
	}
	// What was skipped is neither published nor marked.
	if diff := cmp.Diff([]string{"odd count"}, keys(b.messages(b.cfg.Topic, 0))); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
	if _, sum := b.list(Filter{}); sum.Letters != 6 || sum.Redriven != 1 {
		t.Errorf("summary %+v", sum)
	}
	got, totals = b.redrive(Filter{IDs: []ID{{0, 0}, {0, 6}, {0, 7}, {0, 99}, {9, 0}}}, Options{MaxRedrives: 3, Force: true})
	if diff := cmp.Diff([]string{" refused not_found", " refused not_found", "odd count refused redriven", "broken redriven"}, got); diff != "" {
		t.Errorf("by id, with force (-want +got):\n%s", diff)
	}
	if totals != (Totals{Redriven: 1, Skipped: 3}) {
		t.Errorf("totals %+v", totals)
	}
}

// TestFateCountsTheRedrive: WouldDie and a redrive judge the same size, with the header
// that the redrive adds.
func TestFateCountsTheRedrive(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.write(b.cfg.DeadLetters(), 0, b.letter("edge", eval.ReasonPanic, 1))
	l, err := b.open().Letter(t.Context(), ID{0, 0})
	if err != nil {
		t.Fatal(err)
	}
	more := len(consumer.HeaderRedrives) + len("1")
	for _, tt := range []struct {
		limit int
		want  string
	}{{l.Bytes() + more - 1, "edge refused hopeless"}, {l.Bytes() + more, "edge redriven"}} {
		q := b.open()
		q.cfg.MaxMessageBytes = tt.limit
		got, _ := redriveWith(t, q, Filter{}, Options{MaxRedrives: 1, DryRun: true})
		if diff := cmp.Diff([]string{tt.want}, got); diff != "" {
			t.Errorf("redrive at a limit of %d (-want +got):\n%s", tt.limit, diff)
		}
		if fate, refused := q.WouldDie(l), strings.Contains(tt.want, "refused"); refused != (fate != "") {
			t.Errorf("at a limit of %d bytes a look says %q, and a redrive %v", tt.limit, fate, got)
		}
	}
}

func TestDryRunChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.write(b.cfg.DeadLetters(), 0, b.letter("a", eval.ReasonPanic, 0), b.letter("b", eval.ReasonPanic, 1), b.letter("a", eval.ReasonPanic, 0))
	for range 2 {
		got, totals := b.redrive(Filter{}, Options{MaxRedrives: 3, DryRun: true})
		if diff := cmp.Diff([]string{"a redriven", "b redriven", "a duplicate"}, got); diff != "" || totals != (Totals{Redriven: 2, Duplicates: 1}) {
			t.Errorf("%+v (-want +got):\n%s", totals, diff)
		}
	}
	if diff := cmp.Diff([][]int64{{0}, {3}}, [][]int64{b.ends(b.cfg.Topic), b.ends(b.cfg.DeadLetters())}); diff != "" {
		t.Errorf("ends of both topics (-want +got):\n%s", diff)
	}
}

// TestDuplicates: of two letters of one message one is redriven and both are marked,
// whether they are in one batch or not.
func TestDuplicates(t *testing.T) {
	t.Parallel()
	for _, size := range []int{1, 2, 100} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, 2)
			b.write(b.cfg.DeadLetters(), 0, b.letter("a", eval.ReasonPanic, 0), b.letter("a", eval.ReasonPanic, 0), b.letter("b", eval.ReasonPanic, 1))
			b.write(b.cfg.DeadLetters(), 1, b.letter("b", eval.ReasonPanic, 1))
			q := b.open()
			q.batchSize = size
			got, _ := redriveWith(t, q, Filter{}, DefaultOptions())
			if diff := cmp.Diff([]string{"a redriven", "a duplicate", "b redriven", "b duplicate"}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff([]string{"a", "b"}, keys(b.messages(b.cfg.Topic, 0))); diff != "" {
				t.Errorf("published (-want +got):\n%s", diff)
			}
			if _, totals := b.redrive(Filter{}, DefaultOptions()); totals != (Totals{AlreadyRedriven: 4}) {
				t.Errorf("a second run: %+v", totals)
			}
		})
	}
}

// TestAMissingMarkRepeatsOneBatch: after a run that ends between publishing and
// marking, the next publishes one batch again, and no more.
func TestAMissingMarkRepeatsOneBatch(t *testing.T) {
	t.Parallel()
	const letters, batch = 10, 3
	b := newBench(t, 1)
	for i := range letters {
		b.write(b.cfg.DeadLetters(), 0, b.letter(fmt.Sprintf("k%d", i), eval.ReasonPanic, i))
	}
	q := b.open()
	q.batchSize, q.retryLimit = batch, 2*time.Second
	var restore func()
	var done []string
	_, err := q.Redrive(t.Context(), Filter{}, DefaultOptions(), func(r Result) error {
		done = append(done, string(r.Letter.Key))
		if len(done) == batch { // the first batch is marked, the second will not be
			restore = b.broker.RefuseWrites(b.cfg.DeadLetters())
		}
		return nil
	})
	if !errors.Is(err, kafka.NotEnoughReplicas) || !strings.Contains(err.Error(), "mark in events.dead/0 the 3 letters from 0:3 on") {
		t.Fatalf("Redrive: %v", err)
	}
	if diff := cmp.Diff([]string{"k0", "k1", "k2"}, done); diff != "" {
		t.Errorf("reported (-want +got):\n%s", diff)
	}
	restore()
	if _, totals := b.redrive(Filter{}, DefaultOptions()); totals != (Totals{Redriven: letters - batch, AlreadyRedriven: batch}) {
		t.Errorf("the next run: %+v", totals)
	}
	want := []string{"k0", "k1", "k2", "k3", "k3", "k4", "k4", "k5", "k5", "k6", "k7", "k8", "k9"}
	if diff := cmp.Diff(want, keys(b.messages(b.cfg.Topic, 0))); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
}

// TestAnInterruptEndsBetweenBatches: what was published is marked, so the next run goes
// on exactly there.
func TestAnInterruptEndsBetweenBatches(t *testing.T) {
	t.Parallel()
	const letters = 7
	b := newBench(t, 1)
	var want []string
	for i := range letters {
		want = append(want, fmt.Sprintf("k%d", i))
		b.write(b.cfg.DeadLetters(), 0, b.letter(want[i], eval.ReasonPanic, i))
	}
	q := b.open()
	q.batchSize = 2
	ctx, cancel := context.WithCancel(t.Context())
	totals, err := q.Redrive(ctx, Filter{}, DefaultOptions(), func(Result) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) || totals.Redriven != 2 {
		t.Fatalf("Redrive: %v, %+v", err, totals)
	}
	if _, totals := b.redrive(Filter{}, DefaultOptions()); totals != (Totals{Redriven: letters - 2, AlreadyRedriven: 2}) {
		t.Errorf("the next run: %+v", totals)
	}
	if diff := cmp.Diff(want, keys(b.messages(b.cfg.Topic, 0))); diff != "" {
		t.Errorf("published (-want +got):\n%s", diff)
	}
}

// TestTruncated: what a letter lacks is fetched from its origin, if the message there
// is still the same.
func TestTruncated(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, func(c *broker.Config) { c.MaxMessageBytes = 2000 })
	text := func(n int) string {
		return `{"event":"llm_request_completed","request_id":"r","output":"` + strings.Repeat("x", n) + `"}`
	}
	tail := kafka.Record{Key: kafka.NewBytes([]byte("value")), Value: kafka.NewBytes([]byte(text(1780))), Headers: []kafka.Header{{Key: "h", Value: []byte("1")}}}
	heads := kafka.Record{Value: kafka.NewBytes([]byte(text(10))), Headers: []kafka.Header{{Key: "h", Value: []byte(strings.Repeat("y", 1780))}}}
	b.write(b.cfg.Topic, 0, newEvent("first"))
	b.write(b.cfg.Topic, 0, tail)
	b.write(b.cfg.Topic, 0, heads)
	w := b.work(func(m event.Message) error {
		if string(m.Key) == "first" {
			return nil
		}
		panic("a bug")
	})
	b.committed(3)
	w.stop()
	var truncated []string
	if _, err := b.open().List(t.Context(), Filter{}, false, nil, func(l *Letter) error {
		trace, err := b.open().OriginState(t.Context(), l)
		truncated = append(truncated, fmt.Sprintf("%d %s %s", l.Origin.Offset, l.Truncated, trace))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if len(truncated) != 2 || !strings.Contains(strings.Join(truncated, ","), "1 value there") || !strings.Contains(strings.Join(truncated, ","), "2 value,headers there") {
		t.Fatalf("letters %v", truncated)
	}
	if got, totals := b.redrive(Filter{}, DefaultOptions()); totals != (Totals{Redriven: 2}) {
		t.Fatalf("%v %+v", got, totals)
	}
	published := b.messages(b.cfg.Topic, 0)[3:]
	if len(published) != 2 {
		t.Fatalf("%d published", len(published))
	}
	for _, m := range published {
		headers := map[string]int{}
		for _, h := range m.headers {
			headers[h.Key] = len(h.Value)
		}
		switch string(m.key) {
		case "value":
			if string(m.value) != text(1780) || headers["h"] != 1 || headers[consumer.HeaderRedrives] != 1 {
				t.Errorf("value: %d bytes, headers %v", len(m.value), headers)
			}
		default:
			if string(m.value) != text(10) || headers["h"] != 1780 || headers[consumer.HeaderRedrives] != 1 {
				t.Errorf("headers: %d bytes, headers %v", len(m.value), headers)
			}
		}
	}
}

// TestTooManyHeaders: a message whose letter has none of its headers, because there are
// more than a worker reads, would die again.
func TestTooManyHeaders(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	many := newEvent("many")
	many.Headers = make([]kafka.Header, consumer.MaxHeaders+1)
	b.write(b.cfg.Topic, 0, many)
	w := b.work(func(event.Message) error { return nil })
	b.committed(1)
	w.stop()
	var found []string
	if _, err := b.open().List(t.Context(), Filter{}, false, nil, func(l *Letter) error {
		state, err := b.open().OriginState(t.Context(), l)
		found = append(found, fmt.Sprintf("%s %s %d bytes of value, origin %s", l.Reason, l.Truncated, len(l.Value), state))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	value, err := kafka.ReadAll(newEvent("many").Value)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{fmt.Sprintf("too_large headers %d bytes of value, origin there", len(value))}, found); diff != "" {
		t.Errorf("letter (-want +got):\n%s", diff)
	}
	q := b.open()
	var refused []string
	if _, err := q.Redrive(t.Context(), Filter{}, DefaultOptions(), func(r Result) error {
		refused = append(refused, string(r.Skip)+": "+r.Detail)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"hopeless: it would die again: too_large: 10002 headers, of which 10000 are allowed"}, refused); diff != "" {
		t.Errorf("redrive (-want +got):\n%s", diff)
	}
}

// TestTruncatedAndGone: a message that retention has deleted cannot be redriven, and
// another one in its place is not mistaken for it.
func TestTruncatedAndGone(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1)
	b.write(b.cfg.Topic, 0, newEvent("deleted"), newEvent("other"), newEvent("same"))
	if err := b.broker.DeleteRecords(b.cfg.Topic, 0, 1); err != nil {
		t.Fatal(err)
	}
	truncated := kafka.Header{Key: consumer.HeaderTruncated, Value: []byte(consumer.TruncatedValue)}
	late := b.letter("early", eval.ReasonPanic, 2, kafka.Header{Key: consumer.HeaderTruncated, Value: []byte(consumer.TruncatedAll)})
	late.Time = time.Now().Add(-time.Hour) // died before the message at that place was published
	letters := []kafka.Record{
		b.letter("deleted", eval.ReasonPanic, 0, truncated), b.letter("replaced", eval.ReasonPanic, 1, truncated),
		b.letter("beyond", eval.ReasonPanic, 7, truncated), late, b.letter("same", eval.ReasonPanic, 2, truncated),
	}
	for i := range letters {
		if letters[i].Time.IsZero() {
			letters[i].Time = time.Now()
		}
		letters[i].Value = nil
	}
	b.write(b.cfg.DeadLetters(), 0, letters...)
	want := []string{"deleted refused truncated", "replaced refused truncated", "beyond refused truncated", "early refused truncated", "same redriven"}
	got, _ := b.redrive(Filter{}, DefaultOptions())
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestTooLargeForOneRequest: letters that are too large together are published one by
// one, and one that the broker never accepts is skipped.
func TestTooLargeForOneRequest(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, func(c *broker.Config) { c.MaxMessageBytes = 2000 })
	for i := range 3 {
		r := b.letter(fmt.Sprint(i), eval.ReasonPanic, i)
		r.Headers = append(r.Headers, kafka.Header{Key: "noise", Value: noise(1200)})
		b.write(b.cfg.DeadLetters(), 0, r)
	}
	got, totals := b.redrive(Filter{}, DefaultOptions())
	if diff := cmp.Diff([]string{"0 redriven", "1 redriven", "2 redriven"}, got); diff != "" || totals.Redriven != 3 {
		t.Errorf("(-want +got):\n%s", diff)
	}
	q := b.open()
	whole := &Letter{ID: ID{0, 0}, Origin: Origin{b.cfg.Topic, 0, 0}}
	it := item{letter: whole, message: &message{value: noise(4000)}}
	batch := batch{partition: 0, items: []item{it}}
	if err := q.deliver(t.Context(), []int{0}, &batch); err != nil || !batch.items[0].rejected || batch.items[0].sent {
		t.Errorf("deliver: %v, %+v", err, batch.items[0])
	}
}

// noise returns bytes that no compression shrinks.
func noise(n int) []byte {
	out, x := make([]byte, n), uint32(1)
	for i := range out {
		x = x*1664525 + 1013904223
		out[i] = byte(x >> 24)
	}
	return out
}
