package lint

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// The good files. Each test below breaks them in one place.
const (
	goodMonitor = `{
  "name": "[evalworker] Answers of {{prompt_name.name}} fail",
  "type": "query alert",
  "query": "sum(last_30m):100 * (sum:llm.eval.weighted{env:${env},eval:correctness,outcome:fail} by {prompt_name}.as_count()) / sum:llm.eval.weighted{env:${env},eval:correctness} by {prompt_name}.as_count() > 5",
  "message": "{{#is_alert}}{{value}} % of {{prompt_name.name}}{{/is_alert}}{{#is_warning}}above {{warn_threshold}}{{/is_warning}} ${docs}/runbooks/wrong.md ${notify}",
  "tags": ["managed_by:evalworker", "evalworker_id:wrong", "team:${team}"],
  "priority": 2,
  "options": {
    "thresholds": {"critical": 5, "critical_recovery": 4, "warning": 3, "warning_recovery": 2},
    "require_full_window": false, "notify_by": ["prompt_name"]
  }
}`
	goodGauge = `{
  "name": "[evalworker] Late",
  "type": "query alert",
  "query": "max(last_10m):max:evalworker.oldest_age_seconds{env:${env}} by {partition} > 600",
  "message": "{{#is_no_data}}silent{{else}}late{{/is_no_data}} ${docs}/runbooks/late.md ${notify}",
  "tags": ["managed_by:evalworker", "evalworker_id:late"],
  "priority": 3,
  "options": {"thresholds": {"critical": 600}, "require_full_window": false, "notify_no_data": true, "no_data_timeframe": 20}
}`
	goodDashboard = `{
  "title": "evalworker: all",
  "description": "Everything.\n\nevalworker_id:all",
  "layout_type": "ordered", "reflow_type": "fixed", "tags": ["team:${team}"],
  "template_variables": [{"name": "env", "prefix": "env", "available_values": [], "defaults": ["*"]}, {"name": "model", "prefix": "model", "available_values": [], "defaults": ["*"]}],
  "widgets": [
    {"definition": {"type": "group", "layout_type": "ordered", "title": "Quality", "widgets": [
      {"definition": {"type": "note", "content": "How to read it: ${docs}/reading.md"}, "layout": {"x": 0, "y": 0, "width": 3, "height": 2}},
      {"definition": {"type": "query_value", "title": "Failing, %", "requests": [{
        "response_format": "scalar",
        "queries": [
          {"data_source": "metrics", "name": "bad", "query": "sum:llm.eval.weighted{$env,$model,eval:correctness,outcome:fail}.as_count()", "aggregator": "sum"},
          {"data_source": "metrics", "name": "whole", "query": "sum:llm.eval.weighted{$env,$model,eval:correctness}.as_count()", "aggregator": "sum"}],
        "formulas": [{"formula": "100 * default_zero(bad) / whole"}],
        "conditional_formats": [{"comparator": ">", "value": 5, "palette": "white_on_red"}]}]}, "layout": {"x": 3, "y": 0, "width": 3, "height": 2}}
    ]}, "layout": {"x": 0, "y": 0, "width": 6, "height": 3}},
    {"definition": {"type": "timeseries", "title": "Latency, ms", "requests": [{
        "response_format": "timeseries",
        "queries": [{"data_source": "metrics", "name": "slow", "query": "p95:evalworker.judge.latency_ms{env IN (prod, $env.value) AND NOT eval:x*} by {model}.rollup(60)"}],
        "formulas": [{"formula": "slow"}]}],
      "events": [{"q": "tags:evalworker_event:prompt_release $env"}]}, "layout": {"x": 6, "y": 0, "width": 6, "height": 3}},
    {"definition": {"type": "timeseries", "title": "Age, s", "requests": [{
        "response_format": "timeseries",
        "queries": [{"data_source": "metrics", "name": "age", "query": "max:evalworker.oldest_age_seconds{$env} by {partition}"}],
        "formulas": [{"formula": "age"}]}],
      "markers": [{"value": "y = 600", "label": "monitor: 600 s"}]}, "layout": {"x": 0, "y": 3, "width": 6, "height": 3}},
    {"definition": {"type": "query_value", "title": "Judges' time, ms", "requests": [{
        "response_format": "scalar",
        "queries": [{"data_source": "metrics", "name": "slow", "query": "p99:evalworker.judge.latency_ms{$env,$model}", "aggregator": "percentile"}],
        "formulas": [{"formula": "slow"}]}]}, "layout": {"x": 6, "y": 3, "width": 6, "height": 3}}
  ]
}`
)

