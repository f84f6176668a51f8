package telemetry

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

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

	mu       sync.Mutex
	pathways map[string]struct{} // guarded by mu; the hashes that messages brought since the time
	since    time.Time           // guarded by mu
}

// The tracer keeps kilobytes for each pathway, which any producer of the topic can make
// up, and has no bound of its own: of those beyond the bound a message begins its own.
const (
	maxPathways   = 2000
	pathwaysReset = time.Minute // the tracer has sent, and forgotten, the earlier ones
)

// takes reports whether the pathway of a header, in base64, is one of those that are kept.
func (d *DataStream) takes(header string, now time.Time) bool {
	hash := header[:min(len(header), 11)] // holds its 64 bits, and two of the time
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.pathways == nil || now.Sub(d.since) >= pathwaysReset {
		d.pathways, d.since = map[string]struct{}{}, now
	}
	if _, known := d.pathways[hash]; !known {
		if len(d.pathways) >= maxPathways {
			return false
		}
		d.pathways[strings.Clone(hash)] = struct{}{}
	}
	return true
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
	ctx := context.Background()
	if header, ok := pathwayCarrier(m.Headers).Get(pathwayHeader); ok && d.takes(header, time.Now()) {
		ctx = datastreams.ExtractFromBase64Carrier(ctx, pathwayCarrier(m.Headers))
	}
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

// pathwayHeader is the header with a pathway.
const pathwayHeader = "dd-pathway-ctx-base64"

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
