package deadletter

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/kafka/consumer"
)

func TestParseID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]ID{"0:0": {0, 0}, "12:9223372036854775807": {12, 9223372036854775807}} {
		if got, err := ParseID(text); err != nil || got != want || got.String() != text {
			t.Errorf("ParseID(%s) = %v, %v", text, got, err)
		}
	}
	for _, bad := range []string{"", "1", ":", "1:", ":1", "-1:1", "1:-1", "a:1", "1:2:3", "1:9223372036854775808", "2147483648:1", "+1:1", " 1:1"} {
		if got, err := ParseID(bad); err == nil {
			t.Errorf("ParseID(%q) = %v", bad, got)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("0:12")
	f.Add("12:9223372036854775808")
	f.Add("::")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := ParseID(s)
		if err != nil {
			return
		}
		if back, err := ParseID(id.String()); err != nil || back != id || id.Partition < 0 || id.Offset < 0 {
			t.Fatalf("%q became %v, which became %v, %v", s, id, back, err)
		}
	})
}

func TestLetterOf(t *testing.T) {
	t.Parallel()
	h := func(key, value string) kafka.Header { return kafka.Header{Key: key, Value: []byte(value)} }
	at := time.Unix(1_750_000_000, 0)
	ours := []kafka.Header{
		h(consumer.HeaderReason, "panic"), h(consumer.HeaderError, "panic: a bug"), h(consumer.HeaderOriginTopic, "events"), h(consumer.HeaderOriginPartition, "3"),
		h(consumer.HeaderOriginOffset, "17"), h(consumer.HeaderAttempts, "1"), h(consumer.HeaderRedrives, "2"), h(consumer.HeaderPrefix+"later", "x"),
	}
	tests := []struct {
		name string
		in   kafka.Record
		want Letter
	}{
		{
			"whole",
			kafka.Record{Offset: 5, Time: at, Key: kafka.NewBytes([]byte("k")), Value: kafka.NewBytes([]byte("v")), Headers: append([]kafka.Header{h("mine", "1")}, ours...)},
			Letter{
				ID: ID{1, 5}, Time: at, Reason: eval.ReasonPanic, Error: "panic: a bug", Origin: Origin{"events", 3, 17}, Attempts: 1, Redrives: 2,
				Key: []byte("k"), Value: []byte("v"), Headers: []event.Header{{Key: "mine", Value: []byte("1")}},
			},
		},
		{"null and empty differ", kafka.Record{Offset: 5, Key: kafka.NewBytes([]byte{})}, Letter{ID: ID{1, 5}, Key: []byte{}}},
		{"foreign", kafka.Record{Offset: 5, Headers: []kafka.Header{{Key: "a"}}}, Letter{ID: ID{1, 5}, Headers: []event.Header{{Key: "a"}}}},
		{
			"an origin that cannot be read is none",
			kafka.Record{Offset: 5, Headers: []kafka.Header{h(consumer.HeaderOriginTopic, "events"), h(consumer.HeaderOriginPartition, "3"), h(consumer.HeaderOriginOffset, "x")}},
			Letter{ID: ID{1, 5}},
		},
		{
			"numbers that are none count as never",
			kafka.Record{Offset: 5, Headers: []kafka.Header{h(consumer.HeaderAttempts, "-1"), h(consumer.HeaderRedrives, "many")}},
			Letter{ID: ID{1, 5}},
		},
		{
			"the largest count of redrives holds",
			kafka.Record{Offset: 5, Headers: []kafka.Header{h(consumer.HeaderRedrives, "3"), h(consumer.HeaderRedrives, "1")}},
			Letter{ID: ID{1, 5}, Redrives: 3},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := letterOf(1, &tt.in)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestAddedKeyIsDropped: a message that had no key has none when it is redriven.
func TestAddedKeyIsDropped(t *testing.T) {
	t.Parallel()
	r := kafka.Record{Key: kafka.NewBytes([]byte("3:17")), Value: kafka.NewBytes([]byte("v")), Headers: []kafka.Header{
		{Key: "mine", Value: []byte("1")}, {Key: consumer.HeaderKeyAdded, Value: []byte("true")},
	}}
	m, err := messageOf(&r)
	if err != nil || m.key != nil || string(m.value) != "v" || len(m.headers) != 1 {
		t.Errorf("message %+v, %v", m, err)
	}
}

// FuzzLetterOf: every client with access can write anything to the topic.
func FuzzLetterOf(f *testing.F) {
	f.Add(consumer.HeaderOriginOffset, []byte("17"), consumer.HeaderOriginPartition, []byte("0"))
	f.Add(consumer.HeaderRedrives, []byte("99999999999999999999"), "traceparent", []byte{0, 0xff})
	f.Fuzz(func(t *testing.T, a string, av []byte, b string, bv []byte) {
		r := kafka.Record{Headers: []kafka.Header{{Key: consumer.HeaderOriginTopic, Value: []byte("t")}, {Key: a, Value: av}, {Key: b, Value: bv}}}
		l, err := letterOf(0, &r)
		if err != nil {
			t.Fatal(err)
		}
		if l.Redrives < 0 || l.Attempts < 0 || l.Origin.Partition < 0 || l.Origin.Offset < 0 {
			t.Fatalf("%+v", l)
		}
	})
}
