package datadog

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// API is the part of Datadog's API that monitors and dashboards need. It is as strict as
// the real one or stricter, and answers with what was sent in another form, as the real
// one does: with ids, times and defaults, other keys left out, tags in another order and
// whole numbers with a fraction. It is an [http.Handler] and safe for concurrent use.
type API struct {
	// APIKey and AppKey are the keys that it takes.
	APIKey, AppKey string
	// Before answers a request in place of the API when it returns true; nil: never.
	Before func(w http.ResponseWriter, r *http.Request) bool
	// WithPercentiles are the metrics for which percentiles are on; it knows no others.
	WithPercentiles []string
	// Refuse returns why a monitor is refused; nil or an empty text: it is taken.
	Refuse func(monitor map[string]any) string

	mu         sync.Mutex
	next       int64                     // guarded by mu; number of the last object
	monitors   map[string]map[string]any // guarded by mu
	dashboards map[string]map[string]any // guarded by mu
	writes     []string                  // guarded by mu
}

// Writes returns the calls that changed something, such as "POST /api/v1/monitor NAME",
// since the last call of Writes.
func (a *API) Writes() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.writes
	a.writes = nil
	return w
}

// Put adds a monitor or dashboard as somebody else would, and returns its id.
func (a *API) Put(kind string, body map[string]any) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.put(kind, body)
}

// Object returns a monitor or dashboard as the API has it; nil when there is none.
func (a *API) Object(kind, id string) map[string]any {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.all(kind)[id]
}

func (a *API) all(kind string) map[string]map[string]any {
	if a.monitors == nil {
		a.monitors, a.dashboards = map[string]map[string]any{}, map[string]map[string]any{}
	}
	if kind == "dashboard" {
		return a.dashboards
	}
	return a.monitors
}

// ServeHTTP answers a request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if a.Before != nil && a.Before(w, r) {
		return
	}
	if r.Header.Get("DD-API-KEY") != a.APIKey || r.Header.Get("DD-APPLICATION-KEY") != a.AppKey {
		fail(w, http.StatusForbidden, "Forbidden")
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	kind, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/v1/"), "/")
	if metric, ok := strings.CutPrefix(r.URL.Path, "/api/v2/metrics/"); ok && r.Method == http.MethodGet {
		metric = strings.TrimSuffix(metric, "/tags")
		if !slices.Contains(a.WithPercentiles, metric) {
			fail(w, http.StatusNotFound, "metric has no tag configuration")
			return
		}
		reply(w, map[string]any{"data": map[string]any{"id": metric, "attributes": map[string]any{"include_percentiles": true}}})
		return
	}
	if kind != "monitor" && kind != "dashboard" {
		fail(w, http.StatusNotFound, "no such path: "+r.URL.Path)
		return
	}
	id, last, _ := strings.Cut(rest, "/")
	if id == "validate" {
		id, last = "", id
	}
	if _, ok := a.all(kind)[id]; id != "" && !ok {
		fail(w, http.StatusNotFound, kind+" not found")
		return
	}
	switch {
	case r.Method == http.MethodGet && id != "":
		reply(w, a.all(kind)[id])
	case r.Method == http.MethodGet:
		a.list(w, r, kind)
	case r.Method == http.MethodDelete && id != "":
		a.writes = append(a.writes, "DELETE "+r.URL.Path)
		delete(a.all(kind), id)
		reply(w, map[string]any{"deleted_" + kind + "_id": id})
	default:
		a.write(w, r, kind, id, last == "validate")
	}
}

