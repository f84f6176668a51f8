package serve

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Server is an HTTP server whose requests are bounded in time and whose
// connections are bounded in number.
type Server struct {
	name     string // what the errors of Serve and Close begin with
	http     *http.Server
	listener net.Listener
}

// New binds an address, so that a port that is taken is known before any work
// begins. The caller must call Serve or Close.
//
// hs has the handler and the time limits; New adds the limits for headers, which are
// 16 KiB and 5 s. maxConns bounds the connections that are open at once, idle ones
// included: for one more, the one that has waited longest for its client is closed.
// Answers end their connection, unless the client has passed [Guard.Protect]. The error is the
// listener's, without the name, so that the caller can say which setting mends it.
func New(ctx context.Context, name, addr string, maxConns int, hs *http.Server) (*Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	hs.ReadHeaderTimeout, hs.MaxHeaderBytes = 5*time.Second, maxHeader-headerSlack
	hs.Handler, hs.ConnContext = briefly(hs.Handler), withConn
	return &Server{name: name, http: hs, listener: newConns(l, maxConns)}, nil
}

// maxHeader bounds the first line and the header of a request, in bytes. net/http allows
// headerSlack more than it is told.
const (
	maxHeader   = 16 << 10
	headerSlack = 4 << 10
)

// Addr returns the address that is bound.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers requests until Close is called.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	return nil
}

// Close stops the server and waits for requests in flight. When ctx ends first it
// cuts their connections off and returns why.
func (s *Server) Close(ctx context.Context) error {
	// Shutdown does not close a listener that was never passed to Serve.
	defer func() { _ = s.listener.Close() }()
	if err := s.http.Shutdown(ctx); err != nil {
		return fmt.Errorf("%s: %w", s.name, errors.Join(err, s.http.Close()))
	}
	return nil
}
