package app_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/kafka/consumer"
)

// liveID is the request that is published under a span of a running tracer.
const liveID = "live"

// performance holds the results of a worker that has evaluated the cast and
// stopped.
type performance struct {
	*world
	scenes   []scene
	status   app.Status
	database string // every byte of the store's files, while the worker ran
}

// TestEndToEnd publishes every shape of event, twice, and checks everything that
// leaves the worker.
func TestEndToEnd(t *testing.T) {
	w := newWorld(t, castScript)
	scenes := append(cast(t), scene{
		id: liveID, event: request(liveID, func(e *event.Event) { e.UserRating = "down" }), want: but(right(), "safety", "pass"), mode: child,
	})
	first := play(t, w, scenes)
	t.Run("accounting", first.testAccounting)
	t.Run("verdicts", first.testVerdicts)
	t.Run("offsets", func(t *testing.T) { first.testOffsets(t, len(scenes)) })
	t.Run("dead letters", first.testDeadLetters)
	t.Run("spans", first.testSpans)
	t.Run("original spans", first.testOriginalSpans)
	t.Run("live span", first.testLiveSpan)
	t.Run("score tags", first.testScoreTags)
	t.Run("metrics are those of the table", first.testMetricsTable)
	t.Run("verdict metrics", first.testVerdictMetrics)
	t.Run("request metrics", first.testRequestMetrics)
	t.Run("worker metrics", first.testWorkerMetrics)
	t.Run("cases", first.testCases)
	t.Run("content stays in", first.testContentStaysIn)
	t.Run("secrets stay in", first.testSecretsStayIn)
	t.Run("log", first.testLog)
	before := first.cases(t)

	// The same events once more, as after a crash that lost every commit.
	second := play(t, w, scenes)
	t.Run("again: accounting", second.testAccounting)
	t.Run("again: verdicts", second.testVerdicts)
	t.Run("again: offsets", func(t *testing.T) { second.testOffsets(t, 2*len(scenes)) })
	t.Run("again: cases", func(t *testing.T) {
		sameContent := cmp.Comparer(func(a, b event.Content) bool { return string(a.Raw()) == string(b.Raw()) })
		if d := cmp.Diff(before, second.cases(t), sameContent); d != "" {
			t.Errorf("cases after the same events again (-before +after):\n%s", d)
		}
		if n := second.statsd.Sum("evalworker.cases"); n != 0 {
			t.Errorf("evalworker.cases = %v, want nothing new", n)
		}
	})
}

// play runs a worker on the scenes until all have ended, and stops it.
func play(t *testing.T, w *world, scenes []scene) *performance {
	t.Helper()
	w.withTelemetry()
	w.log, w.seen, w.model.bodies = &book{}, &ledger{}, nil
	p := &performance{world: w, scenes: scenes}
	k := w.start(w.load(w.configure(castPolicy)))
	for _, s := range scenes {
		switch {
		case s.id == liveID:
			span, ctx := tracer.StartSpanFromContext(t.Context(), "llm.request", tracer.ServiceName("support"))
			w.emit(ctx, s.event)
			span.Finish()
		case s.message != nil:
			w.produce(*s.message)
		default:
			w.emit(t.Context(), s.event)
		}
	}
	k.consumed(len(scenes))
	for _, suffix := range []string{"", "-wal", "-shm"} {
		b, err := os.ReadFile(w.store() + suffix)
		if err != nil {
			t.Fatal(err)
		}
		p.database += string(b)
	}
	k.halt()
	p.status = k.Status()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if !w.statsd.Drain(ctx) {
		t.Fatal("metrics did not arrive")
	}
	return p
}

// testAccounting: consumed = unwanted + sampled out + evaluated + dead-lettered = published.
func (p *performance) testAccounting(t *testing.T) {
	want := app.Accounting{Consumed: int64(len(p.scenes))}
	for _, s := range p.scenes {
		switch {
		case s.dead != "":
			want.DeadLettered++
		case s.want == nil:
			want.Unwanted++ // the evaluators have conditions, and rates of 1
		default:
			want.Evaluated++
		}
	}
	if want.Unwanted == 0 || want.DeadLettered == 0 || want.Evaluated == 0 {
		t.Fatalf("the cast lacks a shape: %+v", want)
	}
	if d := cmp.Diff(want, p.status.Events); d != "" || !p.status.Events.Settled() {
		t.Errorf("status (-want +got):\n%s", d)
	}
	sent := app.Accounting{
		Consumed:     int64(p.statsd.Sum("evalworker.events")),
		Unwanted:     int64(p.statsd.Sum("evalworker.events", "outcome:unwanted")),
		SampledOut:   int64(p.statsd.Sum("evalworker.events", "outcome:sampled_out")),
		Evaluated:    int64(p.statsd.Sum("evalworker.events", "outcome:evaluated")),
		DeadLettered: int64(p.statsd.Sum("evalworker.events", "outcome:dead_lettered")),
	}
	if d := cmp.Diff(want, sent); d != "" {
		t.Errorf("evalworker.events (-want +got):\n%s", d)
	}
	for _, s := range p.scenes {
		if n, wanted := p.seen.evaluated()[s.id], s.want != nil; (n == 1) != wanted || n > 1 {
			t.Errorf("%s was evaluated %d times, wanted %v", s.id, n, wanted)
		}
	}
}

