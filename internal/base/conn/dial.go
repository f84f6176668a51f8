package conn

import (
	"context"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
)

// Connector makes the dialers and transports of one program. They share what they know
// about brokers that do not answer: each would have to find that out by a timeout of its
// own.
type Connector struct{ brokers *brokers }

// NewConnector returns a Connector. It opens no connection.
func NewConnector(cfg Config) *Connector { return &Connector{newBrokers(cfg)} }

// Dialer returns a dialer for connections with little traffic: group membership and
// look-ups. It returns a connection only after the broker has answered on it.
func (c *Connector) Dialer() *kafka.Dialer { return c.BufferedDialer(0) }

// BufferedDialer returns a dialer for connections that fetch messages. Each reads up to
// readAhead bytes from its socket at once, which saves most system calls: TLS reads at
// most 16 KiB at a time, and kafka-go's own readers 4 KiB.
func (c *Connector) BufferedDialer(readAhead int) *kafka.Dialer {
	cfg := c.brokers.cfg
	return &kafka.Dialer{
		ClientID:      cfg.ClientID,
		Timeout:       cfg.DialTimeout,
		DialFunc:      c.brokers.dial(cfg.opener(readAhead)),
		SASLMechanism: cfg.mechanism(),
	}
}

// Transport returns the connection pool of a kafka.Client or kafka.Writer. The caller
// ends it with CloseIdleConnections.
func (c *Connector) Transport() *kafka.Transport {
	cfg := c.brokers.cfg
	return &kafka.Transport{
		Dial:        c.brokers.dial(cfg.opener(0)),
		DialTimeout: cfg.DialTimeout,
		ClientID:    cfg.ClientID,
		SASL:        cfg.mechanism(),
	}
}

// NewDialer is [Connector.Dialer] of a Connector of its own.
func NewDialer(cfg Config) *kafka.Dialer { return NewConnector(cfg).Dialer() }

// NewTransport is [Connector.Transport] of a Connector of its own.
func NewTransport(cfg Config) *kafka.Transport { return NewConnector(cfg).Transport() }

// NewClient returns a client for single requests over the transport.
func NewClient(cfg Config, transport *kafka.Transport) *kafka.Client {
	return &kafka.Client{Addr: kafka.TCP(cfg.Brokers...), Transport: transport}
}

// Dial connects to host:port and logs in. below is the connection under conn, with
// TLS if that is configured.
//
// It returns as soon as ctx ends. The dialer's own DialContext would go on waiting
// for the answer to a login: it looks at the end of ctx once, and cannot distinguish it
// from the end of the login.
func Dial(ctx context.Context, d *kafka.Dialer, address string) (conn *kafka.Conn, below net.Conn, err error) {
	k := *d
	unhook := func() bool { return true }
	k.DialFunc = func(dialing context.Context, network, address string) (net.Conn, error) {
		opened, err := d.DialFunc(dialing, network, address)
		if err == nil {
			below = opened
			unhook = context.AfterFunc(ctx, func() { _ = opened.Close() })
		}
		return opened, err
	}
	conn, err = k.DialContext(ctx, "tcp", address)
	inTime := unhook() // also after an error: many failed attempts must not leave hooks behind
	switch {
	case err == nil && inTime:
		return conn, below, nil
	case err == nil:
		_ = conn.Close()
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return nil, nil, err
}

// Partitions asks a broker once for the partitions of a topic, with their leaders,
// and waits at most limit for the answer. An error in the broker's answer is a
// kafka.Error.
func Partitions(ctx context.Context, d *kafka.Dialer, broker, topic string, limit time.Duration) ([]kafka.Partition, error) {
	conn, _, err := Dial(ctx, d, broker)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	defer Limit(ctx, conn, limit)()
	return conn.ReadPartitions(topic)
}

// Limit bounds requests on a connection until stop is called: by a time, and by ctx,
// whose end closes the connection.
func Limit(ctx context.Context, conn *kafka.Conn, limit time.Duration) (stop func()) {
	_ = conn.SetDeadline(time.Now().Add(limit)) // fails on a closed connection, as its use does
	unhook := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return func() { unhook() }
}
