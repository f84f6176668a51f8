package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/datadog"
)

// marks are what the line of a change begins with.
var marks = map[datadog.Action]string{
	datadog.Create: "+", datadog.Update: "~", datadog.Delete: "-", datadog.Orphan: "?", datadog.Copied: "?",
}

// print prints the plan for a person: what differs, field by field, and the counts.
func (p *datadogPlan) print(g *globals) error {
	var b strings.Builder
	for _, c := range p.Changes {
		if c.Action == datadog.Keep {
			continue
		}
		fmt.Fprintf(&b, "%s %s %s", marks[c.Action], c.Kind, oneLine(c.Name))
		if c.ID != "" {
			fmt.Fprintf(&b, " (%s)", oneLine(c.ID))
		}
		fmt.Fprintf(&b, ": %s\n", oneLine(c.Title))
		if c.Note != "" {
			fmt.Fprintf(&b, "    %s\n", oneLine(c.Note))
		}
		for _, f := range c.Fields {
			writeField(&b, f)
		}
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%s, environment %s: %s, %d as they should be", p.Site, p.Env, changes(p.Plan), p.Count(datadog.Keep))
	if n := p.Count(datadog.Orphan); n > 0 {
		fmt.Fprintf(&b, ", %s", cli.Plural(n, "orphan"))
	}
	b.WriteByte('\n')
	if len(p.PercentilesOff) > 0 {
		fmt.Fprintf(&b, "percentiles are off in Datadog for %s: what asks for a p95 stays empty until they are turned on (docs/datadog.md)\n", strings.Join(p.PercentilesOff, ", "))
	}
	_, err := fmt.Fprint(g.stdout, b.String())
	return err
}

// writeField writes one difference: of texts of several lines only those that differ.
func writeField(b *strings.Builder, f datadog.Field) {
	fmt.Fprintf(b, "    %s\n", oneLine(f.Path))
	before, after := valueLines(f.Before), valueLines(f.After)
	for len(before) > 0 && len(after) > 0 && before[0] == after[0] {
		before, after = before[1:], after[1:]
	}
	for len(before) > 0 && len(after) > 0 && before[len(before)-1] == after[len(after)-1] {
		before, after = before[:len(before)-1], after[:len(after)-1]
	}
	for _, line := range before {
		fmt.Fprintf(b, "      - %s\n", cell(line, fieldWidth))
	}
	for _, line := range after {
		fmt.Fprintf(b, "      + %s\n", cell(line, fieldWidth))
	}
}

// fieldWidth bounds a line of a value. Queries are long, and their threshold is at the end.
const fieldWidth = 600

// valueLines returns a value as lines; none for an absent one.
func valueLines(v any) []string {
	switch v := v.(type) {
	case nil:
		return nil
	case json.Number: // Datadog writes 3 as 3.0
		if f, err := v.Float64(); err == nil {
			return []string{strconv.FormatFloat(f, 'f', -1, 64)}
		}
	case string:
		return strings.Split(strings.TrimSpace(v), "\n")
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return []string{err.Error()}
	}
	return []string{strings.TrimSpace(b.String())}
}
