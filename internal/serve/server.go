package serve

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/netutil"

	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/internal/config/secret"
)

// Config says where the server listens.
type Config struct {
	// Listen is host:port; empty: no server; port 0: any free port.
	Listen string `yaml:"listen" doc:"Address to listen on; empty: no server."`
	// Token is the bearer token of those who may see more than whether the worker
	// is well; 16 characters at least. TokenFile holds it instead, alone. One of
	// the two is needed to listen beyond loopback.
	Token     secret.String `yaml:"token" doc:"Bearer token for /statusz, profiles and the reasons of /readyz, 16 characters at least; needed to listen beyond loopback."`
	TokenFile string        `yaml:"token_file" doc:"File that holds the token alone, relative to this file; it is read anew for each request."`
	// Pprof serves /debug/pprof/.
	Pprof bool `yaml:"pprof" doc:"Serve profiles under /debug/pprof/."`
}

// DefaultConfig listens on loopback, port 8787, without profiles.
func DefaultConfig() Config { return Config{Listen: "127.0.0.1:8787"} }

// Validate reports every fault.
func (c Config) Validate() fault.List {
	var fs fault.List
	if c.Listen == "" {
		return nil
	}
	if _, port, err := net.SplitHostPort(c.Listen); err != nil {
		fs.Add("listen", fmt.Sprintf("%q is no address", c.Listen), "want host:port, such as 127.0.0.1:8787")
	} else if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		fs.Add("listen", fmt.Sprintf("%q is no port", port), "want a number from 0 to 65535, as in 127.0.0.1:8787; 0 takes any that is free")
	}
	c.validateToken(&fs)
	return fs
}

// Check is one condition of readiness. Ready gives nil, or why not.
type Check struct {
	Name  string
	Ready func() error
}

// Deps are what the server reports on.
type Deps struct {
	Checks []Check
	// Status gives the value that /statusz prints as JSON.
	Status func() any
}

// Server is the HTTP server.
type Server struct {
	http     http.Server
	listener net.Listener
}

// Listen binds the address, so that a port that is taken is known before any
// work begins. The caller must call Serve or Close.
//
// The configuration must be valid: nothing is served beyond loopback without a
// token.
func Listen(ctx context.Context, cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("health server: %w", err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("health server: listen on %s: %w; set health.listen to another address", cfg.Listen, err)
	}
	return &Server{listener: netutil.LimitListener(l, maxConns), http: http.Server{
		Handler:           http.MaxBytesHandler(Handler(cfg, deps), maxBody),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      10 * time.Second, // a profile's time is added to it
		IdleTimeout:       15 * time.Second,
		MaxHeaderBytes:    16 << 10,
	}}, nil
}

// Addr gives the address that is bound.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Serve answers until Close.
func (s *Server) Serve() error {
	if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("health server: %w", err)
	}
	return nil
}

// Close stops the server and waits for requests in flight until ctx ends.
func (s *Server) Close(ctx context.Context) error {
	// Shutdown does not know a listener that Serve never saw.
	defer func() { _ = s.listener.Close() }()
	if err := s.http.Shutdown(ctx); err != nil {
		return fmt.Errorf("health server: %w", err)
	}
	return nil
}

// maxConns bounds the connections that are open at once. One more waits in the
// system's queue until another ends, which it does within the time limits of the
// server.
const maxConns = 64

// maxBody bounds the body of a request; only the symbols of a profile have one.
const maxBody = 64 << 10

// Handler gives the server's routes.
func Handler(cfg Config, deps Deps) http.Handler {
	mux, guard := http.NewServeMux(), guard{token: cfg.Token, file: cfg.TokenFile}
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		var why []string
		for _, c := range deps.Checks {
			if err := c.Ready(); err != nil {
				why = append(why, c.Name+": "+err.Error())
			}
		}
		switch {
		case len(why) > 0 && guard.access(r) != accessAll:
			write(w, http.StatusServiceUnavailable, "not ready")
			return
		case len(why) > 0:
			write(w, http.StatusServiceUnavailable, strings.Join(why, "\n"))
			return
		}
		write(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /statusz", guard.only(func(w http.ResponseWriter, _ *http.Request) {
		b, err := json.MarshalIndent(deps.Status(), "", "  ")
		if err != nil {
			write(w, http.StatusInternalServerError, err.Error())
			return
		}
		w.Header().Set("Content-Type", "application/json")
		write(w, http.StatusOK, string(b))
	}))
	if cfg.Pprof {
		for path, serve := range map[string]http.HandlerFunc{
			"": pprof.Index, "cmdline": pprof.Cmdline, "profile": pprof.Profile, "symbol": pprof.Symbol, "trace": pprof.Trace,
		} {
			mux.HandleFunc("/debug/pprof/"+path, guard.only(serve))
		}
	}
	return mux
}

func write(w http.ResponseWriter, status int, body string) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body + "\n")) // the client went away: nobody left to tell
}
