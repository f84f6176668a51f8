package model

import (
	"cmp"
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/base/fault"
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
	Write  float64 `yaml:"write" doc:"Price of input that the server wrote to its cache; 0: the price of input."`
	Output float64 `yaml:"output" doc:"Price of output, thinking included."`
	UpTo   int64   `yaml:"up_to" doc:"Input tokens of one call up to which these prices hold; the cost of a longer call is unknown. 0: no bound."`
}

// Validate returns all faults of p.
func (p Price) Validate() fault.List {
	var fs fault.List
	for _, f := range []struct {
		path string
		usd  float64
	}{{"input", p.Input}, {"cached", p.Cached}, {"write", p.Write}, {"output", p.Output}} {
		if !(f.usd >= 0 && f.usd <= 100_000) {
			fs.Add(f.path, "out of range", "want US dollars for a million tokens, 0 or more")
		}
	}
	if p.UpTo < 0 {
		fs.Add("up_to", "out of range", "a number of tokens, or 0 for no bound")
	}
	return fs
}

// cost returns the cost of a call in billionths of a US dollar, and whether it is
// known. Each token of input is paid for once: as read from the cache, as written to
// it, or plainly.
func (p Price) cost(t tokens) (nanoUSD int64, known bool) {
	if p.UpTo > 0 && t.input > p.UpTo {
		return 0, false
	}
	perToken := func(usdPerMillion float64) int64 { return int64(math.Round(usdPerMillion * 1000)) }
	cached, written := cmp.Or(p.Cached, p.Input), cmp.Or(p.Write, p.Input)
	return (t.input-t.cached-t.written)*perToken(p.Input) + t.cached*perToken(cached) +
		t.written*perToken(written) + t.output*perToken(p.Output), true
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

// release matches what stands behind a model's name in the name of one of its
// releases.
var release = regexp.MustCompile(`^(?:[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|latest|default))?$`)

// bedrock matches the name of a model on Bedrock: a region and a vendor before it, a
// version behind it.
var bedrock = regexp.MustCompile(`^(?:(?:us|eu|apac|jp|au|global|us-gov)\.)?(?:anthropic|amazon|meta|mistral|deepseek|openai|qwen|cohere|ai21)\.(.*?)(?:-v\d+(?::\d+)?)?$`)

// Of returns the price of a model by its name. A router's prefix (openai/, models/,
// azure/) and the name of a release do not make it another model. A model with a merely
// similar name has no price.
func (p Prices) Of(model string) (Price, bool) {
	if price, ok := p.Models[model]; ok {
		return price, true
	}
	name := bedrock.ReplaceAllString(model[strings.LastIndexByte(model, '/')+1:], "$1")
	for known, price := range p.Models {
		if rest, ok := strings.CutPrefix(name, known); ok && release.MatchString(rest) {
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
