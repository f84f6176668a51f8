package lint

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/telemetry"
)

// What a monitor needs for a block of its message ever to be shown.
const (
	needsWarning  = "warning threshold"
	needsSilence  = "notify_no_data"
	needsReminder = "renotify_interval"
)

// states are the conditions of blocks in a message, each with what it needs.
var states = map[string]string{
	"is_alert":            "",
	"is_alert_recovery":   "",
	"is_recovery":         "",
	"is_renotify":         needsReminder,
	"is_priority":         "",
	"is_match":            "",
	"is_exact_match":      "",
	"is_warning":          needsWarning,
	"is_warning_recovery": needsWarning,
	"is_alert_to_warning": needsWarning,
	"is_no_data":          needsSilence,
	"is_no_data_recovery": needsSilence,
}

// variables are those of every monitor.
var variables = []string{
	"value", "threshold", "comparator", "last_triggered_at", "last_triggered_at_epoch", "first_triggered_at",
	"first_triggered_at_epoch", "triggered_duration_sec", "ok_threshold", "warn_threshold",
}

// What is found in texts.
var (
	braces    = regexp.MustCompile(`\{\{(.*?)\}\}`)                   // what Datadog replaces
	runbook   = regexp.MustCompile(`\$\{docs\}/runbooks/[^\s)>\]#]*`) // links
	recipient = regexp.MustCompile(`(?:^|\s)(@[\w-]+)`)
	code      = regexp.MustCompile("`([^`\n]+)`")
	beginning = regexp.MustCompile(`^\w+:(llm|evalworker)\.`) // of a query
	dotted    = regexp.MustCompile(`^(?:llm|evalworker)\.[\w.]*\w`)
)

// otherNames look like those of metrics: files, the topic, tags of spans.
var otherNames = []string{
	"evalworker.db", "evalworker.yaml", "llm.requests.completed", "llm.requests.completed.dead",
	"llm.feature", "llm.model", "llm.prompt_name", "llm.prompt_version", "llm.provider", "llm.span_id", "llm.trace_id",
}

// texts checks a monitor's name and messages.
func (t table) texts(m *monitor, name string) (faults fault.List) {
	faults.Under("name", m.replaced(m.Name))
	faults.Under("message", m.replaced(m.Message))
	faults.Under("message", t.quoted(m.Message))
	faults.Under("options.escalation_message", m.replaced(m.Options.EscalationMessage))
	if !strings.Contains(m.Message, "${notify}") {
		faults.Add("message", "nobody is told", "it needs ${notify}")
	}
	link := "${docs}/runbooks/" + name + ".md"
	links := runbook.FindAllString(m.Message, -1)
	if !slices.Contains(links, link) {
		faults.Add("message", "it does not link its runbook", "it needs "+link)
	}
	for _, found := range links {
		if found != link {
			faults.Add("message", "it links "+found, "the runbook of this monitor is "+link)
		}
	}
	for _, found := range recipient.FindAllStringSubmatch(m.Message+" "+m.Options.EscalationMessage, -1) {
		faults.Add("message", "it names the recipient "+found[1], "recipients are ${notify}, and everybody has others")
	}
	return faults
}

// quoted checks the metrics and queries that a text shows as code. A query without
// braces is the name of a metric with its aggregation, and the words around it say how to
// filter.
func (t table) quoted(s string) (faults fault.List) {
	for _, match := range code.FindAllStringSubmatch(s, -1) {
		if name := dotted.FindString(match[1]); name != "" && !slices.Contains(otherNames, name) {
			if _, ok := t.find(name); !ok {
				faults.Add("", "unknown metric "+match[0], meant(name, slices.Sorted(maps.Keys(t.metrics))))
			}
		}
		if !beginning.MatchString(match[1]) {
			continue
		}
		query := braces.ReplaceAllString(match[1], "*")
		bare := !strings.Contains(query, "{")
		if bare {
			query += "{*}.as_count()"
		}
		e, err := parseExpression(query)
		if err != nil {
			faults.Add("", err.Error(), "in the query "+match[1])
			continue
		}
		for _, m := range metricsOf(e) {
			known, ok := t.find(m.name)
			if bare && ok && known.Type != telemetry.TypeCount {
				m.methods = nil
			}
		}
		for _, f := range t.parts(e, nil) {
			faults.Add("", "in "+match[0]+": "+f.Problem, f.Expected)
		}
	}
	return faults
}

// has reports whether the monitor has what a block of a message needs.
func (m *monitor) has(what string) bool {
	switch what {
	case needsWarning:
		_, ok := m.Options.Thresholds["warning"]
		return ok
	case needsSilence:
		return m.Options.NotifyNoData
	case needsReminder:
		return m.Options.RenotifyInterval > 0
	}
	return true
}

// replaced checks what Datadog replaces in a text: blocks open and close in their order,
// and variables are those that the monitor has.
func (m *monitor) replaced(s string) (faults fault.List) {
	s = placeholder.ReplaceAllString(s, "x")
	var open []string
	for _, match := range braces.FindAllStringSubmatch(s, -1) {
		inside := strings.TrimSpace(match[1])
		switch {
		case strings.HasPrefix(inside, "#"), strings.HasPrefix(inside, "^"):
			words := strings.Fields(inside[1:])
			if len(words) == 0 {
				faults.Add("", match[0]+" has no condition", "")
				continue
			}
			open = append(open, words[0])
			needs, ok := states[words[0]]
			switch {
			case !ok:
				faults.Add("", "unknown condition "+match[0], fault.Suggest(words[0], slices.Sorted(maps.Keys(states)), ""))
			case !m.has(needs):
				faults.Add("", match[0]+" is never shown: the monitor has no "+needs, "leave it out")
			case strings.HasSuffix(words[0], "_match") && len(words) > 1:
				faults = append(faults, m.variable(match[0], strings.Trim(words[1], `"'`))...)
			}
		case strings.HasPrefix(inside, "/"):
			name := inside[1:]
			if len(open) == 0 || open[len(open)-1] != name {
				faults.Add("", match[0]+" closes what is not open", fmt.Sprintf("open there: %s", strings.Join(open, ", ")))
				continue
			}
			open = open[:len(open)-1]
		case inside == "else" && len(open) > 0:
		default:
			faults = append(faults, m.variable(match[0], inside)...)
		}
	}
	for _, name := range open {
		faults.Add("", "{{#"+name+"}} is not closed", "write {{/"+name+"}} behind the block")
	}
	rest := braces.ReplaceAllString(s, "|")
	if strings.Contains(rest, "{{") || strings.Contains(rest, "}}") || strings.Contains(rest, "{|") || strings.Contains(rest, "|}") {
		faults.Add("", "a pair of braces has no partner, or touches another brace", "write {{ and }} around each variable, and nothing else that is a brace beside it")
	}
	return faults
}

// variable checks a variable of a message: one of every monitor, or GROUP.name.
func (m *monitor) variable(written, name string) (faults fault.List) {
	groups := m.query.groups()
	known := slices.Clone(variables)
	for _, g := range groups {
		known = append(known, g+".name")
	}
	switch {
	case name == "warn_threshold" && !m.has(needsWarning):
		faults.Add("", written+" is empty: the monitor has no warning", "leave it out")
	case slices.Contains(known, name):
	case strings.HasSuffix(name, ".name"):
		faults.Add("", written+" is empty: the query is not grouped by "+strings.TrimSuffix(name, ".name"), fault.Suggest(strings.TrimSuffix(name, ".name"), groups, "the query has no groups"))
	default:
		faults.Add("", "unknown variable "+written, fault.Suggest(name, known, ""))
	}
	return faults
}
