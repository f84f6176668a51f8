package judges

import (
	_ "embed"
	"fmt"
	"math"
	"regexp"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/internal/config/strictyaml"
)

//go:embed prices.yaml
var priceTable []byte

// staleAfter is the age from which a price table is not to be trusted.
const staleAfter = 90 * 24 * time.Hour

// Price is what a model costs, in US dollars for a million tokens.
type Price struct {
	Input  float64 `yaml:"input" doc:"Price of input."`
	Cached float64 `yaml:"cached" doc:"Price of input that the server had in its cache; 0: that of input."`
	Output float64 `yaml:"output" doc:"Price of output, thinking included."`
}

// Validate gives all faults of p.
func (p Price) Validate() fault.List {
	var fs fault.List
	for _, f := range []struct {
		path string
		usd  float64
	}{{"input", p.Input}, {"cached", p.Cached}, {"output", p.Output}} {
		if !(f.usd >= 0 && f.usd <= 100_000) {
			fs.Add(f.path, "out of range", "US dollars for a million tokens, 0 or more")
		}
	}
	return fs
}

// cost gives the cost of a call in billionths of a US dollar:
// (input - cached) * p.Input + cached * p.Cached + output * p.Output.
func (p Price) cost(u eval.Usage) int64 {
	cached := p.Cached
	if cached == 0 {
		cached = p.Input
	}
	return (u.InputTokens-u.CachedTokens)*nano(p.Input) + u.CachedTokens*nano(cached) + u.OutputTokens*nano(p.Output)
}

// nano gives a price of a million tokens as billionths of a dollar for one.
func nano(usdPerMillion float64) int64 { return int64(math.Round(usdPerMillion * 1000)) }

// Prices are list prices at a date.
type Prices struct {
	AsOf   time.Time
	Source string
	Models map[string]Price
}

// BuiltInPrices gives the table that comes with this version.
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
	var later fault.List
	if err != nil {
		later.Add("as_of", "is no date", "the day on which the prices were right, for example 2026-01-31")
	}
	if t.Source == "" {
		later.Add("source", "missing", "where the prices come from")
	}
	for name, p := range t.Models {
		later.Under("models."+name, p.Validate())
	}
	if err := append(faults, doc.Locate(later)...).Err(); err != nil {
		return Prices{}, fmt.Errorf("price table: %w", err)
	}
	return Prices{AsOf: asOf, Source: t.Source, Models: t.Models}, nil
}

// dated is what may follow a model's name without making it another model.
var dated = regexp.MustCompile(`^-(?:\d{4}-\d{2}-\d{2}|\d{8}|latest)$`)

// Of gives the price of a model: that of its name, or of its name without the
// date of a release. A model that is merely named alike has no price here.
func (p Prices) Of(model string) (Price, bool) {
	if price, ok := p.Models[model]; ok {
		return price, true
	}
	for name, price := range p.Models {
		if len(model) > len(name) && model[:len(name)] == name && dated.MatchString(model[len(name):]) {
			return price, true
		}
	}
	return Price{}, false
}

// Stale reports whether the prices are more than 90 days old.
func (p Prices) Stale(now time.Time) bool { return now.Sub(p.AsOf) > staleAfter }
