package model

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
)

//go:embed prices.yaml
var priceTable []byte

// staleAfter is the age after which a price table is out of date.
const staleAfter = 90 * 24 * time.Hour

// Price is what a model costs, in US dollars for a million tokens.
type Price struct {
	Input  float64 `yaml:"input" doc:"Price of input."`
	Cached float64 `yaml:"cached" doc:"Price of input that the server had in its cache; 0: the price of input."`
	Output float64 `yaml:"output" doc:"Price of output, thinking included."`
}

// Validate returns all faults of p.
func (p Price) Validate() fault.List {
	var fs fault.List
	for _, f := range []struct {
		path string
		usd  float64
	}{{"input", p.Input}, {"cached", p.Cached}, {"output", p.Output}} {
		if !(f.usd >= 0 && f.usd <= 100_000) {
			fs.Add(f.path, "out of range", "want US dollars for a million tokens, 0 or more")
		}
	}
	return fs
}

// cost returns the cost of a call in billionths of a US dollar:
// (input - cached) * p.Input + cached * p.Cached + output * p.Output.
func (p Price) cost(u eval.Usage) int64 {
	cached := p.Cached
	if cached == 0 {
		cached = p.Input
	}
	perToken := func(usdPerMillion float64) int64 { return int64(math.Round(usdPerMillion * 1000)) }
	return (u.InputTokens-u.CachedTokens)*perToken(p.Input) + u.CachedTokens*perToken(cached) + u.OutputTokens*perToken(p.Output)
}

// Prices are list prices at a date.
type Prices struct {
	AsOf   time.Time
	Source string
	Models map[string]Price
}

// BuiltInPrices returns the table that is built into this version.
func BuiltInPrices() (Prices, error) { return ParsePrices("prices.yaml", priceTable) }

// ParsePrices reads a table of prices: as_of (a date), source, and models, each
// with input, cached and output in US dollars for a million tokens.
func ParsePrices(file string, data []byte) (Prices, error) {
	var t struct {
		AsOf   string           `yaml:"as_of"`
		Source string           `yaml:"source"`
		Models map[string]Price `yaml:"models"`
	}
	doc, faults := strictyaml.Decode(file, data, &t)
	asOf, err := time.Parse(time.DateOnly, t.AsOf)
	var more fault.List
	if err != nil {
		more.Add("as_of", "is not a date", "the day on which the prices were right, for example 2026-01-31")
	}
	if t.Source == "" {
		more.Add("source", "missing", "where the prices come from")
	}
	for name, p := range t.Models {
		more.Under("models."+name, p.Validate())
	}
	if err := append(faults, doc.Locate(more)...).Err(); err != nil {
		return Prices{}, fmt.Errorf("price table: %w", err)
	}
	return Prices{AsOf: asOf, Source: t.Source, Models: t.Models}, nil
}

// releaseSuffix matches the date of a release after a model's name, which does not
// make it another model.
var releaseSuffix = regexp.MustCompile(`^-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$`)

// Of returns the price of a model, by its name or by its name without the date of
// a release. A model with a merely similar name has no price.
func (p Prices) Of(model string) (Price, bool) {
	if price, ok := p.Models[model]; ok {
		return price, true
	}
	for name, price := range p.Models {
		if len(model) > len(name) && model[:len(name)] == name && releaseSuffix.MatchString(model[len(name):]) {
			return price, true
		}
	}
	return Price{}, false
}

// Stale reports whether the prices are more than 90 days old.
func (p Prices) Stale(now time.Time) bool { return now.Sub(p.AsOf) > staleAfter }

// priceLookup returns the function that looks up prices. It warns when the price
// comes from a table that is out of date.
func priceLookup(cfg Config, deps Deps) (func(model string) (Price, bool), error) {
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
