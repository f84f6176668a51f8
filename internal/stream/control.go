package stream

import "github.com/segmentio/kafka-go"

// isControl reports whether a message is the marker that ends a transaction.
// kafka-go delivers markers as messages, under both isolation levels: a key of
// version 0 and type abort or commit (two bytes each), and a value of version
// (two bytes) and coordinator epoch (four). No event looks like that, because
// no JSON text begins with a zero byte.
func isControl(m *kafka.Message) bool {
	return len(m.Key) == 4 && m.Key[0] == 0 && m.Key[1] == 0 && m.Key[2] == 0 && m.Key[3] <= 1 &&
		len(m.Value) == 6 && m.Value[0] == 0 && len(m.Headers) == 0
}
