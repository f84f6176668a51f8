package model

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/judges"
)

// Keys of log attributes.
const (
	keyModel  = "model"
	keyFormat = "format"
	keyFrom   = "from"
	keyNext   = "next"
	keyReason = "reason"
	keyAge    = "age_days"
)

// Environment variables that fill in what a model's configuration leaves out.
const (
	envBaseURL = "OPENAI_BASE_URL"
	envAPIKey  = "OPENAI_API_KEY"
)

// maxKeyFile bounds a key's file, in bytes.
const maxKeyFile = 16 << 10

// ModelDeps are what a model works with. The zero value works.
type Deps struct {
	Log    *slog.Logger // nil: nothing is logged
	Prices Prices       // zero: the built-in table

	// Observe is told of each call; it must not block. nil: nobody.
	Observe func(Call)
	// Getenv reads OPENAI_BASE_URL and OPENAI_API_KEY. nil: [os.Getenv].
	Getenv func(string) string
	// Transport carries the calls. nil: one of the endpoint's own.
	Transport http.RoundTripper
}

// Endpoint is one entry of models: a model behind a server, with the limits
// that all judges share who use it. It is safe for concurrent use.
type Endpoint struct {
	model       judges.Model
	http        *http.Client
	breaker     *breaker
	description judges.Description
}

var _ judges.Describer = (*Endpoint)(nil)

// NewModel makes the model of one entry. It connects to nobody. A key that is
// missing or cannot be read is an error of type [fault.Faults].
//
// The layers, the outermost first, and why they stand where they stand:
//
//	ladder   one question, asked again on a lower rung
//	retry    waits outside of the slot, so that a slot is never idle
//	slots    calls in flight; before the breaker, so that what queued up while
//	         the endpoint went down is turned away as it comes to its turn
//	breaker  before the pace, so that a call turned away uses up no turn
//	pace     calls a minute, and the pause of all when the server asks for one
//	watch    the timeout of one call, which the queues above do not use up
//	client   one call
func New(cfg Config, deps Deps) (*Endpoint, error) {
	if err := cfg.Validate().Err(); err != nil {
		return nil, fmt.Errorf("model %s: %w", cfg.Model, err)
	}
	if deps.Log == nil {
		deps.Log = slog.New(slog.DiscardHandler)
	}
	if deps.Getenv == nil {
		deps.Getenv = os.Getenv
	}
	if cfg.BaseURL == "" {
		cfg.BaseURL = deps.Getenv(envBaseURL)
	}
	key, err := apiKey(cfg, deps.Getenv)
	if err != nil {
		return nil, err
	}
	prices, err := priceLookup(cfg, deps)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", cfg.Model, err)
	}
	d := newDoer(cfg, deps.Transport)
	var m judges.Model = newClient(cfg, key, d, prices)
	u := new(latencyEstimate)
	m = &callObserver{next: m, model: cfg.Model, timeout: cfg.Timeout, latency: u, observe: deps.Observe}
	m = newRateLimit(m, cfg, u)
	b := newBreaker(m, cfg, deps.Log)
	m = newConcurrencyLimit(b, cfg, u)
	m = newRetrier(m, cfg)
	m = newFormatLadder(m, cfg, deps.Log)
	return &Endpoint{
		model: m, http: &d.http, breaker: b,
		description: judges.Description{Fingerprint: cfg.fingerprint(), MaxInputChars: cfg.MaxInputChars},
	}, nil
}

// Complete answers one request.
func (e *Endpoint) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	return e.model.Complete(ctx, r)
}

// Describe says which model it is and how much it is shown.
func (e *Endpoint) Describe() judges.Description { return e.description }

// Condition says how the model fares.
func (e *Endpoint) Condition() Condition { return e.breaker.condition() }

// Close lets go of connections that are not in use. The endpoint can still be
// called; it then opens new ones.
func (e *Endpoint) Close() { e.http.CloseIdleConnections() }

// String names the model, so that no print of an endpoint reaches its key.
func (e *Endpoint) String() string { return "endpoint " + e.description.Fingerprint }

// GoString is String.
func (e *Endpoint) GoString() string { return e.String() }

// fingerprint names what an answer depends on. Limits and addresses are not
// among it: the same model behind a gateway is the same model.
func (c Config) fingerprint() string {
	temperature, seed := "none", "none"
	if c.Temperature != nil && capabilityOf(c.Model).temperature {
		temperature = fmt.Sprint(*c.Temperature)
	}
	if c.Seed != nil {
		seed = strconv.Itoa(*c.Seed)
	}
	return fmt.Sprintf("api=%s model=%s temperature=%s max_tokens=%d seed=%s format=%s",
		c.API, c.Model, temperature, c.MaxTokens, seed, c.Format)
}

// keyOf gives the key: from its file, from the configuration, or from the
// environment. A server of one's own may need none; those that certainly do are
// not called without.
func apiKey(cfg Config, getenv func(string) string) (string, error) {
	key := cfg.APIKey.Reveal()
	switch {
	case cfg.KeyFile != "":
		f, err := os.Open(cfg.KeyFile)
		if err != nil {
			return "", keyFault("key_file", err.Error())
		}
		defer func() { _ = f.Close() }()
		b, err := io.ReadAll(io.LimitReader(f, maxKeyFile))
		if err != nil {
			return "", keyFault("key_file", err.Error())
		}
		key = string(b)
	case key == "":
		key = getenv(envAPIKey)
	}
	key = strings.TrimSpace(key)
	if key == "" && (cfg.BaseURL == "" || cfg.API != apiOpenAI) {
		return "", keyFault("api_key", "missing")
	}
	if strings.ContainsAny(key, "\r\n\x00") {
		return "", keyFault("api_key", "holds a line break")
	}
	return key, nil
}

func keyFault(path, problem string) error {
	return fault.List{{Path: path, Problem: problem, Expected: "set key_file, api_key or " + envAPIKey}}
}

// pricesOf gives the look-up of prices, and warns when the built-in table that
// the model's price comes from is out of date.
func priceLookup(cfg Config, deps Deps) (func(string) (Price, bool), error) {
	if cfg.Price != nil {
		return func(string) (Price, bool) { return *cfg.Price, true }, nil
	}
	prices := deps.Prices
	if prices.AsOf.IsZero() {
		var err error
		if prices, err = BuiltInPrices(); err != nil {
			return nil, err
		}
	}
	if _, known := prices.Of(cfg.Model); known && prices.Stale(time.Now()) {
		deps.Log.LogAttrs(context.Background(), slog.LevelWarn, "price table is old: set models.NAME.price, or read costs with care",
			slog.String(keyModel, cfg.Model), slog.Int(keyAge, int(time.Since(prices.AsOf).Hours()/24)))
	}
	return prices.Of, nil
}