func goodFiles() map[string]string {
	return map[string]string{
		"monitors/wrong.json": goodMonitor, "monitors/late.json": goodGauge, "dashboards/all.json": goodDashboard,
		"runbooks/wrong.md": "", "runbooks/late.md": "", "runbooks/README.md": "",
	}
}

// check returns the faults of files by their paths, runbooks included.
func check(t *testing.T, files map[string]string) fault.List {
	t.Helper()
	folder, runbooks := fstest.MapFS{}, fstest.MapFS{}
	for name, text := range files {
		if book, ok := strings.CutPrefix(name, "runbooks/"); ok {
			runbooks[book] = &fstest.MapFile{Data: []byte(text)}
			continue
		}
		folder[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return Files(folder, runbooks)
}

// TestGoodFiles: what is right has no faults.
func TestGoodFiles(t *testing.T) {
	t.Parallel()
	if faults := check(t, goodFiles()); len(faults) > 0 {
		t.Error(faults.Error())
	}
}

// breakage is one mistake: what is replaced in a good file, and what the one fault has to
// say.
type breakage struct{ old, new, fault string }

func testBreakages(t *testing.T, file string, rows map[string]breakage) {
	t.Helper()
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := goodFiles()
			if strings.Count(files[file], row.old) != 1 {
				t.Fatalf("%q stands there %d times", row.old, strings.Count(files[file], row.old))
			}
			files[file] = strings.Replace(files[file], row.old, row.new, 1)
			faults := check(t, files)
			if !slices.ContainsFunc(faults, func(f fault.Fault) bool { return f.File == file && strings.Contains(f.String(), row.fault) }) {
				t.Errorf("faults:\n%s\nwant one of %s with %q", faults.Error(), file, row.fault)
			}
			if len(faults) > 3 {
				t.Errorf("one mistake has %d faults:\n%s", len(faults), faults.Error())
			}
		})
	}
}

