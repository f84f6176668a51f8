package lint

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/telemetry"
)

// monitor is what the checks read of a monitor's document.
type monitor struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	Query    string   `json:"query"`
	Message  string   `json:"message"`
	Tags     []string `json:"tags"`
	Priority int      `json:"priority"`
	Options  struct {
		Thresholds        map[string]json.Number `json:"thresholds"`
		RequireFullWindow *bool                  `json:"require_full_window"`
		NotifyNoData      bool                   `json:"notify_no_data"`
		NoDataTimeframe   int                    `json:"no_data_timeframe"`
		NotifyBy          []string               `json:"notify_by"`
		OnMissingData     string                 `json:"on_missing_data"`
		EscalationMessage string                 `json:"escalation_message"`
		RenotifyInterval  int                    `json:"renotify_interval"`
	} `json:"options"`

	query alert
}

// alert is a monitor's query: AGGREGATION(last_WINDOW):VALUE COMPARATOR THRESHOLD, or
// CHANGE(AGGREGATION(last_WINDOW),SHIFT):VALUE COMPARATOR THRESHOLD.
type alert struct {
	change      string // change or pct_change; empty without
	aggregation string
	window      time.Duration
	value       expression
	comparator  string
	threshold   string // as it is written
}

// groups returns the tags that tell the monitor's groups apart.
func (a alert) groups() []string {
	for _, m := range metricsOf(a.value) {
		if len(m.by) > 0 {
			return m.by
		}
	}
	return nil
}

// backs are how far back a change alert may look.
var backs = []string{"5m_ago", "10m_ago", "15m_ago", "30m_ago", "1h_ago", "2h_ago", "4h_ago", "1d_ago"}

// parseMonitor parses the query of a metric monitor.
func parseMonitor(s string) (a alert, err error) {
	p := &parser{text: s}
	if a.aggregation, err = p.word(); err != nil {
		return a, err
	}
	if err := p.need("("); err != nil {
		return a, err
	}
	if a.aggregation == "change" || a.aggregation == "pct_change" {
		a.change = a.aggregation
		if a.aggregation, err = p.word(); err != nil {
			return a, err
		}
		if err := p.need("("); err != nil {
			return a, err
		}
	}
	if !slices.Contains([]string{"avg", "sum", "min", "max", "percentile"}, a.aggregation) {
		return a, fmt.Errorf("aggregates the window by %s; want avg, sum, min, max or percentile", a.aggregation)
	}
	if a.window, err = p.window(); err != nil {
		return a, err
	}
	if a.change != "" {
		if err := p.shift(); err != nil {
			return a, err
		}
	}
	if err := p.need(":"); err != nil {
		return a, err
	}
	if a.value, err = p.expression(); err != nil {
		return a, err
	}
	p.space()
	a.comparator = p.run(func(c byte) bool { return strings.IndexByte("<>=!", c) >= 0 })
	if !slices.Contains([]string{">", ">=", "<", "<="}, a.comparator) {
		return a, p.want("a comparison with >, >=, < or <= before it")
	}
	p.space()
	a.threshold = p.run(func(c byte) bool { return isDigit(c) || c == '.' || c == '-' })
	if _, err := strconv.ParseFloat(a.threshold, 64); err != nil || !p.end() {
		return a, p.want("nothing but a number behind the comparison")
	}
	return a, nil
}

// window reads last_10m and the closing brace.
func (p *parser) window() (time.Duration, error) {
	start := p.at
	word := p.run(isWord)
	n, unit := 0, byte(0)
	if digits, ok := strings.CutPrefix(word, "last_"); ok && len(digits) > 1 {
		unit = digits[len(digits)-1]
		n, _ = strconv.Atoi(digits[:len(digits)-1])
	}
	each, ok := map[byte]time.Duration{'m': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour}[unit]
	if length := time.Duration(n) * each; ok && n > 0 && length <= 48*time.Hour {
		return length, p.need(")")
	}
	p.at = start
	return 0, p.want("a window such as last_10m, last_4h or last_1d, of at most two days")
}

