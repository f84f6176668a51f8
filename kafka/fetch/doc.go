// Package fetch reads one partition of a Kafka topic: it sends fetch requests on a
// connection of its own and returns messages in place, without copying them out of
// the broker's answer.
//
// Reading is most of what a worker does: an event has some fourteen headers, and a
// worker that samples one in a hundred looks at them and drops the rest. kafka-go
// copies each key, value and header; here the caller copies what it evaluates.
// docs/adr/0007-fetching.md has the figures.
//
//	conn, err := dialer.DialLeader(ctx, "localhost:9092", "llm.requests.completed", 3)
//	if err != nil {
//		return err
//	}
//	defer conn.Close()
//	for offset := int64(0); ; offset = conn.Offset() {
//		if err := conn.Fetch(offset); err != nil {
//			return err
//		}
//		for {
//			err := conn.Next(&message) // valid until the next call
//			if errors.Is(err, io.EOF) {
//				break // the end of this answer
//			}
//			...
//		}
//	}
//
// kafka-go does the rest: dialing, TLS, logging in, the encoding of requests and the
// codecs of compression, but for Zstandard.
//
// # What it reads
//
// Fetch requests of versions 4 to 10, the newest that both sides know, and record
// batches of format 2 (KIP-98), which brokers have written since Kafka 0.11; see
// https://kafka.apache.org/protocol and "Message Format" in Kafka's documentation.
// Older formats are an error that says so.
//
// A batch is checked against its CRC-32C before any of it is returned. A batch that
// is damaged, or whose records do not match its header, is an [ErrDamaged]. Reading
// stops there: kafka/consumer asks for the batch again and reports the partition as down,
// because passing over it would lose events silently.
//
// # What it holds
//
// One batch as the broker has stored it, a window of 64 KiB on what is decompressed
// from it, and what the codec needs: for Snappy that is one block, mostly of 32 KiB,
// but some clients make a block of a whole batch, and for Zstandard a window of at most
// 32 MiB. A block or a window that claims more than that is damage. Buffers are shared
// among connections and belong to one only while it has an answer to read.
//
// A few bytes can decompress to very many, so Config.MaxRecord bounds a message,
// and [MaxHeaders] its headers. For a larger message only [Conn.Unread] is set; the
// consumer makes a dead letter without the value of it.
package fetch
