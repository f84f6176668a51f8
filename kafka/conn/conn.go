package conn

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"

	"github.com/segmentio/kafka-go"
)

// openFunc opens a connection to host:port, and leaves to its caller how long the
// login may take.
type openFunc func(ctx context.Context, network, address string) (*conn, error)

// opener gives the function that opens connections, with a buffer of readAhead
// bytes on the socket when that is not zero.
//
// The buffer lies between the socket and TLS, which is where it saves system
// calls: TLS reads one record of at most 16 KiB at a time, while what kafka-go
// reads 4 KiB of at a time has been decrypted already.
//
// TLS is made here and not by kafka-go, so that files are read for each
// connection, the handshake is bounded, and its errors can be explained.
func (c Config) opener(readAhead int) openFunc {
	d := &net.Dialer{Timeout: c.DialTimeout, KeepAlive: keepAlive}
	return func(ctx context.Context, network, address string) (*conn, error) {
		socket, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		under := socket
		if readAhead > 0 {
			under = &bufferedConn{Conn: socket, buf: bufio.NewReaderSize(socket, readAhead)}
		}
		out := &conn{Conn: under, cfg: c, addr: address}
		if c.TLS.Enabled {
			if err := out.encrypt(ctx, under); err != nil {
				return nil, errors.Join(err, ignoreClosed(socket.Close()))
			}
		}
		return out, nil
	}
}

// conn explains why a broker ends it.
type conn struct {
	net.Conn
	cfg    Config
	addr   string
	within time.Duration // the limit of the login
	asked  bool          // the broker asked for a client certificate
	ready  atomic.Bool   // the login is over
	heard  atomic.Bool   // the broker has said something after the handshake
	late   atomic.Bool   // closed because the login took too long
}

// encrypt makes the TLS handshake.
func (c *conn) encrypt(ctx context.Context, under net.Conn) error {
	host, _, err := net.SplitHostPort(c.addr)
	if err != nil {
		return err
	}
	settings, err := c.cfg.TLS.client(host, &c.asked)
	if err != nil {
		return &Refusal{Broker: c.addr, Problem: "cannot connect with TLS", Err: err, Mend: "mend the file; it is read again at each attempt"}
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DialTimeout)
	defer cancel()
	secured := tls.Client(under, settings)
	if err := secured.HandshakeContext(ctx); err != nil {
		return c.cfg.handshakeFailed(c.addr, c.asked, err)
	}
	c.Conn = secured
	return nil
}

// limit bounds the login, and tells how that ended. kafka-go gives a login no
// deadline of its own: a broker that goes silent during one would hold its caller
// for ever. It does end ctx as soon as the login is over.
func (c *conn) limit(ctx context.Context, within time.Duration, ended func(error)) {
	c.within = within
	login, stop := context.WithTimeout(ctx, within)
	context.AfterFunc(login, func() {
		defer stop()
		c.ready.Store(true)
		if !errors.Is(login.Err(), context.DeadlineExceeded) {
			ended(nil)
			return
		}
		c.late.Store(true)
		_ = c.Close() // whoever reads learns of it
		ended(login.Err())
	})
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && !c.heard.Load() {
		c.heard.Store(true)
	}
	if err != nil {
		err = c.explain(err)
	}
	return n, err
}

// explain says why a read failed, where that is known. In TLS 1.3 a broker
// refuses a client's certificate only after the client is through with the
// handshake, and some just close the connection; so do some on a wrong password.
func (c *conn) explain(err error) error {
	if c.cfg.SASL.Mechanism != "" && !c.ready.Load() && c.heard.Load() && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		problem, mend := c.cfg.refused(kafka.SASLAuthenticationFailed)
		// Without the end of the connection in the chain, of which kafka-go would
		// make an error of its own.
		return &Refusal{Broker: c.addr, Problem: problem, Mend: mend, Err: said(kafka.SASLAuthenticationFailed)}
	}
	switch {
	case c.late.Load():
		return fmt.Errorf("broker %s: no end of the login within %v: %w", c.addr, c.within, os.ErrDeadlineExceeded)
	case !remoteAlert(err) && (c.heard.Load() || !c.asked || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed)):
		return err
	}
	r := &Refusal{Broker: c.addr, Err: err}
	c.cfg.certificateRefused(r, c.asked)
	return r
}

// bufferedConn reads ahead of its user. Deadlines still work: they apply to the
// connection below, and a bufio.Reader reports an error once and goes on.
type bufferedConn struct {
	net.Conn
	buf *bufio.Reader
}

func (c *bufferedConn) Read(b []byte) (int, error) { return c.buf.Read(b) }

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

const keepAlive = 30 * time.Second
