package conn

import (
	"context"
	"net"
	"time"

	"github.com/segmentio/kafka-go"
)

// Dial connects to host:port and logs in. below is the connection that conn
// stands on, with TLS on it where that is configured.
//
// It gives up with ctx at once. The dialer's own DialContext would go on waiting
// for the answer to a login: what was to end that wait looks at the end of ctx
// once, and cannot tell it from the end of the login.
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
	inTime := unhook() // also after an error: an outage with many attempts must leave nothing behind
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

// Partitions asks a broker, once, for the partitions of a topic, with their
// leaders. What the broker answers instead is a kafka.Error. limit bounds the
// wait for the answer.
func Partitions(ctx context.Context, d *kafka.Dialer, broker, topic string, limit time.Duration) ([]kafka.Partition, error) {
	conn, _, err := Dial(ctx, d, broker)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	defer Limit(ctx, conn, limit)()
	return conn.ReadPartitions(topic)
}

// Limit bounds what is asked on a connection until stop: by a time, and by ctx,
// which closes it.
func Limit(ctx context.Context, conn *kafka.Conn, limit time.Duration) (stop func()) {
	_ = conn.SetDeadline(time.Now().Add(limit)) // fails on a closed connection, as its use does
	unhook := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return func() { unhook() }
}