func (a *API) write(w http.ResponseWriter, r *http.Request, kind, id string, validate bool) {
	var body map[string]any
	dec := json.NewDecoder(r.Body)
	dec.UseNumber()
	if err := dec.Decode(&body); err != nil || r.Header.Get("Content-Type") != "application/json" {
		fail(w, http.StatusBadRequest, fmt.Sprintf("the body is no JSON object: %v", err))
		return
	}
	if problem := a.problem(kind, body); problem != "" {
		fail(w, http.StatusBadRequest, problem)
		return
	}
	title := cmp.Or(fmt.Sprint(body["name"]), "")
	if kind == "dashboard" {
		title = fmt.Sprint(body["title"])
	}
	switch {
	case validate && r.Method == http.MethodPost && kind == "monitor":
		reply(w, map[string]any{})
		return
	case r.Method == http.MethodPost && id == "":
		id = a.put(kind, body)
	case r.Method == http.MethodPut && id != "":
		a.store(kind, id, body)
	default:
		fail(w, http.StatusMethodNotAllowed, r.Method)
		return
	}
	a.writes = append(a.writes, r.Method+" "+r.URL.Path+" "+title)
	reply(w, a.all(kind)[id])
}

func (a *API) list(w http.ResponseWriter, r *http.Request, kind string) {
	query := r.URL.Query()
	objects := slices.SortedFunc(maps.Values(a.all(kind)), func(x, y map[string]any) int {
		return cmp.Compare(fmt.Sprint(x["created_at"], x["id"]), fmt.Sprint(y["created_at"], y["id"]))
	})
	number := func(name string) int {
		n, err := strconv.Atoi(query.Get(name))
		if err != nil || n < 0 {
			fail(w, http.StatusBadRequest, name+" is no number")
			return -1
		}
		return n
	}
	if kind == "dashboard" {
		start, count := number("start"), number("count")
		if start < 0 || count < 0 {
			return
		}
		var summaries []map[string]any
		for _, o := range objects {
			summaries = append(summaries, map[string]any{
				"id": o["id"], "title": o["title"], "description": o["description"], "created_at": o["created_at"],
				"layout_type": o["layout_type"], "url": o["url"], "is_read_only": false, "author_handle": "a@example.com",
			})
		}
		reply(w, map[string]any{"dashboards": page(summaries, start, count)})
		return
	}
	number2, size := number("page"), number("page_size")
	if number2 < 0 || size < 0 {
		return
	}
	objects = slices.DeleteFunc(objects, func(o map[string]any) bool {
		if name := query.Get("name"); !strings.Contains(fmt.Sprint(o["name"]), name) {
			return true
		}
		for tag := range strings.SplitSeq(query.Get("monitor_tags"), ",") {
			tags, _ := o["tags"].([]any)
			if tag != "" && !slices.Contains(tags, any(tag)) {
				return true
			}
		}
		return false
	})
	reply(w, page(objects, number2*size, size))
}

func page(all []map[string]any, start, size int) []map[string]any {
	start = min(start, len(all))
	return append([]map[string]any{}, all[start:min(start+size, len(all))]...)
}

func (a *API) put(kind string, body map[string]any) string {
	a.next++
	id := strconv.FormatInt(1000+a.next, 10)
	if kind == "dashboard" {
		id = fmt.Sprintf("abc-%03d-xyz", a.next)
	}
	a.store(kind, id, body)
	return id
}

// store keeps an object as the API answers with it.
func (a *API) store(kind, id string, body map[string]any) {
	o := answered(body).(map[string]any)
	created := time.Date(2026, 1, 1, 0, 0, int(a.next), 0, time.UTC).Format(time.RFC3339)
	if old := a.all(kind)[id]; old != nil {
		created = fmt.Sprint(old["created_at"])
	}
	o["created_at"], o["modified"] = created, created
	if kind == "dashboard" {
		o["id"], o["url"], o["author_handle"], o["is_read_only"], o["notify_list"] = id, "/dashboard/"+id, "a@example.com", false, nil
		widgets, _ := o["widgets"].([]any)
		for i, w := range widgets {
			w.(map[string]any)["id"] = json.Number(strconv.Itoa(1000 + i))
		}
		a.dashboards[id] = o
		return
	}
	o["id"], o["multi"], o["overall_state"], o["creator"] = json.Number(id), false, "No Data", map[string]any{"email": "a@example.com"}
	if o["type"] == "metric alert" {
		o["type"] = "query alert"
	}
	tags, _ := o["tags"].([]any)
	slices.Reverse(tags)
	options, _ := o["options"].(map[string]any)
	if options == nil {
		options = map[string]any{}
		o["options"] = options
	}
	for key, value := range map[string]any{"notify_audit": false, "new_host_delay": json.Number("300"), "silenced": map[string]any{}, "include_tags": true} {
		if _, ok := options[key]; !ok {
			options[key] = value
		}
	}
	a.monitors[id] = o
}

