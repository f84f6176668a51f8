package serve

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// Options is what the servers of this house differ in.
type Options struct {
	Name    string // what the errors of Serve and Close begin with
	Handler http.Handler
	// MaxConns bounds the connections that are open at once, idle ones included.
	// One more waits in the system's queue until another ends, which it does within
	// the time limits below.
	MaxConns int
	// ReadTimeout bounds how long a request may take to arrive, WriteTimeout how long
	// it may take from its header to the end of its answer, IdleTimeout how long a
	// connection may wait for its next request.
	ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	ErrorLog                               *log.Logger // nil: the standard logger
}

// Server is an HTTP server whose requests are bounded in time and whose
// connections are bounded in number.
type Server struct {
	name     string
	http     http.Server
	listener net.Listener
}

// New binds an address, so that a port that is taken is known before any work
// begins. The error is the listener's: the caller knows by which setting to mend
// it. The caller must call Serve or Close.
func New(ctx context.Context, addr string, o Options) (*Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Server{name: o.Name, listener: netutil.LimitListener(l, o.MaxConns), http: http.Server{
		Handler:           o.Handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       o.ReadTimeout,
		WriteTimeout:      o.WriteTimeout,
		IdleTimeout:       o.IdleTimeout,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          o.ErrorLog,
	}}, nil
}

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
	// Shutdown does not know a listener that Serve never saw.
	defer func() { _ = s.listener.Close() }()
	if err := s.http.Shutdown(ctx); err != nil {
		return fmt.Errorf("%s: %w", s.name, errors.Join(err, s.http.Close()))
	}
	return nil
}
