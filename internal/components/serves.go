package components

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"time"
)

// answerTimeout bounds the question to a broker whether it serves.
const answerTimeout = 2 * time.Second

// serves asks a broker for the versions of its API, the one request that a
// listener answers before authentication. Any byte is an answer: from one that
// expects TLS it is an alert. A connection alone says nothing, because the
// engine's own proxy takes it for a broker that is not there yet.
func serves(ctx context.Context, addr string) error {
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
	// ApiVersions (key 18) version 0, correlation id 1, client id null; see
	// https://kafka.apache.org/protocol#protocol_messages.
	request := binary.BigEndian.AppendUint32(nil, 10)
	request = append(request, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff)
	if _, err := conn.Write(request); err != nil {
		return err
	}
	_, err = io.ReadFull(conn, make([]byte, 1))
	return err
}
