package serve

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/secret"
)

// HealthConfig says where the health server listens and who may see what.
type HealthConfig struct {
	// Listen is host:port; empty: no server; port 0: any free port.
	Listen string `yaml:"listen" doc:"Address to listen on; empty: no server. Without a token only requests to an IP address or localhost are answered."`
	// Token is the bearer token for everything except whether the worker is well, of
	// at least 16 characters. TokenFile names a file that holds only the token. One of
	// the two is needed to listen beyond loopback.
	Token     secret.String `yaml:"token" doc:"Bearer token for /statusz, /metrics, profiles and the reasons of /readyz, 16 characters at least; needed to listen beyond loopback."`
	TokenFile string        `yaml:"token_file" doc:"File that holds the token alone, relative to this file; it is read again for each request."`
	// Metrics serves /metrics.
	Metrics bool `yaml:"metrics" doc:"Serve all metrics under /metrics, for Prometheus."`
	// Pprof serves /debug/pprof/.
	Pprof bool `yaml:"pprof" doc:"Serve profiles under /debug/pprof/."`
}

// DefaultHealthConfig listens on loopback, port 8787, with metrics and without profiles.
func DefaultHealthConfig() HealthConfig {
	return HealthConfig{Listen: "127.0.0.1:8787", Metrics: true}
}

// ServesMetrics reports whether somebody can ask for metrics.
func (c HealthConfig) ServesMetrics() bool { return c.Listen != "" && c.Metrics }

// Validate returns every fault.
func (c HealthConfig) Validate() fault.List {
	var fs fault.List
	if c.Listen == "" {
		return nil
	}
	host, port, err := net.SplitHostPort(c.Listen)
	if err != nil {
		fs.Add("listen", fmt.Sprintf("%q is not an address", c.Listen), "want host:port, such as 127.0.0.1:8787")
	} else if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		fs.Add("listen", fmt.Sprintf("%q is not a port", port), "want a number from 0 to 65535, as in 127.0.0.1:8787; 0 takes any that is free")
	}
	const enough = "want %d or more, such as openssl rand -hex 16 makes"
	switch {
	case c.Token != "" && c.TokenFile != "":
		fs.Add("token_file", "health.token is set too", "want one of the two")
	case c.TokenFile != "":
		if token, err := secret.FromFile(c.TokenFile); err != nil {
			fs.Add("token_file", err.Error(), "want a file that holds the token alone")
		} else if len(token) < MinToken {
			fs.Add("token_file", fmt.Sprintf("%s holds a token of %d characters", c.TokenFile, len(token)), fmt.Sprintf(enough, MinToken))
		}
	case c.Token != "" && len(c.Token) < MinToken:
		fs.Add("token", fmt.Sprintf("%d characters can be guessed", len(c.Token)), fmt.Sprintf(enough, MinToken))
	case c.Token == "" && err == nil && !secret.Loopback(host):
		fs.Add("listen", fmt.Sprintf("%q is reached from other machines, and there is no token", c.Listen), "want health.token_file (or health.token), or an address of this machine alone, such as 127.0.0.1:8787")
	}
	return fs
}

// Check is one condition of readiness.
type Check struct {
	Name  string
	Ready func() error // nil, or why not
	// Note is what an operator should know of a part that is ready; empty: nothing. A nil
	// function has nothing to say.
	Note func() string
}

// HealthDeps are the checks, the status and the metrics that the health endpoints show.
type HealthDeps struct {
	Checks  []Check
	Status  func() any       // the value that /statusz prints as JSON
	Metrics http.HandlerFunc // answers /metrics; nil: there is none
	Log     *slog.Logger     // what the server itself has to say; nil: nothing
}

// ListenHealth binds the address of the health server; see [New]. The configuration
// must be valid: nothing is served beyond loopback without a token.
func ListenHealth(ctx context.Context, cfg HealthConfig, deps HealthDeps) (*Server, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("health server: %w", err)
	}
	guard := Guard{Token: cfg.Token, TokenFile: cfg.TokenFile}
	s, err := New(ctx, "health server", cfg.Listen, maxConns, &http.Server{
		Handler:      http.MaxBytesHandler(guard.Admit(HealthHandler(cfg, deps), refuse), maxBody),
		ReadTimeout:  10 * time.Second,
		WriteTimeout: 10 * time.Second, // net/http/pprof adds the duration of a profile
		IdleTimeout:  15 * time.Second,
		ErrorLog:     ErrorLog(deps.Log),
	})
	if err != nil {
		return nil, fmt.Errorf("health server: listen on %s: %w; set health.listen to another address", cfg.Listen, err)
	}
	return s, nil
}

// maxConns bounds the connections to the health server. A probe keeps its place until
// so many others have come after it, which has to take longer than it needs to ask.
const maxConns = 256

// maxBody bounds the body of a request; only the symbols of a profile have one.
const maxBody = 64 << 10

// HealthHandler returns the health endpoints, for a server that may have others too.
func HealthHandler(cfg HealthConfig, deps HealthDeps) http.Handler {
	guard := Guard{Token: cfg.Token, TokenFile: cfg.TokenFile}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { writeText(w, http.StatusOK, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		var reasons []string
		answer := []string{"ok"}
		for _, c := range deps.Checks {
			if err := c.Ready(); err != nil {
				reasons = append(reasons, c.Name+": "+err.Error())
			} else if c.Note != nil {
				if note := c.Note(); note != "" {
					answer = append(answer, c.Name+": "+note)
				}
			}
		}
		ok, _ := guard.Allows(r)
		if len(reasons) == 0 {
			if !ok {
				answer = answer[:1]
			}
			writeText(w, http.StatusOK, strings.Join(answer, "\n"))
		} else if ok {
			writeText(w, http.StatusServiceUnavailable, strings.Join(reasons, "\n"))
		} else {
			writeText(w, http.StatusServiceUnavailable, "not ready")
		}
	})
	protect := func(next http.HandlerFunc) http.Handler { return guard.Protect(next, denyHealth) }
	mux.Handle("GET /statusz", protect(func(w http.ResponseWriter, _ *http.Request) {
		b, err := json.MarshalIndent(deps.Status(), "", "  ")
		if err != nil {
			writeText(w, http.StatusInternalServerError, err.Error())
			return
		}
		w.Header().Set("Content-Type", "application/json")
		writeText(w, http.StatusOK, string(b))
	}))
	if cfg.Metrics && deps.Metrics != nil {
		mux.Handle("GET /metrics", protect(deps.Metrics))
	}
	if cfg.Pprof {
		for path, profile := range map[string]http.HandlerFunc{
			"": pprof.Index, "cmdline": pprof.Cmdline, "profile": pprof.Profile, "symbol": pprof.Symbol, "trace": pprof.Trace,
		} {
			mux.Handle("/debug/pprof/"+path, protect(profile))
		}
	}
	return mux
}

func denyHealth(w http.ResponseWriter, _ *http.Request, err error) {
	if err != nil {
		writeText(w, http.StatusServiceUnavailable, "the token cannot be checked: health.token_file is unreadable or too short")
		return
	}
	w.Header().Set("WWW-Authenticate", `Bearer realm="evalworker"`)
	writeText(w, http.StatusUnauthorized, "a bearer token is needed: Authorization: Bearer TOKEN")
}

func refuse(w http.ResponseWriter, _ *http.Request, reason string) {
	writeText(w, http.StatusForbidden, reason)
}

func writeText(w http.ResponseWriter, status int, body string) {
	h := w.Header()
	if h.Get("Content-Type") == "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	}
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body + "\n")) // fails only when the client is gone
}
