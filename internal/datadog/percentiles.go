package datadog

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
)

// percentileOf matches a percentile in a query.
var percentileOf = regexp.MustCompile(`\bp[0-9]{2}:([a-z0-9_.]+)`)

// Percentiles returns the metrics of which the JSON of a monitor or dashboard asks for a
// percentile, sorted.
func Percentiles(text []byte) []string {
	var out []string
	for _, m := range percentileOf.FindAllSubmatch(text, -1) {
		out = append(out, string(m[1]))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// readPercentiles finds the metrics whose percentiles somebody has yet to turn on. That is
// not done here, because percentiles cost more. A key that may not read metrics finds
// none, which stops nothing.
func (p *Plan) readPercentiles(ctx context.Context, objects []Object) {
	asked := map[string]bool{}
	for _, o := range objects {
		for _, metric := range Percentiles(o.JSON()) {
			asked[metric] = true
		}
	}
	for metric := range asked {
		var answer struct {
			Data struct {
				Attributes struct {
					IncludePercentiles bool `json:"include_percentiles"`
				} `json:"attributes"`
			} `json:"data"`
		}
		err := p.client.Do(ctx, Request{Method: http.MethodGet, Path: "/api/v2/metrics/" + url.PathEscape(metric) + "/tags"}, &answer)
		if statusOf(err) == http.StatusNotFound || err == nil && !answer.Data.Attributes.IncludePercentiles {
			p.PercentilesOff = append(p.PercentilesOff, metric)
		}
	}
	slices.Sort(p.PercentilesOff)
}