// testVerdicts compares each evaluator's answer on each event with the cast.
func (p *performance) testVerdicts(t *testing.T) {
	for _, s := range p.scenes {
		if s.want == nil {
			continue
		}
		got := map[string]string{}
		for _, v := range p.seen.report(t, s.id).Verdicts {
			got[v.Eval] = v.Outcome.String()
			if v.Reason != "" {
				got[v.Eval] += ": " + v.Reason
			}
		}
		if d := cmp.Diff(s.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", s.id, d)
		}
	}
}

// testOffsets: after the stop the group's offsets are at the ends.
func (p *performance) testOffsets(t *testing.T, published int) {
	total := int64(0)
	for id := range int32(partitions) {
		conn, err := kafka.DialLeader(t.Context(), "tcp", p.broker.Addr(), topic, int(id))
		if err != nil {
			t.Fatal(err)
		}
		end, err := conn.ReadLastOffset()
		_ = conn.Close()
		if err != nil {
			t.Fatal(err)
		}
		total += end
		committed, metadata, ok := p.broker.CommittedOffset(group, topic, id)
		if end > 0 && (!ok || committed != end) {
			t.Errorf("partition %d: committed %d with %q, the end is %d", id, committed, metadata, end)
		}
	}
	if total != int64(published) {
		t.Errorf("%d messages in the topic, want %d", total, published)
	}
	if n := p.broker.Members(group); n != 0 {
		t.Errorf("%d members after the stop, want none", n)
	}
}

// testDeadLetters: a message that is not an event is in the dead-letter topic,
// unchanged, with the reason and its origin.
func (p *performance) testDeadLetters(t *testing.T) {
	want := map[string]scene{}
	for _, s := range p.scenes {
		if s.dead != "" {
			want[string(s.id)] = s
		}
	}
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{p.broker.Addr()}, Topic: deadLetters, MaxWait: 50 * time.Millisecond})
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for range len(want) {
		m, err := reader.ReadMessage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		s, ok := want[string(m.Key)]
		if !ok {
			t.Fatalf("a dead letter of %s", m.Key)
		}
		if string(m.Value) != string(s.message.Value) {
			t.Errorf("%s: the value changed", m.Key)
		}
		got := map[string]string{}
		for _, h := range m.Headers {
			got[h.Key] = string(h.Value)
		}
		fault := got[consumer.HeaderError]
		if fault == "" || strings.Contains(fault, word("")) {
			t.Errorf("%s: error %q, want one without content", m.Key, fault)
		}
		headers := map[string]string{
			consumer.HeaderReason: string(s.dead), consumer.HeaderError: fault, consumer.HeaderAttempts: "1", consumer.HeaderOriginTopic: topic,
			consumer.HeaderOriginPartition: got[consumer.HeaderOriginPartition], consumer.HeaderOriginOffset: got[consumer.HeaderOriginOffset],
		}
		for _, h := range s.message.Headers {
			headers[h.Key] = string(h.Value)
		}
		if d := cmp.Diff(headers, got); d != "" {
			t.Errorf("%s: headers (-want +got):\n%s", m.Key, d)
		}
		p.testOrigin(t, m.Key, got)
	}
	if reasons := slices.Sorted(maps.Keys(want)); len(reasons) < 4 {
		t.Errorf("dead letters %v, want every kind", reasons)
	}
}

// testOrigin reads the message that a dead letter says it came from.
func (p *performance) testOrigin(t *testing.T, key []byte, headers map[string]string) {
	var partition int
	var offset int64
	at := headers[consumer.HeaderOriginPartition] + " " + headers[consumer.HeaderOriginOffset]
	if _, err := fmt.Sscan(at, &partition, &offset); err != nil {
		t.Fatalf("%s: origin %q: %v", key, at, err)
	}
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{p.broker.Addr()}, Topic: topic, Partition: partition, MaxWait: 50 * time.Millisecond})
	defer reader.Close()
	if err := reader.SetOffset(offset); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	m, err := reader.ReadMessage(ctx)
	if err != nil || string(m.Key) != string(key) {
		t.Errorf("at the origin of %s stands %s (%v)", key, m.Key, err)
	}
}

// failures returns the failing verdicts of the cast, by evaluator.
func (p *performance) failures() map[string]int { return p.outcomes("fail") }

// outcomes counts the answers of one outcome, by evaluator.
func (p *performance) outcomes(outcome string) map[string]int {
	out := map[string]int{}
	for _, s := range p.scenes {
		for name, answer := range s.want {
			if got, _, _ := strings.Cut(answer, ": "); got == outcome {
				out[name]++
			}
		}
	}
	return out
}

// scenesWanted returns the scenes that are evaluated.
func (p *performance) scenesWanted() []scene {
	return slices.DeleteFunc(slices.Clone(p.scenes), func(s scene) bool { return s.want == nil })
}