// shift reads ,1d_ago and the closing brace.
func (p *parser) shift() error {
	if err := p.need(","); err != nil {
		return err
	}
	p.space()
	start := p.at
	if word := p.run(isWord); !slices.Contains(backs, word) {
		p.at = start
		return p.want("one of " + strings.Join(backs, ", "))
	}
	return p.need(")")
}

// monitor checks one monitor. name is that of its file, without .json.
func (t table) monitor(name string, b []byte) (*monitor, fault.List) {
	faults := document(b)
	var m monitor
	if err := json.Unmarshal(b, &m); err != nil {
		faults.Add("", err.Error(), "want one object as Datadog's API takes it")
		return nil, faults
	}
	if !strings.HasPrefix(m.Name, "[evalworker] ") {
		faults.Add("name", fmt.Sprintf("%q", m.Name), "begin it with `[evalworker] `")
	}
	if m.Type != "query alert" {
		faults.Add("type", fmt.Sprintf("%q", m.Type), "want query alert: others need ids that exist only after they are created")
	}
	for _, tag := range []string{"managed_by:evalworker", "evalworker_id:" + name} {
		if !slices.Contains(m.Tags, tag) {
			faults.Add("tags", "the tag "+tag+" is missing", "the program finds its monitors by it")
		}
	}
	for i, tag := range m.Tags {
		if key, _, _ := strings.Cut(tag, ":"); (key == "managed_by" || key == "evalworker_id") && tag != "managed_by:evalworker" && tag != "evalworker_id:"+name {
			faults.Add(fmt.Sprintf("tags[%d]", i), fmt.Sprintf("%q", tag), "it belongs to another monitor")
		}
		if slices.Contains(m.Tags[:i], tag) {
			faults.Add(fmt.Sprintf("tags[%d]", i), tag+" stands there twice", "Datadog keeps one, so Terraform would see a change for ever")
		}
	}
	if m.Priority < 1 || m.Priority > 5 {
		faults.Add("priority", strconv.Itoa(m.Priority), "want 1 (highest) to 5")
	}
	query, err := parseMonitor(m.Query)
	if err != nil {
		faults.Add("query", err.Error(), "in "+m.Query)
		return nil, faults
	}
	m.query = query
	faults.Under("query", t.alert(query))
	faults.Under("options", t.options(&m))
	faults.Under("options.thresholds", m.thresholds())
	faults = append(faults, t.texts(&m, name)...)
	return &m, faults
}

// alert checks what only monitors have to keep to.
func (t table) alert(a alert) fault.List {
	faults := t.expression(a.value, nil)
	if divides(a.value) && zeroes(a.value) {
		faults.Add("", "default_zero of a count in a rate", "leave it out: counts are 0 where they are missing, and functions keep Datadog from adding up the window before it divides")
	}
	for _, m := range metricsOf(a.value) {
		known, ok := t.find(m.name)
		if !ok {
			continue
		}
		if !slices.ContainsFunc(m.filters, func(f filter) bool { return f.key == "env" && slices.Equal(f.values, []string{"${env}"}) }) {
			faults.Add("", m.name+" is not limited to one environment", "filter it by env:${env}")
		}
		if m.has("as_rate") {
			faults.Add("", "as_rate of "+m.name+" divides each interval for itself", "use as_count, and per_second if a rate is wanted")
		}
		if known.Type == telemetry.TypeCount && a.aggregation != "sum" {
			faults.Add("", fmt.Sprintf("%s(...) of the count %s is of single intervals", a.aggregation, m.name), "use sum(...): the whole window is what the threshold is about")
		}
		if percentile := slices.Contains(percentiles, m.aggregation); percentile != (a.aggregation == "percentile") {
			faults.Add("", fmt.Sprintf("%s(...) of %s:%s", a.aggregation, m.aggregation, m.name), "use percentile(...) with p50 to p99, and only with them: it is of all values of the window")
		}
	}
	return faults
}

