package model

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/certs"
	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/judges"
)

// TestWords: what is wrong with a model, and which setting mends it, stands in words in its
// condition and in the line that says that it is down.
func TestWords(t *testing.T) {
	t.Parallel()
	answers := func(status int, body string) string {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(srv.Close)
		return srv.URL
	}
	secured := func(valid time.Duration) string {
		srv := httptest.NewUnstartedServer(http.NotFoundHandler())
		srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
		srv.TLS = &tls.Config{Certificates: []tls.Certificate{certs.New(t).Issue(t, valid, "127.0.0.1").TLS}, MinVersion: tls.VersionTLS13}
		srv.StartTLS()
		t.Cleanup(srv.Close)
		return srv.URL
	}
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	t.Cleanup(hanging.Close)
	through := func(change func(*dialer)) http.RoundTripper {
		d := newDialer(200 * time.Millisecond)
		change(d)
		return &http.Transport{DialContext: d.DialContext}
	}
	half := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "600")
		_, _ = io.WriteString(w, `{"id":"chatcmpl-1","choices":[{"index":0,`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	t.Cleanup(half.Close)
	ended := time.Now().Add(-48 * time.Hour).UTC().Format(time.DateOnly)
	for name, tt := range map[string]struct {
		server    string
		transport http.RoundTripper
		env       bool // the key is in the environment
		reason    eval.Reason
		problem   string // a pattern
		mend      string
	}{
		"certificate that has ended": {
			server: secured(-48 * time.Hour), reason: eval.ReasonUnavailable,
			problem: `^the server's certificate expired on ` + ended + `T\S+Z$`,
			mend:    "models.house.base_url: want a server with a valid certificate: whoever runs it has to renew it, unless the clock of this machine is wrong",
		},
		"certificate of a stranger": {
			server: secured(time.Hour), reason: eval.ReasonUnavailable,
			problem: `^the server's certificate is signed by an unknown authority$`,
			mend:    "models.house.base_url: want a server whose authority this machine knows: add its certificate to the system's, or name the file in SSL_CERT_FILE",
		},
		"reply cut off": {
			server: half.URL, reason: eval.ReasonUnavailable,
			problem: `^the reply was cut off: the connection was closed, status 200$`,
			mend:    "models.house.base_url: the server answers, but not with a completion: look at it, or name another one",
		},
		"refused key": {
			server: answers(401, `{"error":{"code":"invalid_api_key"}}`), reason: eval.ReasonAuth,
			problem: `^the key is refused: status 401, code invalid_api_key`,
			mend:    "models.house.api_key: set key_file, api_key or OPENAI_API_KEY to a key of this server that may use the model",
		},
		"refused key of the environment": {
			server: answers(401, ``), reason: eval.ReasonAuth, env: true,
			problem: `^the key is refused: status 401`,
			mend:    "models.house.key_file: set OPENAI_API_KEY, whose key is in use, or key_file to a key of this server that may use the model",
		},
		"quota": {
			server: answers(429, `{"error":{"code":"insufficient_quota"}}`), reason: eval.ReasonQuota,
			problem: `^the quota is used up: status 429, code insufficient_quota`,
			mend:    "models.house.api_key: the account behind the key has no credit left: add some, or name another key",
		},
		"name that does not resolve": {
			server: "http://llm.internal/v1", reason: eval.ReasonUnavailable,
			transport: through(func(d *dialer) {
				d.lookup = func(context.Context, string, string) ([]netip.Addr, error) {
					return nil, &net.DNSError{Err: "no such host", Name: "llm.internal", IsNotFound: true}
				}
			}),
			problem: `^no answer: the server's name cannot be resolved \(llm.internal\)$`,
			mend:    "models.house.base_url: want a name that can be resolved, or mend the DNS of this machine",
		},
		"closed port": {
			server: "http://127.0.0.1:1/v1", reason: eval.ReasonUnavailable,
			problem: `^no answer: connection refused$`, mend: "models.house.base_url: want the address of a server that runs",
		},
		"address that does not answer": {
			server: "http://llm.internal/v1", reason: eval.ReasonUnavailable,
			transport: through(func(d *dialer) {
				d.lookup = func(context.Context, string, string) ([]netip.Addr, error) {
					return []netip.Addr{netip.MustParseAddr("10.0.0.1")}, nil
				}
				d.dial = func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
			}),
			problem: `^no answer: cannot connect in time$`, mend: "models.house.base_url: want the address of a server that runs",
		},
		"server that hangs": {
			server: hanging.URL, reason: eval.ReasonTimeout,
			problem: `^no answer within \d+ms$`, mend: "models.house.timeout: want a longer time, or a faster model",
		},
		"server in trouble": {
			server: answers(503, ""), reason: eval.ReasonUnavailable,
			problem: `^status 503`, mend: "models.house.base_url: the server answers, but not with a completion: look at it, or name another one",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			m := endpoint(t, http.NotFoundHandler(), func(c *Config, d *Deps) {
				c.BaseURL, c.Format = tt.server, judges.FormatFenced
				if tt.reason == eval.ReasonTimeout {
					c.Timeout = 300 * time.Millisecond
				}
				d.Entry, d.Transport, d.Log = "models.house", tt.transport, slog.New(slog.NewTextHandler(&log, nil))
				if tt.env {
					c.APIKey = ""
					d.Getenv = func(name string) string { return map[string]string{envAPIKey: testKey()}[name] }
				} else {
					c.APIKey = secret.String(testKey())
				}
			})
			var err error
			for range breakerCalls {
				_, err = m.Complete(t.Context(), ask())
			}
			c := m.Condition()
			if c.Reason != tt.reason || !regexp.MustCompile(tt.problem).MatchString(c.Error) || c.Mend != tt.mend || c.FailedAt.IsZero() {
				t.Errorf("condition: reason %q, error %q, mend %q at %v; want %q, %s, %q", c.Reason, c.Error, c.Mend, c.FailedAt, tt.reason, tt.problem, tt.mend)
			}
			down := tt.reason == eval.ReasonUnavailable || tt.reason == eval.ReasonTimeout
			if line := log.String(); down != (strings.Contains(line, `"model is down: `) && strings.Contains(line, `mend="`+tt.mend+`"`)) {
				t.Errorf("log:\n%s", line)
			}
			if setting, _, _ := strings.Cut(tt.mend, ":"); !down && !tt.env && !strings.HasSuffix(err.Error(), "; mend "+setting) || tt.env && !strings.HasSuffix(err.Error(), "; mend "+envAPIKey) {
				t.Errorf("the error of a verdict names no setting: %v", err)
			}
			if down {
				_, err = m.Complete(t.Context(), ask())
				if eval.ReasonOf(err) != eval.ReasonBreakerOpen || !strings.HasPrefix(err.Error(), "breaker_open: circuit breaker is open: "+string(tt.reason)+": "+c.Error) {
					t.Errorf("while the breaker is open: %v", err)
				}
			}
		})
	}
}