// TestQueries: mistakes in the language of queries, and in what they ask for.
func TestQueries(t *testing.T) {
	t.Parallel()
	testBreakages(t, "monitors/wrong.json", map[string]breakage{
		"no closing brace":          {"{prompt_name}.as_count()) /", "{prompt_name.as_count()) /", "query: at character 101, before `.as_count()) / sum:llm.e...`, it needs `}`"},
		"no closing parenthesis":    {"as_count()) /", "as_count() /", "it needs `)`"},
		"no filters":                {"sum:llm.eval.weighted{env:${env},eval:correctness} by", "sum:llm.eval.weighted by", "it needs `{`"},
		"an empty filter":           {"{env:${env},eval:correctness}", "{}", "it needs a filter such as env:prod"},
		"a filter without value":    {"outcome:fail", "outcome", "it needs `:`"},
		"no operator":               {"as_count() > 5", "as_count() 5", "it needs a comparison"},
		"no number":                 {"as_count() > 5", "as_count() >", "ends where it needs nothing but a number"},
		"an unknown window":         {"sum(last_30m)", "sum(last_30)", "it needs a window such as last_10m"},
		"a window of a week":        {"sum(last_30m)", "sum(last_7d)", "of at most two days"},
		"an unknown time function":  {"sum(last_30m)", "total(last_30m)", "aggregates the window by total"},
		"a mean of counts":          {"sum(last_30m)", "avg(last_30m)", "avg(...) of the count llm.eval.weighted is of single intervals"},
		"an unknown metric":         {"outcome:fail} by {prompt_name}.as_count()) / sum:llm.eval.weighted", "outcome:fail} by {prompt_name}.as_count()) / sum:llm.eval.weightd", `query: unknown metric llm.eval.weightd; did you mean "llm.eval.weighted"?`},
		"an unknown tag":            {"eval:correctness,outcome", "evals:correctness,outcome", "query: llm.eval.weighted does not carry the tag evals; did you mean \"eval\"?"},
		"an unknown value":          {"outcome:fail", "outcome:failed", `query: llm.eval.weighted has no outcome:failed; did you mean "fail"?`},
		"an unknown group":          {"eval:correctness} by {prompt_name}", "eval:correctness} by {prompt}", "query: llm.eval.weighted does not carry the tag prompt;"},
		"different groups":          {"eval:correctness} by {prompt_name}", "eval:correctness} by {model}", "query: llm.eval.weighted is grouped by prompt_name, and llm.eval.weighted by model"},
		"a mean of a count":         {"/ sum:llm", "/ avg:llm", "avg:llm.eval.weighted: it is a count; aggregate it by sum"},
		"no as_count":               {"{prompt_name}.as_count() >", "{prompt_name} >", "llm.eval.weighted is a count"},
		"as_rate":                   {"{prompt_name}.as_count() >", "{prompt_name}.as_rate() >", "as_rate of llm.eval.weighted divides each interval"},
		"an unknown method":         {"{prompt_name}.as_count() >", "{prompt_name}.ascount() >", `unknown method .ascount(); did you mean "as_count"?`},
		"an unknown function":       {"100 * (sum", "100 * defaultzero(sum", "unknown function defaultzero"},
		"zeros in a rate":           {"100 * (sum", "100 * default_zero(sum", "default_zero of a count in a rate; leave it out"},
		"no environment":            {"{env:${env},eval:correctness}", "{eval:correctness}", "llm.eval.weighted is not limited to one environment"},
		"a rate of the sample":      {"/ sum:llm.eval.weighted{", "/ sum:llm.eval.count{", "a rate of llm.eval.count is one of the sample"},
		"an unknown evaluator":      {"eval:correctness,outcome", "eval:corectness,outcome", `llm.eval.weighted has no eval:corectness; did you mean "correctness"?`},
		"the score of nobody":       {"sum:llm.eval.weighted{env:${env},eval:correctness} by", "sum:llm.eval.corectness{env:${env}} by", "unknown metric llm.eval.corectness"},
		"an unknown score":          {"sum:llm.eval.weighted{env:${env},eval:correctness} by", "sum:llm.eval.counts{env:${env}} by", "unknown metric llm.eval.counts"},
		"a score that is a count":   {"sum:llm.eval.weighted{env:${env},eval:correctness} by", "sum:llm.eval.safety{env:${env},eval:correctness} by", "llm.eval.safety does not carry the tag eval"},
		"a dashboard's variable":    {"{env:${env},eval:correctness}", "{env:${env},$model}", "the template variable $model is not declared"},
		"a comma and a word":        {"env:${env},eval:correctness,outcome", "env:${env},eval:correctness AND outcome", "joins filters by commas and by AND"},
		"the threshold of a change": {"sum(last_30m):", "pct_change(sum(last_1h),7d_ago):", "it needs one of 5m_ago"},
	})
	testBreakages(t, "monitors/late.json", map[string]breakage{
		"as_count of a gauge":      {"by {partition} >", "by {partition}.as_count() >", "as_count or as_rate of max:evalworker.oldest_age_seconds, which is a gauge"},
		"a percentile of a gauge":  {"max:evalworker", "p95:evalworker", "p95:evalworker.oldest_age_seconds: it is a gauge"},
		"a mean of percentiles":    {"max:evalworker.oldest_age_seconds{env:${env}} by {partition}", "p95:evalworker.event_age_seconds{env:${env}}", "use percentile(...) with p50 to p99"},
		"a query to paste":         {"late{{/is", "`max:evalworker.oldest_age{partition:{{partition.name}},env:${env}}`{{/is", "message: in `max:evalworker.oldest_age{partition:{{partition.name}},env:${env}}`: unknown metric evalworker.oldest_age;"},
		"a broken query to paste":  {"late{{/is", "`max:evalworker.lag{env:${env}`{{/is", "message: ends where it needs `}`; in the query max:evalworker.lag{env:${env}"},
		"a brace at a variable":    {"late{{/is", "`max:evalworker.lag{partition:{{partition.name}}}`{{/is", "message: a pair of braces has no partner, or touches another brace"},
		"no data of distributions": {"max:evalworker.oldest_age_seconds{env:${env}} by {partition}", "max:evalworker.event_age_seconds{env:${env}}", "options.notify_no_data: evalworker.event_age_seconds is a distribution"},
	})
}

