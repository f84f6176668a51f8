package conn

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
)

const keepAlive = 30 * time.Second

// openFunc opens a connection to host:port. The caller bounds the login.
type openFunc func(ctx context.Context, network, address string) (*conn, error)

// opener returns the function that opens connections, with a buffer of readAhead
// bytes on the socket if that is not zero.
//
// The buffer is between the socket and TLS, where it saves system calls: TLS reads
// one record of at most 16 KiB at a time, while kafka-go's reads of 4 KiB are of
// decrypted data.
//
// TLS is not left to kafka-go, so that files are read for each connection, the
// handshake is bounded, and its errors can be explained.
func (c Config) opener(readAhead int) openFunc {
	d := &net.Dialer{Timeout: c.DialTimeout, KeepAlive: keepAlive}
	return func(ctx context.Context, network, address string) (*conn, error) {
		socket, err := d.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		out := &conn{Conn: socket, cfg: c, addr: address}
		if readAhead > 0 {
			out.Conn = &bufferedConn{Conn: socket, buf: bufio.NewReaderSize(socket, readAhead)}
		}
		if c.TLS.Enabled {
			if err := out.encrypt(ctx); err != nil {
				_ = socket.Close() // err says more
				return nil, err
			}
		}
		return out, nil
	}
}

// conn is a connection that explains why its broker ends it.
type conn struct {
	net.Conn
	cfg           Config
	addr          string
	certRequested bool          // by the broker
	loginLimit    time.Duration // how long the login may take
	loginDone     atomic.Bool
	loginTimedOut atomic.Bool // the login took too long, so the connection was closed
	answered      atomic.Bool // the broker has sent something after the handshake
	// wanted: a request was sent that only a client may make that is let in; served: it
	// was answered. A broker that wants TLS or a login ends the connection before that.
	wanted, served atomic.Bool
	// letIn: a broker has served some connection with these settings; nil: unknown.
	letIn *atomic.Bool
	// lastRead is when the broker last sent something, in nanoseconds since 1970, and
	// idle is how long nothing was sent before the request after that.
	lastRead, idle atomic.Int64
}

// encrypt makes the TLS handshake.
func (c *conn) encrypt(ctx context.Context) error {
	host, _, err := net.SplitHostPort(c.addr)
	if err != nil {
		return err
	}
	settings, err := c.cfg.TLS.client(host, &c.certRequested)
	if err != nil {
		return &AccessError{Broker: c.addr, Problem: "cannot connect with TLS", Err: err, Remedy: "mend the file; it is read again at each attempt"}
	}
	ctx, cancel := context.WithTimeout(ctx, c.cfg.DialTimeout)
	defer cancel()
	secured := tls.Client(c.Conn, settings)
	if err := secured.HandshakeContext(ctx); err != nil {
		return c.cfg.handshakeError(c.addr, c.certRequested, err)
	}
	c.Conn = secured
	return nil
}

// limitLogin bounds the login and passes its outcome to ended: nil, or the timeout.
// kafka-go sets no deadline for a login, so a broker that goes silent during one
// would block its caller forever. kafka-go does end ctx when the login is over.
func (c *conn) limitLogin(ctx context.Context, limit time.Duration, ended func(error)) {
	c.loginLimit = limit
	login, stop := context.WithTimeout(ctx, limit)
	context.AfterFunc(login, func() {
		defer stop()
		c.loginDone.Store(true)
		if !errors.Is(login.Err(), context.DeadlineExceeded) {
			ended(nil)
			return
		}
		c.loginTimedOut.Store(true)
		_ = c.Close() // fails the pending read
		ended(login.Err())
	})
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 {
		c.noteRead()
	}
	if err != nil {
		err = c.explain(err)
	}
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	if !c.wanted.Load() && isRequest(b) {
		c.wanted.Store(true)
	}
	if last := c.lastRead.Load(); last > 0 {
		c.idle.Store(time.Now().UnixNano() - last)
	}
	n, err := c.Conn.Write(b)
	if err != nil && c.served.Load() && isEnd(err) {
		err = c.lost(err)
	}
	return n, err
}

