package faults

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

// suite holds what the rows share. Only one row runs at a time.
type suite struct {
	t      *testing.T
	binary string
	kafka  *containers.Kafka // started by the first row that needs it
	detour *forwarder        // another way to it

	postgres *containers.Postgres // likewise
}

// newSuite builds the program.
func newSuite(t *testing.T) *suite {
	t.Helper()
	s := &suite{t: t, binary: filepath.Join(t.TempDir(), "evalworker")}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", s.binary, "github.com/evalworker/evalworker/cmd/evalworker")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build evalworker: %v\n%s", err, out)
	}
	return s
}

// broker returns the broker of all rows that do not break it for good. A row
// restores what it kills or pauses.
func (s *suite) broker(ctx context.Context) (*containers.Kafka, error) {
	if s.kafka == nil {
		detour := newForwarder(s.t, "127.0.0.1:0")
		cfg := kafkaConfig()
		cfg.Detour = func(int) string { return detour.addr }
		k, err := containers.StartKafka(ctx, cfg)
		if err != nil {
			return nil, err
		}
		detour.towards(k.Behind())
		s.kafka, s.detour = k, detour
		s.t.Cleanup(func() {
			if err := k.Close(); err != nil {
				s.t.Error(err)
			}
		})
	}
	return s.kafka, nil
}

// database returns the database server that rows share. A row restores what it
// kills or pauses.
func (s *suite) database() *containers.Postgres {
	s.t.Helper()
	if s.postgres == nil {
		p, err := containers.StartPostgres(s.t.Context())
		if err != nil {
			s.t.Fatal(err)
		}
		s.postgres = p
		s.t.Cleanup(func() {
			if err := p.Close(); err != nil {
				s.t.Error(err)
			}
		})
	}
	return s.postgres
}

// kafkaConfig makes brokers that create no topic on a look-up: kafka-go's look-ups
// would bring a deleted topic back, with one partition.
func kafkaConfig() containers.KafkaConfig {
	return containers.KafkaConfig{Env: map[string]string{"KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false"}}
}
