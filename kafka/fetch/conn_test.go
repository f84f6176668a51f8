package fetch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/compress"
	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"

	"github.com/evalworker/evalworker/event"
)

// broker answers one request after the other, each with what answer returns.
func broker(t *testing.T, version int16, answer func(n int, asked *fetchapi.Request) []byte) *Conn {
	t.Helper()
	near, far := net.Pipe()
	d := NewDialer(Config{ClientID: "test", MaxWait: 10 * time.Millisecond, MaxBytes: 1 << 20, Timeout: 10 * time.Second}, nil)
	var serving sync.WaitGroup
	t.Cleanup(serving.Wait)
	t.Cleanup(func() { _ = near.Close() })
	serving.Go(func() {
		defer far.Close()
		for n := 1; ; n++ {
			v, number, client, req, err := protocol.ReadRequest(far)
			if err != nil {
				return
			}
			asked, ok := req.(*fetchapi.Request)
			if !ok || v != version || client != "test" || int(number) != n {
				t.Errorf("request %d of version %d from %q: %T", number, v, client, req)
				return
			}
			if _, err := far.Write(answer(n, asked)); err != nil {
				return
			}
		}
	})
	return newConn(d, near, version, "events", 3)
}

// answerOf is an answer with batches, or parts of them, as a broker sends it.
func answerOf(version int16, number int, code kafka.Error, set ...[]byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(number))
	b = append(b, 0, 0, 0, 0) // throttled
	if version >= 7 {
		b = append(b, 0, 0, 0, 0, 0, 0) // error and session
	}
	b = append(b, 0, 0, 0, 1, 0, 6)
	b = append(b, "events"...)
	b = append(b, 0, 0, 0, 1, 0, 0, 0, 3)
	b = binary.BigEndian.AppendUint16(b, uint16(code))
	b = binary.BigEndian.AppendUint64(b, 1234) // high
	b = binary.BigEndian.AppendUint64(b, 1000) // stable
	if version >= 5 {
		b = binary.BigEndian.AppendUint64(b, 1) // first
	}
	b = binary.BigEndian.AppendUint32(b, 1)                  // aborted transactions
	b = append(b, bytes.Repeat([]byte{0, 0, 9}, 16)[:16]...) // producer and first offset
	all := bytes.Join(set, nil)
	b = binary.BigEndian.AppendUint32(b, uint32(len(all)))
	b = append(b, all...)
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(b))), b...)
}

// drain reads an answer to its end.
func drain(c *Conn) (offsets []int64, err error) {
	var m event.Message
	for {
		err := c.Next(&m)
		if errors.Is(err, io.EOF) {
			return offsets, nil
		}
		if err != nil {
			return offsets, err
		}
		offsets = append(offsets, m.Offset)
	}
}

