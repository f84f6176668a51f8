package fetch

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"testing"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/evalworker/evalworker/event"
)

// BenchmarkRecords reads a batch of 500 events of 2 KB with 14 headers each, as the
// emitter publishes them, with this package and with kafka-go. The time is per record.
func BenchmarkRecords(b *testing.B) {
	const n = 500
	messages := make([]event.Message, n)
	for i := range messages {
		value := bytes.Repeat(fmt.Appendf(nil, `{"id":%d,"text":"some words of an answer"}`, i), 50)
		messages[i] = event.Message{Key: fmt.Append(nil, "key", i), Value: value[:2000]}
		for h := range 14 {
			messages[i].Headers = append(messages[i].Headers, event.Header{Key: fmt.Sprint("evalworker-header-", h), Value: fmt.Append(nil, "value", h)})
		}
	}
	for name, kind := range map[string]protocol.Attributes{"snappy": protocol.Snappy, "uncompressed": 0} {
		batch := encode(b, kind, messages...)
		b.Run(name+"/fetch", func(b *testing.B) {
			var (
				r records
				m event.Message
			)
			b.ReportAllocs()
			for left := 0; b.Loop(); left-- {
				if left == 0 {
					r.close()
					if err := r.reset(batch); err != nil {
						b.Fatal(err)
					}
					left = n
				}
				if err := r.next(&m); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/kafka-go", func(b *testing.B) {
			answer := append(binary.BigEndian.AppendUint32(nil, uint32(len(batch))), batch...)
			var set protocol.RecordSet
			b.ReportAllocs()
			for left := 0; b.Loop(); left-- {
				if left == 0 {
					if _, err := set.ReadFrom(bytes.NewReader(answer)); err != nil {
						b.Fatal(err)
					}
					left = n
				}
				r, err := set.Records.ReadRecord()
				if err != nil {
					b.Fatal(err)
				}
				for _, part := range []kafka.Bytes{r.Key, r.Value} {
					if _, err := io.Copy(io.Discard, part); err != nil {
						b.Fatal(err)
					}
					_ = part.Close()
				}
			}
		})
	}
}
