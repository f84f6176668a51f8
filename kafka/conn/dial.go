package conn

import (
	"github.com/segmentio/kafka-go"
)

// NewDialer makes the dialer of connections that carry little: group
// membership, look-ups. What it, or any of the following, connects to has answered
// a question: who has a list of brokers and takes the first that can be dialled
// must not be held up by one that takes connections and says nothing.
func NewDialer(cfg Config) *kafka.Dialer { return newDialer(cfg, 0) }

// NewBufferedDialer makes the dialer of connections that fetch messages, each of
// which reads up to so many bytes from its socket at once. Below TLS, which reads
// a record of at most 16 KiB at a time, and below kafka-go's own readers, which
// read 4 KiB, that saves most system calls.
func NewBufferedDialer(cfg Config, readAhead int) *kafka.Dialer {
	return newDialer(cfg, readAhead)
}

func newDialer(cfg Config, readAhead int) *kafka.Dialer {
	return &kafka.Dialer{
		ClientID:      cfg.ClientID,
		Timeout:       cfg.DialTimeout,
		DialFunc:      newBrokers(cfg).dial(cfg.opener(readAhead)),
		SASLMechanism: cfg.mechanism(),
	}
}

// NewTransport makes the connection pool of a kafka.Client or kafka.Writer.
// Whoever made it ends it with CloseIdleConnections.
func NewTransport(cfg Config) *kafka.Transport {
	return &kafka.Transport{
		Dial:        newBrokers(cfg).dial(cfg.opener(0)),
		DialTimeout: cfg.DialTimeout,
		ClientID:    cfg.ClientID,
		SASL:        cfg.mechanism(),
	}
}

// NewClient makes a client for single requests over the transport.
func NewClient(cfg Config, transport *kafka.Transport) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(cfg.Brokers...), Transport: transport}
}