func TestFetchEveryVersion(t *testing.T) {
	t.Parallel()
	for version := int16(minVersion); version <= maxVersion; version++ {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			t.Parallel()
			batch := encode(t, protocol.Snappy, samples()...)
			var asked []int64
			c := broker(t, version, func(n int, req *fetchapi.Request) []byte {
				p := req.Topics[0].Partitions[0]
				asked = append(asked, p.FetchOffset)
				if req.Topics[0].Topic != "events" || p.Partition != 3 || p.PartitionMaxBytes != 1<<20 || req.MinBytes != 1 || req.MaxWaitTime != 10 {
					t.Errorf("asked %+v", req)
				}
				switch n {
				case 1: // begins before what was asked for
					return answerOf(version, n, 0, at(batch, 100), at(batch, 107))
				case 2:
					return answerOf(version, n, kafka.NotLeaderForPartition)
				}
				return answerOf(version, n, 0)
			})
			if err := c.Fetch(105); err != nil {
				t.Fatal(err)
			}
			if c.High() != 1234 {
				t.Errorf("High = %d", c.High())
			}
			got, err := drain(c)
			if diff := cmp.Diff([]int64{105, 106, 107, 108, 109, 110, 111, 112, 113}, got); diff != "" || err != nil {
				t.Errorf("%v, offsets (-want +got):\n%s", err, diff)
			}
			if err := c.Fetch(c.Offset()); !errors.Is(err, kafka.NotLeaderForPartition) {
				t.Errorf("Fetch from another broker: %v", err)
			}
			if err := c.Fetch(c.Offset()); err != nil {
				t.Errorf("Fetch after an error that was answered: %v", err)
			}
			if got, err := drain(c); err != nil || got != nil || c.Offset() != 114 {
				t.Errorf("of nothing: %v, %v, offset %d", got, err, c.Offset())
			}
			if diff := cmp.Diff([]int64{105, 114, 114}, asked); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAnotherEncoder: an answer as kafka-go's own broker side writes it.
func TestAnotherEncoder(t *testing.T) {
	t.Parallel()
	c := broker(t, 10, func(n int, _ *fetchapi.Request) []byte {
		var out bytes.Buffer
		res := &fetchapi.Response{Topics: []fetchapi.ResponseTopic{{Topic: "events", Partitions: []fetchapi.ResponsePartition{{
			Partition: 3, HighWatermark: 9, RecordSet: protocol.RecordSet{
				Version: 2, Records: protocol.NewRecordReader(protocol.Record{Value: protocol.NewBytes([]byte("x"))}),
			},
		}}}}}
		if n == 2 {
			res = &fetchapi.Response{ErrorCode: int16(kafka.FetchSessionIDNotFound)}
		}
		if err := protocol.WriteResponse(&out, 10, int32(n), res); err != nil {
			t.Error(err)
		}
		return out.Bytes()
	})
	if err := c.Fetch(0); err != nil {
		t.Fatal(err)
	}
	if got, err := drain(c); err != nil || len(got) != 1 || c.High() != 9 {
		t.Errorf("%v, %v, high %d", got, err, c.High())
	}
	if err := c.Fetch(1); !errors.Is(err, kafka.FetchSessionIDNotFound) {
		t.Errorf("an error of the whole request: %v", err)
	}
}

// TestWhatCompactionLeaves: a batch keeps its range when its last records, or all of
// them, are gone. Reading must go on behind it, or it would be read forever.
func TestWhatCompactionLeaves(t *testing.T) {
	t.Parallel()
	short := encode(t, 0, samples()[:2]...)
	binary.BigEndian.PutUint32(short[lastDeltaAt:], 9)
	empty := encode(t, 0, event.Message{})[:headerBytes]
	binary.BigEndian.PutUint32(empty[countAt:], 0)
	binary.BigEndian.PutUint32(empty[lastDeltaAt:], 4)
	c := broker(t, 4, func(n int, _ *fetchapi.Request) []byte {
		return answerOf(4, n, 0, at(seal(short), 100), at(seal(empty), 110))
	})
	if err := c.Fetch(100); err != nil {
		t.Fatal(err)
	}
	if got, err := drain(c); err != nil || len(got) != 2 || c.Offset() != 115 {
		t.Errorf("%v, %v, offset %d, want 115", got, err, c.Offset())
	}
}

// TestPartsOfBatches: brokers fill an answer up with the beginning of a batch.
func TestPartsOfBatches(t *testing.T) {
	t.Parallel()
	batch := encode(t, 0, samples()[:3]...)
	for n := range batch {
		c := broker(t, 4, func(number int, _ *fetchapi.Request) []byte {
			if number == 1 {
				return answerOf(4, number, 0, batch, at(batch, 3)[:n])
			}
			return answerOf(4, number, 0, at(batch, 3)[:max(n, 1)])
		})
		if err := c.Fetch(0); err != nil {
			t.Fatal(err)
		}
		if got, err := drain(c); err != nil || len(got) != 3 || c.Offset() != 3 {
			t.Errorf("%d bytes more: %v, %v, offset %d", n, got, err, c.Offset())
		}
		if err := c.Fetch(3); err != nil {
			t.Fatalf("the connection after %d bytes more: %v", n, err)
		}
		if _, err := drain(c); !errors.Is(err, errAnswer) { // and never the same request forever
			t.Errorf("nothing but %d bytes: %v", n, err)
		}
	}
}

// tcpPipe accepts deadlines after the far end has closed, which a pipe refuses.
type tcpPipe struct{ net.Conn }

func (c tcpPipe) SetReadDeadline(t time.Time) error {
	if err := c.Conn.SetReadDeadline(t); !errors.Is(err, io.ErrClosedPipe) {
		return err
	}
	return nil
}

func TestAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	batch := encode(t, 0, samples()[:3]...)
	good := func(n int) []byte { return answerOf(4, n, 0, batch) }
	edit := func(place int, value byte) func(int) []byte {
		return func(n int) []byte {
			b := good(n)
			b[place] = value
			return b
		}
	}
	set := len(good(1)) - len(batch)
	tests := map[string]struct {
		answer func(n int) []byte
		want   error
	}{
		"to another request":      {func(n int) []byte { return good(n + 1) }, errAnswer},
		"of another topic":        {edit(4+4+4+4+2, 'x'), errAnswer},
		"of another partition":    {edit(4+4+4+4+2+6+4+3, 4), errAnswer},
		"of two topics":           {edit(4+4+4+3, 2), errAnswer},
		"shorter than its fields": {func(int) []byte { return []byte{0, 0, 0, 6, 0, 0, 0, 1, 0, 0} }, errAnswer},
		"of a negative size":      {func(int) []byte { return []byte{0xff, 0, 0, 6} }, errAnswer},
		"larger than its batches": {edit(set-1, 1), errAnswer},
		"with an old format":      {edit(set+magicAt, 1), errOldFormat},
		"with a new format":       {edit(set+magicAt, 3), ErrDamaged},
		"with a batch too short":  {edit(set+lengthAt+3, 9), ErrDamaged},
		"with a batch too large":  {edit(set+lengthAt, 0x7f), ErrDamaged},
		"with a wrong checksum":   {edit(set+headerBytes+5, 0x77), ErrDamaged},
		"that ends in its fields": {func(n int) []byte { return good(n)[:20] }, io.ErrUnexpectedEOF},
		"that ends in a header":   {func(n int) []byte { return good(n)[:set+9] }, io.ErrUnexpectedEOF},
		"that ends in its batch":  {func(n int) []byte { return good(n)[:set+headerBytes+9] }, io.ErrUnexpectedEOF},
		"that never begins":       {func(int) []byte { return nil }, io.ErrUnexpectedEOF},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			near, far := net.Pipe()
			var serving sync.WaitGroup
			defer serving.Wait()
			defer near.Close()
			serving.Go(func() {
				defer far.Close()
				if _, n, _, _, err := protocol.ReadRequest(far); err == nil {
					_, _ = far.Write(tt.answer(int(n))) // the reader may be gone
				}
			})
			d := NewDialer(Config{MaxBytes: 1 << 20, Timeout: 10 * time.Second}, nil)
			c := newConn(d, tcpPipe{near}, 4, "events", 3)
			err := c.Fetch(0)
			if err == nil {
				_, err = drain(c)
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

// TestThrottled: a client over its quota is answered at once, with no messages and the
// time for which it is then ignored.
func TestThrottled(t *testing.T) {
	t.Parallel()
	batch := encode(t, 0, samples()...)
	c := broker(t, 10, func(n int, _ *fetchapi.Request) []byte {
		if n == 2 {
			var out bytes.Buffer
			if err := protocol.WriteResponse(&out, 10, 2, &fetchapi.Response{ThrottleTimeMs: 3000}); err != nil {
				t.Error(err)
			}
			return out.Bytes()
		}
		return answerOf(10, n, 0, batch)
	})
	for n := 1; n <= 3; n++ {
		if err := c.Fetch(0); err != nil {
			t.Fatalf("fetch %d: %v", n, err)
		}
		got, err := drain(c)
		if err != nil || (len(got) == 0) != (n == 2) || c.High() != 1234 {
			t.Errorf("fetch %d: %v, %v, high %d", n, got, err, c.High())
		}
		if want := map[bool]time.Duration{true: 3 * time.Second}[n == 2]; c.throttle != want {
			t.Errorf("fetch %d: not listened to for %v, want %v", n, c.throttle, want)
		}
	}
}

// TestBatchThatEndsEarly: records that are missing from a batch must not pass for
// its end, because reading would go on behind them.
func TestBatchThatEndsEarly(t *testing.T) {
	t.Parallel()
	for kind := compress.None; kind <= compress.Zstd; kind++ {
		more := encode(t, protocol.Attributes(kind), samples()[:2]...)
		binary.BigEndian.PutUint32(more[countAt:], 5)
		binary.BigEndian.PutUint32(more[lastDeltaAt:], 4)
		none := encode(t, protocol.Attributes(kind), samples()[:2]...)[:headerBytes]
		for name, batch := range map[string][]byte{"of three": more, "of all": none} {
			c := broker(t, 10, func(n int, _ *fetchapi.Request) []byte { return answerOf(10, n, 0, seal(batch)) })
			if err := c.Fetch(0); err != nil {
				t.Fatal(err)
			}
			if got, err := drain(c); !errors.Is(err, ErrDamaged) || c.Offset() > 2 {
				t.Errorf("%v, %s: %v, %v, offset %d", kind, name, got, err, c.Offset())
			}
		}
	}
}

// TestUnreadMessages: only the place of a message that is too large is read, and key and
// value of one with too many headers; the next ones are read as usual.
func TestUnreadMessages(t *testing.T) {
	t.Parallel()
	headers := make([]event.Header, MaxHeaders+1)
	for kind := compress.None; kind <= compress.Zstd; kind++ {
		batch := encode(t, protocol.Attributes(kind),
			event.Message{Value: []byte("a"), Time: published},
			event.Message{Key: []byte("k"), Value: make([]byte, 5<<20), Time: published},
			event.Message{Value: []byte("b"), Headers: headers},
			event.Message{Value: []byte("c"), Headers: headers[1:]})
		c := broker(t, 10, func(n int, _ *fetchapi.Request) []byte { return answerOf(10, n, 0, at(batch, 50)) })
		c.d.cfg.MaxRecord = 4 << 20
		if err := c.Fetch(50); err != nil {
			t.Fatal(err)
		}
		var m event.Message
		for i, want := range []struct {
			value  string
			unread bool
		}{{"a", false}, {"", true}, {"b", false}, {"c", false}} {
			if err := c.Next(&m); err != nil {
				t.Fatalf("%v: message %d: %v", kind, i, err)
			}
			if string(m.Value) != want.value || (c.Unread() > 0) != want.unread || want.unread && len(m.Key)+len(m.Headers) > 0 || m.Offset != int64(50+i) {
				t.Errorf("%v: message %d: offset %d, %q, unread %d, %d headers", kind, i, m.Offset, m.Value, c.Unread(), len(m.Headers))
			}
			if n := c.UnreadHeaders(); (n == MaxHeaders+1) != (i == 2) || n > 0 && len(m.Headers) > 0 {
				t.Errorf("%v: message %d: %d headers not read, %d read", kind, i, n, len(m.Headers))
			}
			if i == 1 && (!m.Time.Equal(published) || c.Unread() < 5<<20) {
				t.Errorf("%v: %d bytes of %v", kind, c.Unread(), m.Time)
			}
		}
	}
}

// TestNothingIsKept: after an answer neither the message nor the shared buffers
// keep alive what it was read from.
func TestNothingIsKept(t *testing.T) {
	t.Parallel()
	for _, kind := range []compress.Compression{compress.None, compress.Snappy} {
		batch := encode(t, protocol.Attributes(kind), samples()...)
		c := broker(t, 10, func(n int, _ *fetchapi.Request) []byte { return answerOf(10, n, 0, batch) })
		if err := c.Fetch(0); err != nil {
			t.Fatal(err)
		}
		var m event.Message
		for range samples() {
			if err := c.Next(&m); err != nil {
				t.Fatal(err)
			}
		}
		shared := c.buf
		if err := c.Next(&m); !errors.Is(err, io.EOF) {
			t.Fatal(err)
		}
		if m.Key != nil || m.Value != nil || len(m.Headers) > 0 {
			t.Errorf("%v: the message still has %+v", kind, m)
		}
		for _, h := range m.Headers[:cap(m.Headers)] {
			if h.Value != nil {
				t.Errorf("%v: header %q still has a value", kind, h.Key)
			}
		}
		if r := &shared.records; c.buf != nil || r.rest != nil || r.source.Size() > 0 || r.codec != nil {
			t.Errorf("%v: the buffers still have the batch", kind)
		}
	}
}

// TestSlowButSteady: a broker that sends without a pause may take any time.
func TestSlowButSteady(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		batch := encode(t, 0, event.Message{Value: make([]byte, 10*stepBytes)})
		near, far := net.Pipe()
		var serving sync.WaitGroup
		serving.Go(func() {
			defer far.Close()
			if _, _, _, _, err := protocol.ReadRequest(far); err != nil {
				return
			}
			all := answerOf(4, 1, 0, batch)
			for len(all) > 0 {
				step := all[:min(len(all), stepBytes)]
				<-time.After(900 * time.Millisecond) // on the bubble's clock
				if _, err := far.Write(step); err != nil {
					return
				}
				all = all[len(step):]
			}
		})
		c := newConn(NewDialer(Config{MaxBytes: 1 << 20, Timeout: 2 * time.Second}, nil), near, 4, "events", 3)
		began := time.Now()
		if err := c.Fetch(0); err != nil {
			t.Fatal(err)
		}
		if got, err := drain(c); err != nil || len(got) != 1 {
			t.Errorf("%v, %v", got, err)
		}
		if took := time.Since(began); took < 9*time.Second {
			t.Errorf("it took %v only, so this test shows nothing", took)
		}
		_ = near.Close()
		serving.Wait()
	})
}

// TestUnread: Fetch refuses while an answer is not read to its end, because the rest
// would be mistaken for the next answer.
func TestUnread(t *testing.T) {
	t.Parallel()
	c := broker(t, 4, func(n int, _ *fetchapi.Request) []byte { return answerOf(4, n, 0, encode(t, 0, samples()...)) })
	if err := c.Fetch(0); err != nil {
		t.Fatal(err)
	}
	if err := c.Fetch(0); err == nil {
		t.Error("an answer was passed over")
	}
	if got, err := drain(c); err != nil || len(got) != len(samples()) {
		t.Errorf("%v, %v", got, err)
	}
}

// TestSilentBroker: the wait ends, whether nothing comes or only the beginning.
func TestSilentBroker(t *testing.T) {
	t.Parallel()
	batch := encode(t, 0, samples()[:3]...)
	for _, sent := range [][]byte{nil, answerOf(4, 1, 0, batch)[:100]} {
		near, far := net.Pipe()
		var serving sync.WaitGroup
		over := make(chan struct{})
		serving.Go(func() {
			defer far.Close()
			if _, _, _, _, err := protocol.ReadRequest(far); err == nil {
				_, _ = far.Write(sent)
			}
			<-over
		})
		d := NewDialer(Config{MaxBytes: 1 << 20, MaxWait: time.Millisecond, Timeout: 20 * time.Millisecond}, nil)
		c := newConn(d, near, 4, "events", 3)
		err := c.Fetch(0)
		if err == nil {
			_, err = drain(c)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after %d bytes: %v", len(sent), err)
		}
		close(over)
		_ = near.Close()
		serving.Wait()
	}
}
