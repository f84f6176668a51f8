package telemetry

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/DataDog/dd-trace-go/v2/datastreams"
	"github.com/DataDog/dd-trace-go/v2/datastreams/options"
	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"

	"github.com/evalworker/evalworker/event"
)

// DataStream reports how one consumer group reads one topic to Datadog's Data Streams
// Monitoring. Its methods are safe for concurrent use and do not block: what the tracer
// cannot keep it drops.
type DataStream struct {
	group, topic string
	edge         []string // of the tracer's checkpoints
}

// DataStream returns the stream of a topic and a group; nil when Data Streams are off.
func (t *Telemetry) DataStream(topic, group string) *DataStream {
	if t.discarding() || !t.streams {
		return nil
	}
	return &DataStream{group: group, topic: topic, edge: []string{"direction:in", "topic:" + topic, "type:kafka", "group:" + group}}
}

// Consumed records that a message was read. The pathway of its headers says through
// which services and topics it came, and since when. It keeps nothing of the message.
func (d *DataStream) Consumed(m *event.Message) {
	size := len(m.Key) + len(m.Value)
	for i := range m.Headers {
		size += len(m.Headers[i].Key) + len(m.Headers[i].Value)
	}
	ctx := datastreams.ExtractFromBase64Carrier(context.Background(), pathwayCarrier(m.Headers))
	_, _ = tracer.SetDataStreamsCheckpointWithParams(ctx, options.CheckpointParams{PayloadSize: int64(size)}, d.edge...)
}

// Committed records the offset that the broker has stored for a partition.
func (d *DataStream) Committed(partition int, offset int64) {
	tracer.TrackKafkaCommitOffset(d.group, d.topic, int32(partition), offset) //nolint:gosec // Kafka numbers partitions with 32 bits
}

// dataStreamsVariable is the tracer's only switch of Data Streams.
const dataStreamsVariable = "DD_DATA_STREAMS_ENABLED"

// withDataStreams calls start, which starts the tracer, with the switch on if the
// configuration says so and the environment says nothing.
func withDataStreams(on bool, start func() error) error {
	if !on || os.Getenv(dataStreamsVariable) != "" {
		return start()
	}
	if err := os.Setenv(dataStreamsVariable, "true"); err != nil {
		return fmt.Errorf("data streams: %w", err)
	}
	return errors.Join(start(), os.Unsetenv(dataStreamsVariable))
}

// pathwayCarrier finds the one header that the tracer asks for, without turning the
// others into strings.
type pathwayCarrier []event.Header

func (c pathwayCarrier) Get(key string) (string, bool) {
	for i := range c {
		if c[i].Key == key {
			return string(c[i].Value), true
		}
	}
	return "", false
}

func (c pathwayCarrier) ForeachKey(handle func(key, value string) error) error {
	for i := range c {
		if err := handle(c[i].Key, string(c[i].Value)); err != nil {
			return err
		}
	}
	return nil
}