// TestMonitors: mistakes in the rest of a monitor.
func TestMonitors(t *testing.T) {
	t.Parallel()
	testBreakages(t, "monitors/wrong.json", map[string]breakage{
		"no JSON":                   {`"type"`, `"type`, "no JSON: "},
		"another name":              {"[evalworker] ", "", "name: "},
		"another type":              {"query alert", "composite", `type: "composite"`},
		"not found by the program":  {`"managed_by:evalworker", `, "", "tags: the tag managed_by:evalworker is missing"},
		"another id":                {"evalworker_id:wrong", "evalworker_id:late", `tags[1]: "evalworker_id:late"; it belongs to another monitor`},
		"a tag twice":               {`"team:${team}"`, `"managed_by:evalworker"`, "tags[2]: managed_by:evalworker stands there twice"},
		"no priority":               {`"priority": 2,`, "", "priority: 0"},
		"another threshold":         {`"critical": 5`, `"critical": 6`, "options.thresholds.critical: 6; want 5, the number of the query"},
		"no threshold":              {`"critical": 5, `, "", "options.thresholds.critical: "},
		"an unknown threshold":      {`"warning_recovery": 2`, `"warning_recover": 2`, "options.thresholds.warning_recover: 2"},
		"a warning that is too far": {`"warning": 3`, `"warning": 7`, "options.thresholds.warning: 7; want a number below critical"},
		"a recovery that is none":   {`"critical_recovery": 4`, `"critical_recovery": 5`, "options.thresholds.critical_recovery: 5; want a number below critical"},
		"a recovery above":          {`"warning_recovery": 2`, `"warning_recovery": 3.5`, "options.thresholds.warning_recovery: 3.5; want a number below warning"},
		"the other direction":       {"as_count() > 5", "as_count() < 5", "options.thresholds.warning: 3; want a number above critical"},
		"a full window":             {`"require_full_window": false`, `"require_full_window": true`, "options.require_full_window: it has to be false"},
		"no word of the window":     {`"require_full_window": false, `, "", "options.require_full_window: it has to be false"},
		"missing data":              {`"notify_by"`, `"on_missing_data": "default", "notify_by"`, "options.on_missing_data: "},
		"told by another group":     {`["prompt_name"]`, `["model"]`, "options.notify_by[0]: model is none of the query's groups"},
		"no use of a time":          {`"notify_by"`, `"no_data_timeframe": 60, "notify_by"`, "options.no_data_timeframe: it does nothing"},
		"nobody is told":            {" ${notify}", "", "message: nobody is told"},
		"an address":                {"${notify}", "${notify} @slack-ops", "message: it names the recipient @slack-ops"},
		"no runbook in the message": {"${docs}/runbooks/wrong.md", "${docs}/runbooks", "message: it does not link its runbook"},
		"another runbook":           {"${docs}/runbooks/wrong.md", "${docs}/runbooks/wrong.md ${docs}/runbooks/late.md", "message: it links ${docs}/runbooks/late.md"},
		"a block that stays open":   {"{{/is_alert}}", "", "message: {{#is_alert}} is not closed"},
		"the last block open":       {"{{/is_warning}}", "", "message: {{#is_warning}} is not closed"},
		"blocks that cross":         {"{{/is_alert}}", "{{/is_warning}}", "message: {{/is_warning}} closes what is not open; open there: is_alert"},
		"an unknown block":          {"{{#is_alert}}", "{{#is_allert}}", `message: unknown condition {{#is_allert}}; did you mean "is_alert"?`},
		"a block of another time":   {"{{value}}", "{{#is_no_data}}x{{/is_no_data}}", "message: {{#is_no_data}} is never shown: the monitor has no notify_no_data"},
		"an unknown group variable": {"% of {{prompt_name.name}}", "% of {{model.name}}", "message: {{model.name}} is empty: the query is not grouped by model"},
		"a variable of the title":   {"Answers of {{prompt_name.name}}", "Answers of {{feature.name}}", "name: {{feature.name}} is empty"},
		"an unknown variable":       {"{{value}}", "{{vaule}}", `message: unknown variable {{vaule}}; did you mean "value"?`},
		"a brace too few":           {"{{value}}", "{{value}", "message: "},
	})
	testBreakages(t, "monitors/late.json", map[string]breakage{
		"silence too soon": {`"no_data_timeframe": 20`, `"no_data_timeframe": 10`, "options.no_data_timeframe: 10; want at least twice the window: 20 minutes"},
		"a warning":        {"late{{/is", "{{warn_threshold}}{{/is", "{{warn_threshold}} is empty: the monitor has no warning"},
		"the same name":    {"[evalworker] Late", "[evalworker] Answers of {{prompt_name.name}} fail", "{{prompt_name.name}} is empty"},
	})
}

