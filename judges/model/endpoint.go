package model

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"

	openai "github.com/sashabaranov/go-openai"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/regular"
	"github.com/evalworker/evalworker/judges"
)

// Keys of log attributes.
const (
	keyModel  = "model"
	keyFormat = "format"
	keyError  = "error"
	keyNext   = "next"
	keyReason = "reason"
	keyAge    = "age_days"
	keyMend   = "mend"
	keyAfter  = "after"

	keyParameter = "parameter"
)

// Environment variables for values that a model's configuration leaves out.
const (
	envBaseURL = "OPENAI_BASE_URL"
	envAPIKey  = "OPENAI_API_KEY"
)

// maxKeyFile bounds a key file, in bytes.
const maxKeyFile = 16 << 10

// Deps are an endpoint's dependencies. The zero value works.
type Deps struct {
	Log    *slog.Logger // nil: nothing is logged
	Entry  string       // of the configuration, such as models.default, for messages that say what to mend; may be empty
	Prices Prices       // zero: the built-in table

	// Observe is called after each call of the model; it must not block. May be nil.
	Observe func(Call)
	// Getenv reads OPENAI_BASE_URL and OPENAI_API_KEY. nil: [os.Getenv].
	Getenv func(string) string
	// Patience makes calls wait for the endpoint, for a batch; nil: they fail.
	Patience *Patience
	// Transport carries the calls. nil: the endpoint creates its own.
	Transport http.RoundTripper
}

// Endpoint is one entry of models: a model behind a server, with the limits that
// all its judges share. It is safe for concurrent use.
type Endpoint struct {
	model       judges.Model
	ladder      *formatLadder
	http        *http.Client
	breaker     *breaker
	description judges.Description
	catalogue   *catalogue // a pointer: printing an endpoint shows no key
	price       func(model string) (Price, bool)
}

var _ judges.Describer = (*Endpoint)(nil)

// New returns the model of one entry. It makes no connection. A key that is
// missing or cannot be read is an error of type [fault.Faults].
//
// The layers, the outermost first, and why they are in this order:
//
//	patience          waits for an endpoint that is down; only in a batch
//	formatLadder      one question, asked again in a looser answer format
//	parameterLearner  or without a parameter that the server does not take
//	retrier           waits outside of the concurrency limit, so that no slot is idle
//	concurrencyLimit  calls in flight; before the breaker, so that calls that queued
//	                  up while the endpoint went down are turned away at their turn
//	breaker           before the rate limit, so that a call turned away uses no turn
//	rateLimit         calls a minute, and the pause of all that the server asks for
//	patientCalls      what the calls say to the patience; only in a batch
//	callObserver      the timeout of one call, which the queues above do not use up, and
//	                  whether a fault of this machine ended it
//	client            one call
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
	key, keyFrom, err := apiKey(cfg, deps.Getenv)
	if err != nil {
		return nil, err
	}
	price, err := priceLookup(cfg, deps)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", cfg.Model, err)
	}
	d := newDoer(cfg, deps.Transport)
	latency := new(latencyEstimate)
	learner := newParameterLearner(cfg, deps.Log)
	c := newClient(cfg, key, d, learner, price)
	c.keyFrom = settingOf(deps.Entry, keyFrom)
	var m judges.Model = &callObserver{
		next: c, model: cfg.Model, timeout: cfg.Timeout, latency: latency, local: newLocalFaults(cfg, deps.Log), observe: deps.Observe,
	}
	var p *patience
	if deps.Patience != nil {
		p = newPatience(cfg, *deps.Patience)
		m = patientCalls{m, p}
	}
	m = newRateLimit(m, cfg, latency)
	b := newBreaker(m, cfg, deps.Log)
	b.pause, b.entry = deps.Patience.probePause(), deps.Entry
	m = newConcurrencyLimit(b, cfg, latency)
	learner.next = newRetrier(m, cfg)
	ladder := newFormatLadder(learner, cfg, deps.Log)
	m = ladder
	if p != nil {
		p.next = m
		m = p
	}
	return &Endpoint{
		model: m, ladder: ladder, http: &d.http, breaker: b,
		description: judges.Description{Fingerprint: cfg.fingerprint(), MaxInputChars: cfg.MaxInputChars},
		catalogue:   &catalogue{http: &d.http, server: serverOf(cfg), key: key, model: cfg.Model, none: cfg.API != apiOpenAI},
		price:       price,
	}, nil
}

// Complete answers one request.
func (e *Endpoint) Complete(ctx context.Context, r judges.Request) (judges.Answer, error) {
	return e.model.Complete(ctx, r)
}

// Server returns the host of the model's server.
func (e *Endpoint) Server() string { return e.catalogue.host() }

// Listing asks the server for its models. Many servers have no list, as Azure's
// deployments do not, or refuse it to a key that may judge.
func (e *Endpoint) Listing(ctx context.Context) Listing { return e.catalogue.listing(ctx) }

// Cost returns what a call with these tokens costs, in billionths of a US dollar, when
// the model's price is known.
func (e *Endpoint) Cost(input, output int64) (nanoUSD int64, known bool) {
	p, ok := e.price(e.catalogue.model)
	if !ok {
		return 0, false
	}
	return p.cost(tokens{input: input, output: output})
}

// Describe returns the facts about the model that a judge needs.
func (e *Endpoint) Describe() judges.Description { return e.description }

// Condition returns the health of the model.
func (e *Endpoint) Condition() Condition {
	c := e.breaker.condition()
	c.Format = e.ladder.format()
	return c
}

// Close closes idle connections. The endpoint can still be called; it then opens
// new ones.
func (e *Endpoint) Close() { e.http.CloseIdleConnections() }

// String names the model, so that printing an endpoint does not show its key.
func (e *Endpoint) String() string { return "endpoint " + e.description.Fingerprint }

// GoString is String.
func (e *Endpoint) GoString() string { return e.String() }

// serverOf returns the base URL of a model's server, without a slash at its end.
func serverOf(cfg Config) string {
	return strings.TrimRight(cmp.Or(cfg.BaseURL, openai.DefaultConfig("").BaseURL), "/")
}

// apiKey returns the key from its file, from the configuration, or from the
// environment, and the name of the setting or variable that it comes from. A self-hosted
// server may need none; for an API that always needs one, a missing key is an error.
func apiKey(cfg Config, getenv func(string) string) (key, from string, err error) {
	key, from = cfg.APIKey.Reveal(), "api_key"
	switch {
	case cfg.KeyFile != "":
		b, err := regular.Read(cfg.KeyFile, maxKeyFile)
		if err != nil {
			return "", "", keyFault("key_file", err.Error())
		}
		key, from = string(b), "key_file"
	case key == "":
		key, from = getenv(envAPIKey), envAPIKey
	}
	key = strings.TrimSpace(key)
	if key == "" && (cfg.BaseURL == "" || cfg.API != apiOpenAI) {
		return "", "", keyFault("api_key", "missing")
	}
	if strings.ContainsAny(key, "\r\n\x00") {
		return "", "", keyFault("api_key", "contains a line break")
	}
	return key, from, nil
}

// settingOf returns the whole name of a setting of an entry; a variable's name as it is.
func settingOf(entry, setting string) string {
	if entry == "" || setting == envAPIKey {
		return setting
	}
	return entry + "." + setting
}

func keyFault(path, problem string) error {
	return fault.List{{Path: path, Problem: problem, Expected: "set key_file, api_key or " + envAPIKey}}
}