// zeroes reports whether default_zero is called on a count.
func zeroes(e expression) bool {
	switch e := e.(type) {
	case *operation:
		return zeroes(e.left) || zeroes(e.right)
	case *function:
		return e.name == "default_zero" && slices.ContainsFunc(metricsOf(e), func(m *metric) bool { return m.has("as_count") }) ||
			slices.ContainsFunc(e.args, zeroes)
	}
	return false
}

// options checks a monitor's options but for its thresholds.
func (t table) options(m *monitor) (faults fault.List) {
	o := m.Options
	if o.RequireFullWindow == nil || *o.RequireFullWindow {
		faults.Add("require_full_window", "it has to be false", "with gaps in the data, the monitor would be skipped")
	}
	if o.OnMissingData != "" {
		faults.Add("on_missing_data", fmt.Sprintf("%q", o.OnMissingData), "leave it out: it is not for metric monitors")
	}
	for i, tag := range o.NotifyBy {
		if tag != "*" && !slices.Contains(m.query.groups(), tag) {
			faults.Add(fmt.Sprintf("notify_by[%d]", i), tag+" is none of the query's groups", fault.Suggest(tag, m.query.groups(), "the query has no groups"))
		}
	}
	if !o.NotifyNoData {
		if o.NoDataTimeframe != 0 {
			faults.Add("no_data_timeframe", "it does nothing without notify_no_data", "leave it out")
		}
		return faults
	}
	// Counts and distributions end with the traffic; only gauges are sent for ever. A
	// monitor of too little is about just that.
	tooLittle := strings.HasPrefix(m.query.comparator, "<")
	for _, metric := range metricsOf(m.query.value) {
		if known, ok := t.find(metric.name); ok && known.Type != telemetry.TypeGauge && !tooLittle {
			faults.Add("notify_no_data", fmt.Sprintf("%s is a %s, and no traffic is no failure", metric.name, known.Type), "leave it out, or watch a gauge")
		}
	}
	if atLeast := 2 * m.query.window.Minutes(); float64(o.NoDataTimeframe) < atLeast {
		faults.Add("no_data_timeframe", strconv.Itoa(o.NoDataTimeframe), fmt.Sprintf("want at least twice the window: %g minutes", atLeast))
	}
	return faults
}

// thresholds checks that the numbers agree with the query and with each other.
func (m *monitor) thresholds() (faults fault.List) {
	number := map[string]float64{}
	for key, n := range m.Options.Thresholds {
		v, err := n.Float64()
		if err != nil || !slices.Contains([]string{"critical", "warning", "critical_recovery", "warning_recovery"}, key) {
			faults.Add(key, n.String(), "want numbers of critical, warning, critical_recovery and warning_recovery")
			continue
		}
		number[key] = v
	}
	critical, ok := number["critical"]
	inQuery, _ := strconv.ParseFloat(m.query.threshold, 64)
	if !ok || critical != inQuery {
		faults.Add("critical", m.Options.Thresholds["critical"].String(), "want "+m.query.threshold+", the number of the query")
		return faults
	}
	// milder reports whether a value is reached before another one when things get worse.
	milder := func(a, b float64) bool { return a < b }
	side := "below"
	if strings.HasPrefix(m.query.comparator, "<") {
		milder = func(a, b float64) bool { return a > b }
		side = "above"
	}
	for _, pair := range [][2]string{{"warning", "critical"}, {"critical_recovery", "critical"}, {"warning_recovery", "warning"}} {
		mild, ok := number[pair[0]]
		if !ok {
			continue
		}
		if hard, ok := number[pair[1]]; !ok || !milder(mild, hard) {
			faults.Add(pair[0], fmt.Sprintf("%g", mild), fmt.Sprintf("want a number %s %s", side, pair[1]))
		}
	}
	return faults
}