// TestDocuments: mistakes that a document of either kind may have.
func TestDocuments(t *testing.T) {
	t.Parallel()
	testBreakages(t, "monitors/wrong.json", map[string]breakage{
		"a key of Datadog":         {`"priority"`, `"overall_state": "OK", "priority"`, "overall_state: this key must not be there"},
		"a key of Datadog, inside": {`"notify_by"`, `"new_host_delay": 300, "notify_by"`, "options.new_host_delay: this key must not be there; deprecated"},
		"null":                     {`"priority"`, `"restricted_roles": null, "priority"`, "restricted_roles: null"},
		"a key twice":              {`"priority"`, `"type": "query alert", "priority"`, "type: the key stands there twice"},
		"two objects":              {"    \"require_full_window\": false, \"notify_by\": [\"prompt_name\"]\n  }\n}", "    \"require_full_window\": false, \"notify_by\": [\"prompt_name\"]\n  }\n} {}", "something stands behind the object"},
		"an unknown placeholder":   {"${notify}", "${notify} ${service}", "message: unknown placeholder ${service}"},
		"an open placeholder":      {"${notify}", "${notify} ${env", "message: unknown placeholder ${env; did you mean \"${env}\"?"},
		"an escape":                {"${notify}", "${notify} $${env}", "message: $${ is an escape"},
		"a directive":              {"${notify}", "${notify} %{ if true }", "message: %{ begins a directive"},
		"a placeholder as key":     {`"priority"`, `"${env}": 1, "priority"`, "${env}: a placeholder in a key"},
	})
	testBreakages(t, "dashboards/all.json", map[string]breakage{
		"an id":       {`{"definition": {"type": "note"`, `{"id": 7, "definition": {"type": "note"`, "widgets[0].definition.widgets[0].id: this key must not be there"},
		"a list":      {`"layout_type": "ordered", "reflow_type"`, `"notify_list": [], "layout_type": "ordered", "reflow_type"`, "notify_list: this key must not be there"},
		"no refresh":  {`"layout_type": "ordered", "reflow_type"`, `"pause_auto_refresh": false, "layout_type": "ordered", "reflow_type"`, "pause_auto_refresh: false"},
		"a read-only": {`"layout_type": "ordered", "reflow_type"`, `"is_read_only": true, "layout_type": "ordered", "reflow_type"`, "is_read_only: this key must not be there"},
	})
}

