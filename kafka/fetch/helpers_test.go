package fetch

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"

	"github.com/evalworker/evalworker/event"
)

// encode makes a record batch as kafka-go writes it.
func encode(t testing.TB, attributes protocol.Attributes, messages ...event.Message) []byte {
	t.Helper()
	rs := make([]protocol.Record, 0, len(messages))
	for _, m := range messages {
		r := protocol.Record{Time: m.Time}
		if m.Key != nil {
			r.Key = protocol.NewBytes(m.Key)
		}
		if m.Value != nil {
			r.Value = protocol.NewBytes(m.Value)
		}
		for _, h := range m.Headers {
			r.Headers = append(r.Headers, kafka.Header(h))
		}
		rs = append(rs, r)
	}
	var out bytes.Buffer
	set := protocol.RecordSet{Version: 2, Attributes: attributes, Records: protocol.NewRecordReader(rs...)}
	if _, err := set.WriteTo(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()[4:]
}

// at moves a batch to an offset, which its checksum does not cover.
func at(batch []byte, base int64) []byte {
	batch = bytes.Clone(batch)
	binary.BigEndian.PutUint64(batch, uint64(base))
	return batch
}

// seal makes length and checksum of a batch right.
func seal(batch []byte) []byte {
	binary.BigEndian.PutUint32(batch[lengthAt:], uint32(len(batch)-lengthEnd))
	binary.BigEndian.PutUint32(batch[crcAt:], crc32.Checksum(batch[attributesAt:], crc32.MakeTable(crc32.Castagnoli)))
	return batch
}

// readAll returns copies of all records of a batch.
func readAll(batch []byte) (out []event.Message, err error) {
	var r records
	if err := r.reset(batch); err != nil {
		return nil, err
	}
	defer r.close()
	var m event.Message
	for range r.count {
		if err := r.next(&m); err != nil {
			return out, err
		}
		out = append(out, clone(m))
	}
	return out, nil
}

// clone also keeps null apart from empty.
func clone(m event.Message) event.Message {
	m.Key, m.Value = bytes.Clone(m.Key), bytes.Clone(m.Value)
	m.Headers = slices.Clone(m.Headers)
	for i := range m.Headers {
		m.Headers[i].Value = bytes.Clone(m.Headers[i].Value)
	}
	return m
}

var published = time.UnixMilli(1_780_000_000_123)

// samples are messages with everything that one can have.
func samples() []event.Message {
	many := make([]event.Header, keepHeaders+50)
	for i := range many {
		many[i] = event.Header{Key: "h", Value: []byte{byte(i)}}
	}
	out := []event.Message{
		{Key: []byte("key"), Value: []byte("value"), Headers: []event.Header{{Key: "a", Value: []byte("1")}, {Key: "b", Value: []byte("2")}}},
		{Value: []byte{}, Headers: []event.Header{{Key: "a", Value: []byte("3")}, {Key: "", Value: nil}, {Key: "a", Value: []byte{}}}},
		{Key: []byte{}},
		{Value: bytes.Repeat([]byte("large"), windowBytes)},
		{Value: []byte("many"), Headers: many},
		{Key: []byte("k"), Value: bytes.Repeat([]byte("v"), 70), Headers: []event.Header{{Key: "a", Value: []byte("4")}}},
		{Value: bytes.Repeat([]byte("w"), windowBytes)},
	}
	for i := range out {
		out[i].Offset = int64(i)
		out[i].Time = published.Add(time.Duration(i*7) * time.Millisecond)
	}
	return out
}
