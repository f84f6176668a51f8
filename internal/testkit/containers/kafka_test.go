package containers_test

import (
	"testing"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

// TestKafkaComesBack: a broker that was killed serves again, at the address and
// with the topics that it had.
func TestKafkaComesBack(t *testing.T) {
	t.Parallel()
	containers.NeedEngine(t)
	ctx := t.Context()
	k, err := containers.StartKafka(ctx, containers.KafkaConfig{})
	containers.Need(t, err)
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	topics := []string{"/opt/kafka/bin/kafka-topics.sh", "--bootstrap-server", "localhost:9094"}
	if _, err := k.Exec(ctx, append(topics, "--create", "--topic", "kept")...); err != nil {
		t.Fatal(err)
	}
	if err := k.Kill(ctx); err != nil {
		t.Fatal(err)
	}
	if err := k.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Exec(ctx, append(topics, "--describe", "--topic", "kept")...); err != nil {
		t.Error(err)
	}
}