// TestEveryReasonHasAMend: each reason for which a call can fail names a setting and a mend.
// Left out are reasons that calls do not have and those that no setting mends.
func TestEveryReasonHasAMend(t *testing.T) {
	t.Parallel()
	others := append(eval.PermanentReasons(), eval.ReasonCanceled, eval.ReasonRedaction, eval.ReasonInternal)
	keys := reflect.TypeFor[Config]()
	for _, reason := range eval.Reasons() {
		f := FaultOf(fail(reason, failure{what: "failed"}))
		if general := f.Expected == "want a model that answers"; general != slices.Contains(others, reason) {
			t.Errorf("%s: mend %q", reason, f.Expected)
		}
		known := false
		for key := range keys.Fields() {
			known = known || key.Tag.Get("yaml") == f.Path
		}
		if !known {
			t.Errorf("%s: %q is no key of a model", reason, f.Path)
		}
	}
}

// TestChangedCauseIsLogged: another thing that is wrong is a line of its own, within the
// minute in which the first has one.
func TestChangedCauseIsLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		wrong := func(class string) error { return fail(eval.ReasonUnavailable, failure{what: class, class: class}) }
		err := wrong("the connection was closed")
		m := newBreaker(judges.ModelFunc(func(context.Context, judges.Request) (judges.Answer, error) {
			return judges.Answer{}, err
		}), config(), slog.New(slog.NewTextHandler(&log, nil)))
		for range breakerCalls {
			_, _ = m.Complete(t.Context(), judges.Request{})
		}
		for _, err = range []error{wrong(classEnded), wrong("the connection was closed"), wrong(classEnded)} {
			_ = sleep(t.Context(), breakerPause+time.Millisecond)
			_, _ = m.Complete(t.Context(), judges.Request{})
		}
		text := log.String()
		if strings.Count(text, "model is down") != 2 || strings.Count(text, `error="unavailable: `+classEnded+`"`) != 1 {
			t.Errorf("want one line about each:\n%s", text)
		}
	})
}