// TestDashboards: mistakes of dashboards.
func TestDashboards(t *testing.T) {
	t.Parallel()
	testBreakages(t, "dashboards/all.json", map[string]breakage{
		"another title":             {"evalworker: all", "all", `title: "all"`},
		"no id":                     {"evalworker_id:all", "evalworker_id:other", "description: the last line is not evalworker_id:all"},
		"another tag":               {`"team:${team}"`, `"env:prod"`, `tags[0]: "env:prod"`},
		"another flow":              {`"reflow_type": "fixed"`, `"reflow_type": "auto"`, "layout_type: ordered, auto"},
		"a variable not declared":   {"latency_ms{$env,$model}", "latency_ms{$env,$modell}", "widgets[3].definition.requests[0].queries[0].query: the template variable $modell is not declared"},
		"a variable in a note":      {"How to read it", "of $feature", "widgets[0].definition.widgets[0].definition.content: the template variable $feature is not declared"},
		"a variable not used":       {`"template_variables": [`, `"template_variables": [{"name": "tier", "prefix": "tenant_tier", "defaults": ["*"]}, `, "template_variables[0]: $tier is used nowhere"},
		"a variable twice":          {`"template_variables": [`, `"template_variables": [{"name": "env", "prefix": "env", "defaults": ["*"]}, `, "template_variables[1]: $env is declared twice"},
		"an old default":            {`"prefix": "model", "available_values": [], "defaults": ["*"]`, `"prefix": "model", "available_values": [], "default": "*"`, "template_variables[1].default: deprecated"},
		"a tag that is not carried": {"oldest_age_seconds{$env}", "oldest_age_seconds{$env,$model}", "widgets[2].definition.requests[0].queries[0].query: evalworker.oldest_age_seconds does not carry the tag model, which is the prefix of $model"},
		"a query that is not there": {"default_zero(bad) / whole", "default_zero(bat) / whole", `widgets[0].definition.widgets[1].definition.requests[0].formulas[0].formula: there is no query bat; did you mean "bad"?`},
		"a query that is not used":  {"default_zero(bad) / whole", "bad", "requests[0].queries[1].name: no formula uses whole"},
		"two queries of a name":     {`"name": "whole"`, `"name": "bad"`, "requests[0].queries[1].name: two queries have the name bad"},
		"a formula that is none":    {"100 * default_zero(bad) / whole", "100 * default_zero(bad) / (whole", "requests[0].formulas[0].formula: ends where it needs `)`"},
		"a metric in a formula":     {"100 * default_zero(bad) / whole", "bad / whole + sum:llm.json_checked{*}.as_count()", "a metric in a formula"},
		"too many arguments":        {"default_zero(bad)", "default_zero(bad, 0)", "default_zero has 2 arguments"},
		"a typo in a condition":     {"AND NOT eval:x*", "AND NOT eval", "widgets[1].definition.requests[0].queries[0].query: "},
		"no scalar": {`"response_format": "scalar",
        "queries": [{`, `"response_format": "timeseries",
        "queries": [{`, `widgets[3].definition.requests[0].response_format: "timeseries"; the widget needs scalar`},
		"a mean of counts":          {`outcome:fail}.as_count()", "aggregator": "sum"`, `outcome:fail}.as_count()", "aggregator": "avg"`, `requests[0].queries[0].aggregator: "avg" of sum:llm.eval.weighted; want sum`},
		"a mean of percentiles":     {`"aggregator": "percentile"`, `"aggregator": "avg"`, `requests[0].queries[0].aggregator: "avg" of p99:evalworker.judge.latency_ms; want percentile`},
		"an unknown widget":         {`"type": "note"`, `"type": "notes"`, `widgets[0].definition.widgets[0].definition.type: the checks do not know the widget notes; did you mean "note"?`},
		"no title":                  {`"title": "Age, s", `, ``, "widgets[2].definition.title: there is none"},
		"events that nobody sends":  {"evalworker_event:prompt_release", "evalworker_event:release", "widgets[1].definition.events[0].q: "},
		"events without the tag":    {"evalworker_event:prompt_release $env", "evalworker_event:prompt_release $model", "events[0].q: $model filters by model, which the events do not carry"},
		"a bad rollup":              {".rollup(60)", ".rollup(median, 60)", ".rollup(median, 60); want .rollup(METHOD)"},
		"a rollup of percentiles":   {".rollup(60)", ".rollup(avg, 60)", ".rollup(avg, 60) of p95:evalworker.judge.latency_ms, which is a distribution; leave avg out"},
		"a widget beyond the grid":  {`"layout": {"x": 6, "y": 0, "width": 6, "height": 3}`, `"layout": {"x": 7, "y": 0, "width": 6, "height": 3}`, "widgets[1].layout: x 7 to 13, y 0 to 3; want a place inside 12 columns"},
		"a widget beyond its group": {`"layout": {"x": 3, "y": 0, "width": 3, "height": 2}`, `"layout": {"x": 3, "y": 0, "width": 4, "height": 2}`, "widgets[0].definition.widgets[1].layout: x 3 to 7, y 0 to 2; want a place inside 6 columns"},
		"a widget on another one":   {`"layout": {"x": 3, "y": 0, "width": 3, "height": 2}`, `"layout": {"x": 2, "y": 1, "width": 3, "height": 1}`, "widgets[0].definition.widgets[1].layout: x 2 to 5, y 1 to 2, which overlaps with [0], x 0 to 3, y 0 to 2"},
		"a widget without a place":  {`, "layout": {"x": 3, "y": 0, "width": 3, "height": 2}`, ``, "widgets[0].definition.widgets[1].layout: there is none"},
		"a group of another width":  {`"layout": {"x": 0, "y": 0, "width": 6, "height": 3}`, `"layout": {"x": 0, "y": 0, "width": 8, "height": 3}`, "widgets[0].layout.width: 8; a group is 6 or 12 columns wide"},
		"a group that is too low":   {`"layout": {"x": 0, "y": 0, "width": 6, "height": 3}`, `"layout": {"x": 0, "y": 0, "width": 6, "height": 2}`, "widgets[0].layout.height: 2; want 3"},
		"a group that is too high":  {`"layout": {"x": 0, "y": 0, "width": 6, "height": 3}`, `"layout": {"x": 0, "y": 0, "width": 6, "height": 4}`, "widgets[0].layout.height: 4; want 3"},
		"red at another number":     {`"value": 5, "palette"`, `"value": 6, "palette"`, "widgets[0].definition.widgets[1].definition.requests[0].conditional_formats[0].value: 6 is none of the monitor's thresholds; want critical 5 of wrong or warning 3 of wrong"},
		"a line at another number":  {"y = 600", "y = 500", "widgets[2].definition.markers[0]: 500 is none of the monitor's thresholds; want critical 600 of late"},
		"a line of no monitor":      {"max:evalworker.oldest_age_seconds", "max:evalworker.unfinished", "widgets[2].definition.markers[0]: no monitor watches what the widget shows: max:evalworker.unfinished"},
	})
}

