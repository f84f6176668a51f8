package broker

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/evalworker/evalworker/internal/testkit/leaks"
)

func TestMain(m *testing.M) { leaks.Main(m) }

func TestStartValidates(t *testing.T) {
	t.Parallel()
	for name, cfg := range map[string]Config{
		"topic without partitions": {Topics: map[string]int32{"a": 0}},
		"topic without a name":     {Topics: map[string]int32{"": 1}},
		"address without a port":   {Addr: "localhost"},
		"negative session":         {MinSessionTimeout: -time.Second},
		"negative size":            {MaxMessageBytes: -1},
		"user without a mechanism": {Users: []User{{Name: "a"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, err := Start(cfg)
			if err == nil {
				b.Close()
				t.Fatal("Start accepted it")
			}
		})
	}
}

func TestWhatIsWrittenCanBeRead(t *testing.T) {
	t.Parallel()
	b, err := Start(Config{Topics: map[string]int32{"seeded": 2}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if err := b.CreateTopic("made", 1); err != nil {
		t.Fatal(err)
	}
	if err := b.CreateTopic("made", 1); err == nil {
		t.Error("CreateTopic made the same topic twice")
	}
	for _, topic := range []string{"seeded", "made"} {
		if got := roundTrip(t, b, topic); got != "value" {
			t.Errorf("read %q from %s, want %q", got, topic, "value")
		}
	}
	if err := b.DeleteTopic("made"); err != nil {
		t.Error(err)
	}
	if err := b.DeleteTopic("made"); err == nil {
		t.Error("DeleteTopic removed the same topic twice")
	}
}

func TestABrokerComesBackInItsPlace(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := Start(Config{Topics: map[string]int32{"events": 1}, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	addr := b.Addr()
	if got := roundTrip(t, b, "events"); got != "value" {
		t.Errorf("read %q, want %q", got, "value")
	}
	b.Close()
	b.Close() // harmless

	again, err := Start(Config{Addr: addr, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(again.Close)
	if again.Addr() != addr {
		t.Errorf("Addr = %s, want %s", again.Addr(), addr)
	}
	if got := read(t, again, "events"); got != "value" {
		t.Errorf("read %q after the restart, want %q", got, "value")
	}
}

func TestGroupStateIsVisible(t *testing.T) {
	t.Parallel()
	b, err := Start(Config{Topics: map[string]int32{"events": 1}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	if _, _, ok := b.CommittedOffset("nobody", "events", 0); ok || b.Members("nobody") != 0 {
		t.Error("a group that never was has state")
	}
	roundTrip(t, b, "events")
	c := client(t, b, kgo.ConsumerGroup("g"), kgo.ConsumeTopics("events"), kgo.DisableAutoCommit())
	fetches := c.PollFetches(t.Context())
	if err := fetches.Err(); err != nil {
		t.Fatal(err)
	}
	if n := b.Members("g"); n != 1 {
		t.Errorf("Members = %d, want 1", n)
	}
	if err := c.CommitRecords(t.Context(), fetches.Records()...); err != nil {
		t.Fatal(err)
	}
	if offset, _, ok := b.CommittedOffset("g", "events", 0); !ok || offset != 1 {
		t.Errorf("CommittedOffset = %d, %v, want 1, true", offset, ok)
	}
}

func roundTrip(t *testing.T, b *Broker, topic string) string {
	t.Helper()
	c := client(t, b)
	if err := c.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("value")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return read(t, b, topic)
}

func read(t *testing.T, b *Broker, topic string) string {
	t.Helper()
	c := client(t, b, kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	fetches := c.PollFetches(t.Context())
	if err := fetches.Err(); err != nil {
		t.Fatal(err)
	}
	values := []string{}
	for _, r := range fetches.Records() {
		values = append(values, string(r.Value))
	}
	if diff := cmp.Diff([]string{"value"}, values); diff != "" {
		t.Fatalf("records (-want +got):\n%s", diff)
	}
	return values[0]
}

func client(t *testing.T, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}
