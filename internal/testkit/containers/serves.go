package containers

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"time"
)

// answerTimeout bounds the question to a broker whether it serves.
const answerTimeout = 2 * time.Second

// serves asks a broker for the versions of its API, the one request that a
// listener answers before authentication. A connection alone says nothing,
// because the engine's own proxy takes it for a broker that is not there yet.
func serves(ctx context.Context, addr string) error {
	return asked(ctx, addr, func(_ context.Context, conn net.Conn) error {
		// ApiVersions (key 18) version 0, correlation id 1, client id null; see
		// https://kafka.apache.org/protocol#protocol_messages.
		request := binary.BigEndian.AppendUint32(nil, 10)
		request = append(request, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff)
		if _, err := conn.Write(request); err != nil {
			return err
		}
		_, err := io.ReadFull(conn, make([]byte, 1))
		return err
	})
}

// servesTLS is serves for a listener that speaks TLS. Whose certificate it has is
// for the test that uses the broker to look at.
func servesTLS(ctx context.Context, addr string) error {
	return asked(ctx, addr, func(ctx context.Context, conn net.Conn) error {
		return tls.Client(conn, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}).HandshakeContext(ctx)
	})
}

// asked asks a question over a connection of its own.
func asked(ctx context.Context, addr string, question func(context.Context, net.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	deadline, _ := ctx.Deadline()
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	return question(ctx, conn)
}