// TestPairs: monitors and runbooks belong together, and people tell files apart.
func TestPairs(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		change func(map[string]string)
		want   string
	}{
		"no runbook":  {func(f map[string]string) { delete(f, "runbooks/late.md") }, "monitors/late.json: there is no runbook late.md"},
		"no monitor":  {func(f map[string]string) { f["runbooks/slow.md"] = "" }, "runbooks/slow.md: there is no monitor slow"},
		"no monitors": {func(f map[string]string) { delete(f, "monitors/late.json"); delete(f, "monitors/wrong.json") }, "there is no file monitors/NAME.json"},
		"same titles": {func(f map[string]string) {
			f["dashboards/more.json"] = strings.Replace(goodDashboard, "evalworker_id:all", "evalworker_id:more", 1)
		}, `dashboards/more.json: title: dashboards/all.json has the same: "evalworker: all"`},
		"a monitor of Terraform": {func(f map[string]string) { f["terraform/slo.tf"] = `message = "${var.docs}/runbooks/slow.md"` }, ""},
		"an objective": {func(f map[string]string) {
			f["terraform/slo.tf"] = `numerator = "sum:llm.eval.weighted{eval:${each.key} AND outcome IN (pass,failed)}.as_count()"`
		}, `terraform/slo.tf: numerator: llm.eval.weighted has no outcome:failed; did you mean "fail"?`},
		"a query of a runbook": {func(f map[string]string) {
			f["runbooks/late.md"] = "Look at `sum:llm.json_invalid` by `model`, and `max:evalworker.lagg`."
		}, "runbooks/late.md: in `max:evalworker.lagg`: unknown metric evalworker.lagg; did you mean \"evalworker.lag\"?"},
		"a metric of a runbook": {func(f map[string]string) {
			f["runbooks/late.md"] = "`evalworker.yaml`, `llm.eval.safety` and `evalworker.droped{sink:consumer}`"
		}, "runbooks/late.md: unknown metric `evalworker.droped{sink:consumer}`; did you mean \"evalworker.dropped\"?"},
		"a query of a note": {func(f map[string]string) {
			f["dashboards/all.json"] = strings.Replace(goodDashboard, "How to read it", "`sum:llm.json_valid{env:x}.as_count()`", 1)
		}, "dashboards/all.json: widgets[0].definition.widgets[0].definition.content: in `sum:llm.json_valid{env:x}.as_count()`: unknown metric"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := goodFiles()
			if row.want == "" { // the runbook needs what the change adds
				files["runbooks/slow.md"] = ""
			}
			row.change(files)
			if got := check(t, files).Error(); !strings.Contains(got, row.want) || row.want == "" && got != "" {
				t.Errorf("faults:\n%s\nwant one with %q", got, row.want)
			}
		})
	}
}
