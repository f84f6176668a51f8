package agent

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"testing"

	"github.com/DataDog/dd-trace-go/v2/datastreams"
	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
	"github.com/tinylib/msgp/msgp"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/telemetry"
)

// streamStats is what the agent passes on about data streams, as far as the test reads it.
type streamStats struct {
	Stats []struct {
		Stats []struct {
			EdgeTags         []string
			Hash, ParentHash uint64
			PathwayLatency   []byte
		}
		Backlogs []struct {
			Tags  []string
			Value int64
		}
	}
}

type pathway map[string]string

func (p pathway) Set(key, value string) { p[key] = value }

// TestDataStreams: a message that came with a pathway continues it, and the committed
// offset is a backlog of the group, when Data Streams are on. When they are off, nothing
// is reported.
func TestDataStreams(t *testing.T) {
	for name, tt := range map[string]struct {
		on   bool
		env  string
		want bool
	}{
		"off": {false, "", false}, "on": {true, "", true}, "off by the environment": {true, "false", false}, "on by the environment": {false, "true", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("DD_DATA_STREAMS_ENABLED", tt.env)
			p := start(t, false)
			w := worker(t, p, func(c *telemetry.Config) { c.DataStreams = tt.on })
			stream := w.DataStream("llm.requests.completed", "evalworker")
			if (stream != nil) != tt.want {
				t.Fatalf("stream %v", stream)
			}
			if tt.want {
				// What an instrumented producer does.
				ctx, ok := tracer.SetDataStreamsCheckpoint(t.Context(), "direction:out", "topic:llm.requests.completed", "type:kafka")
				headers := pathway{}
				datastreams.InjectToBase64Carrier(ctx, headers)
				if !ok || len(headers) != 1 {
					t.Fatalf("headers %v", headers)
				}
				m := event.Message{Value: []byte("value"), Headers: []event.Header{{Key: "event", Value: []byte("x")}}}
				for key, value := range headers {
					m.Headers = append(m.Headers, event.Header{Key: key, Value: []byte(value)})
				}
				stream.Consumed(&m)
				stream.Committed(3, 42)
			}
			if err := w.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			checkStreams(t, p.intake("/api/v0.1/pipeline_stats"), tt.want)
		})
	}
}

func checkStreams(t *testing.T, requests []sent, want bool) {
	t.Helper()
	hashes := map[string][2]uint64{} // by direction: own and parent
	committed := int64(-1)
	for _, r := range requests {
		stats := decodeStreams(t, r.body)
		for _, bucket := range stats.Stats {
			for _, s := range bucket.Stats {
				hashes[s.EdgeTags[0]] = [2]uint64{s.Hash, s.ParentHash}
				if len(s.PathwayLatency) == 0 {
					t.Errorf("%v has no latency", s.EdgeTags)
				}
			}
			for _, b := range bucket.Backlogs {
				if len(b.Tags) == 4 && b.Tags[3] == "type:kafka_commit" {
					committed = b.Value
				}
			}
		}
	}
	out, in := hashes["direction:out"], hashes["direction:in"]
	switch {
	case !want && len(requests) > 0:
		t.Errorf("%d requests", len(requests))
	case want && (in[0] == 0 || in[1] != out[0] || committed != 42):
		t.Errorf("pathways %v, committed %d", hashes, committed)
	}
}

// decodeStreams reads the compressed MessagePack of one request.
func decodeStreams(t *testing.T, body []byte) (stats streamStats) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	if _, err := msgp.CopyToJSON(&text, z); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text.Bytes(), &stats); err != nil {
		t.Fatalf("%v: %s", err, base64.StdEncoding.EncodeToString(body))
	}
	return stats
}
