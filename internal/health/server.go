package health

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/evalworker/evalworker/eval"
)

// Config says where the server listens.
type Config struct {
	Listen string `yaml:"listen"` // host:port; empty: no server; port 0: any free port
	Pprof  bool   `yaml:"pprof"`  // serve /debug/pprof/
}

// DefaultConfig listens on loopback, port 8787, without profiles.
func DefaultConfig() Config { return Config{Listen: "127.0.0.1:8787"} }

// Validate reports every fault.
func (c Config) Validate() eval.Faults {
	var fs eval.Faults
	if c.Listen == "" {
		return nil
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		fs.Add("listen", fmt.Sprintf("%q is no address", c.Listen), "want host:port, such as 127.0.0.1:8787")
	}
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
func Listen(ctx context.Context, cfg Config, deps Deps) (*Server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("health server: listen on %s: %w; set health.listen to another address", cfg.Listen, err)
	}
	return &Server{listener: l, http: http.Server{
		Handler:           Handler(cfg, deps),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
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

// Handler gives the server's routes.
func Handler(cfg Config, deps Deps) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { write(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		var why []string
		for _, c := range deps.Checks {
			if err := c.Ready(); err != nil {
				why = append(why, c.Name+": "+err.Error())
			}
		}
		if len(why) > 0 {
			write(w, http.StatusServiceUnavailable, strings.Join(why, "\n"))
			return
		}
		write(w, http.StatusOK, "ok")
	})
	mux.HandleFunc("GET /statusz", func(w http.ResponseWriter, _ *http.Request) {
		b, err := json.MarshalIndent(deps.Status(), "", "  ")
		if err != nil {
			write(w, http.StatusInternalServerError, err.Error())
			return
		}
		w.Header().Set("Content-Type", "application/json")
		write(w, http.StatusOK, string(b))
	})
	if cfg.Pprof {
		mux.HandleFunc("/debug/pprof/", pprof.Index)
		mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	}
	return mux
}

func write(w http.ResponseWriter, status int, body string) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body + "\n")) // the client went away: nobody left to tell
}
