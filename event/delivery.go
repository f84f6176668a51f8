package event

import "time"

// Message is one record of a topic as the worker sees it.
type Message struct {
	Topic     string
	Partition int
	Offset    int64
	Key       []byte
	Value     []byte
	Headers   []Header
	Time      time.Time // when it was published
}