// noteRead records that the broker has sent something.
func (c *conn) noteRead() {
	c.lastRead.Store(time.Now().UnixNano())
	if !c.answered.Load() {
		c.answered.Store(true)
	}
	if c.wanted.Load() && !c.served.Load() {
		c.served.Store(true)
		if c.letIn != nil {
			c.letIn.Store(true)
		}
	}
}

// isRequest reports whether b begins a request that a broker answers only for clients
// that it lets in: any but the question for its versions and the handshake of a login.
func isRequest(b []byte) bool {
	const headBytes = 6 // size and key of a request
	if len(b) < headBytes {
		return false
	}
	key := protocol.ApiKey(binary.BigEndian.Uint16(b[4:])) //nolint:gosec // as on the wire
	return key != protocol.ApiVersions && key != protocol.SaslHandshake && key != protocol.SaslAuthenticate
}

// isEnd reports whether the far end has closed a connection.
func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// explain replaces the error of a read by its reason, if that is known. In TLS 1.3 a
// broker rejects a client's certificate only after the client has finished the
// handshake. Some brokers then just close the connection, as some do after a wrong
// password.
func (c *conn) explain(err error) error {
	closed := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if c.cfg.SASL.Mechanism != "" && !c.loginDone.Load() && c.answered.Load() && closed {
		a := c.cfg.answer(kafka.SASLAuthenticationFailed)
		// The chain leaves out EOF, which kafka-go would replace by an error of its own.
		return &AccessError{Broker: c.addr, Problem: a.problem, Remedy: a.mend, Err: &codeError{kafka.SASLAuthenticationFailed}}
	}
	switch {
	case c.loginTimedOut.Load():
		return &brokerError{text: fmt.Sprintf("broker %s: the login did not end within %v", c.addr, c.loginLimit), err: os.ErrDeadlineExceeded}
	case c.served.Load() && isEnd(err):
		return c.lost(err)
	case remoteAlert(err), !c.answered.Load() && c.certRequested && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, net.ErrClosed):
		access := &AccessError{Broker: c.addr, Err: err}
		c.cfg.explainCertificate(access, c.certRequested)
		return access
	case closed:
		why := c.cfg.wants()
		if c.letIn != nil && c.letIn.Load() { // so the settings are right
			why = "; it may be stopping or starting"
		}
		return &brokerError{text: "broker " + c.addr + " closes the connection without an answer" + why, err: io.ErrUnexpectedEOF}
	}
	return err
}

// idleFor is how long a connection must have been unused for that to be the likely
// reason of its end. Load balancers wait for half a minute at least.
const idleFor = 5 * time.Second

// lost returns the error of a connection that worked until the far end closed it. The
// chain leaves out EOF, which kafka-go would replace by an error without these words.
func (c *conn) lost(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	text := "broker " + c.addr + " has closed the connection"
	if idle := time.Duration(c.idle.Load()); idle >= idleFor {
		text = fmt.Sprintf("broker %s, or a load balancer before it, has closed the connection, which was not used for %v (connections.max.idle.ms of the brokers)", c.addr, idle.Round(time.Second))
	}
	return &brokerError{text: text + "; the next attempt makes a new one", err: err}
}

// wants says what a broker may want that ends a connection without an answer.
func (c Config) wants() string {
	tls, login := !c.TLS.Enabled, c.SASL.Mechanism == ""
	switch {
	case tls && login:
		return " (it may want TLS or a login: tls.enabled, sasl.mechanism)"
	case tls:
		return " (it may want TLS: tls.enabled)"
	case login:
		return " (it may want a login: sasl.mechanism)"
	}
	return "; its log says why"
}

// bufferedConn reads ahead of its user. Deadlines still work: they apply to the
// connection below, and a bufio.Reader reports an error once and goes on.
type bufferedConn struct {
	net.Conn
	buf *bufio.Reader
}

func (c *bufferedConn) Read(b []byte) (int, error) { return c.buf.Read(b) }