// answered returns a copy of a value as the API answers with it: without what is empty,
// and with whole numbers as 3.0.
func answered(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for key, inner := range v {
			if inner != nil && inner != false {
				out[key] = answered(inner)
			}
		}
		return out
	case []any:
		out := []any{}
		for _, inner := range v {
			out = append(out, answered(inner))
		}
		return out
	case string:
		return strings.TrimSpace(v)
	case json.Number:
		if !strings.ContainsAny(string(v), ".eE") {
			return v + ".0"
		}
	}
	return v
}

// problem returns why an object is refused; empty when it is taken.
func (a *API) problem(kind string, body map[string]any) string {
	keys := []string{"name", "type", "query", "message", "tags", "options", "priority", "restricted_roles"}
	if kind == "dashboard" {
		keys = []string{
			"title", "description", "layout_type", "reflow_type", "tags", "template_variables", "template_variable_presets", "widgets",
			"notify_list", "restricted_roles", "is_read_only", "tabs", "default_timeframe", "pause_auto_refresh",
		}
	}
	for key := range body {
		if !slices.Contains(keys, key) {
			return fmt.Sprintf("additional properties are not allowed (%q was unexpected)", key)
		}
	}
	tags, _ := body["tags"].([]any)
	if kind == "dashboard" {
		for _, t := range tags {
			if !strings.HasPrefix(fmt.Sprint(t), "team:") {
				return fmt.Sprintf("dashboards take no tag %v", t)
			}
		}
		if body["title"] == nil || body["layout_type"] == nil || body["widgets"] == nil {
			return "title, layout_type and widgets are required"
		}
		return ""
	}
	if a.Refuse != nil {
		if why := a.Refuse(body); why != "" {
			return why
		}
	}
	return monitorProblem(body, tags)
}

var (
	threshold      = regexp.MustCompile(`[<>]=?\s*(-?[0-9.]+)\s*$`)
	monitorOptions = []string{
		"thresholds", "threshold_windows", "require_full_window", "include_tags", "evaluation_delay", "new_group_delay", "notify_by",
		"notify_no_data", "no_data_timeframe", "on_missing_data", "renotify_interval", "renotify_statuses", "renotify_occurrences",
		"escalation_message", "timeout_h", "notification_preset_name", "variables", "scheduling_options", "notify_audit", "group_retention_duration",
	}
)

func monitorProblem(body map[string]any, tags []any) string {
	query, options := fmt.Sprint(body["query"]), body["options"]
	if body["name"] == nil || body["type"] == nil || body["query"] == nil {
		return "name, type and query are required"
	}
	for _, t := range tags {
		if strings.HasSuffix(fmt.Sprint(t), ":") {
			return fmt.Sprintf("the tag %v has no value", t)
		}
	}
	for key := range asMap(options) {
		if !slices.Contains(monitorOptions, key) {
			return fmt.Sprintf("additional properties are not allowed (%q was unexpected)", key)
		}
	}
	if strings.Count(query, "{") != strings.Count(query, "}") {
		return "The value provided for parameter 'query' is invalid"
	}
	m := threshold.FindStringSubmatch(query)
	if m == nil {
		return "The value provided for parameter 'query' is invalid"
	}
	inQuery, _ := strconv.ParseFloat(m[1], 64)
	critical, _ := asMap(asMap(options)["thresholds"])["critical"].(json.Number)
	if inOptions, err := critical.Float64(); err != nil || inOptions != inQuery {
		return fmt.Sprintf("Alert threshold (%v) does not match that used in the query (%v).", critical, inQuery)
	}
	return ""
}

func asMap(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}

func reply(w http.ResponseWriter, v any) {
	var b bytes.Buffer
	if err := json.NewEncoder(&b).Encode(v); err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(b.Bytes())
}

func fail(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string][]string{"errors": {text}})
}
