package datasets

import (
	"context"
	"fmt"
	"slices"

	"github.com/evalworker/evalworker/store"
)

// UnknownName is a name in a filter that no case has.
type UnknownName struct {
	Field string   // of the filter, such as PromptName
	Name  string   // what the filter says
	Known []string // names that cases have, in alphabetical order
}

// maxNames bounds the names that are known of one field.
const maxNames = 10_000

// Unknown returns the names in a filter that no case has, whatever else the filter
// says: then an empty result means a mistyped name and not that all is well. A store
// without cases knows no names, and none is unknown to it.
func (c *Cases) Unknown(ctx context.Context, f Filter) ([]UnknownName, error) {
	counts, err := c.Counts(ctx)
	if err != nil || counts.Cases == 0 {
		return nil, err
	}
	features := `SELECT feature AS name FROM cases`
	if c.hasFeatures() {
		features += ` UNION SELECT feature FROM occurrences`
	}
	var out []UnknownName
	for _, field := range []struct{ name, value, key, query string }{
		{"Evaluator", f.Evaluator, indexKey(f.Evaluator), `SELECT DISTINCT evaluator AS name FROM cases`},
		{"PromptName", f.PromptName, storable(f.PromptName), `SELECT DISTINCT prompt_name AS name FROM cases`},
		{"PromptVersion", f.PromptVersion, indexKey(f.PromptVersion), `SELECT DISTINCT prompt_version AS name FROM occurrences`},
		{"Feature", f.Feature, indexKey(f.Feature), features},
	} {
		if field.value == "" {
			continue
		}
		known, err := store.Query(ctx, c.store, scanString, fmt.Sprintf(`SELECT name FROM (%s) n WHERE name <> '' ORDER BY name LIMIT %d`, field.query, maxNames))
		if err != nil {
			return nil, fmt.Errorf("names: %w", err)
		}
		if len(known) < maxNames && !slices.Contains(known, field.key) {
			out = append(out, UnknownName{Field: field.name, Name: field.value, Known: known})
		}
	}
	return out, nil
}
