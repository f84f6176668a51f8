package kafkaconn

import (
	"github.com/segmentio/kafka-go"
)

// NewDialer makes the dialer of connections that carry little: group
// membership, commits, look-ups.
func NewDialer(cfg Config) *kafka.Dialer {
	return &kafka.Dialer{
		ClientID:      cfg.ClientID,
		Timeout:       cfg.DialTimeout,
		DialFunc:      cfg.dial(0),
		SASLMechanism: cfg.mechanism(),
	}
}

// NewBufferedDialer makes the dialer of connections that fetch messages, each of
// which reads up to so many bytes from its socket at once. Below TLS, which reads
// a record of at most 16 KiB at a time, and below kafka-go's own readers, which
// read 4 KiB, that saves most system calls.
func NewBufferedDialer(cfg Config, readAhead int) *kafka.Dialer {
	d := NewDialer(cfg)
	d.DialFunc = cfg.dial(readAhead)
	return d
}

// NewTransport makes the connection pool of a kafka.Client or kafka.Writer.
// Whoever made it ends it with CloseIdleConnections.
func NewTransport(cfg Config) *kafka.Transport {
	return &kafka.Transport{
		Dial:        cfg.dial(0),
		DialTimeout: cfg.DialTimeout,
		ClientID:    cfg.ClientID,
		SASL:        cfg.mechanism(),
	}
}

// NewClient makes a client for single requests over the transport.
func NewClient(cfg Config, transport *kafka.Transport) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(cfg.Brokers...), Transport: transport}
}
