package datadog_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/datadog"
)

// TestApply: everything is made, then nothing changes, then exactly one.
func TestApply(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.compare(rendered(t, values()), false)
	wantActions(t, p, "create provider-errors", "create correctness-low", "create overview")
	if writes := w.api.Writes(); len(writes) > 0 {
		t.Fatalf("comparing wrote %q", writes)
	}
	w.apply(p)
	if writes := w.api.Writes(); len(writes) != 3 {
		t.Errorf("writes %q, want three", writes)
	}

	p = w.compare(rendered(t, values()), true)
	wantActions(t, p, "keep provider-errors", "keep correctness-low", "keep overview")
	w.apply(p)
	if writes := w.api.Writes(); len(writes) > 0 || p.Differs() {
		t.Errorf("a second run wrote %q", writes)
	}

	v := values()
	v.Thresholds = map[string]float64{"provider-errors": 5}
	p = w.compare(rendered(t, v), false)
	wantActions(t, p, "update provider-errors", "keep correctness-low", "keep overview")
	var paths []string
	for _, c := range p.Changes {
		for _, f := range c.Fields {
			paths = append(paths, f.Path)
		}
	}
	if want := []string{"options.thresholds.critical", "options.thresholds.critical_recovery", "query"}; !slices.Equal(paths, want) {
		t.Errorf("fields %q, want %q", paths, want)
	}
	w.apply(p)
	if writes := w.api.Writes(); len(writes) != 1 || !strings.HasPrefix(writes[0], "PUT /api/v1/monitor/") {
		t.Errorf("writes %q, want one PUT of a monitor", writes)
	}
	if p = w.compare(rendered(t, v), false); p.Differs() {
		t.Errorf("differs after it was applied: %+v", p.Changes)
	}
}

// TestEnvironmentsShareAnOrganisation: two environments have monitors of their own.
func TestEnvironmentsShareAnOrganisation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	staging := values()
	staging.Env = "staging"
	w.apply(w.compare(rendered(t, values()), false))
	p := w.compareEnv(rendered(t, staging), "staging", true)
	wantActions(t, p, "create provider-errors", "create correctness-low", "keep overview")
	w.apply(p)
	if p := w.compare(rendered(t, values()), true); p.Differs() {
		t.Errorf("the first environment differs after the second was applied: %+v", p.Changes)
	}
}

// body returns an object as JSON of the API has it.
func body(t testing.TB, o datadog.Object) map[string]any {
	t.Helper()
	var out map[string]any
	dec := json.NewDecoder(strings.NewReader(string(o.JSON())))
	dec.UseNumber()
	if err := dec.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestOthersAreLeftAlone: neither a monitor of the same name without our tags nor a copy
// with them is ever changed, and pruning does not delete them.
func TestOthersAreLeftAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	objects := rendered(t, values())
	i := slices.IndexFunc(objects, func(o datadog.Object) bool { return o.Name == "provider-errors" })
	strange := body(t, objects[i])
	strange["tags"], strange["message"] = []any{"env:prod", "evalworker_id:provider-errors"}, "ours is other"
	foreign := w.api.Put("monitor", strange)
	p := w.compare(objects, true)
	wantActions(t, p, "create provider-errors", "create correctness-low", "create overview")
	for _, c := range p.Changes {
		if named := strings.Contains(c.Note, foreign); named != (c.Name == "provider-errors") {
			t.Errorf("%s: note %q", c.Name, c.Note)
		}
	}
	w.apply(p)

	monitor, dashboard := body(t, objects[i]), body(t, objects[len(objects)-1])
	monitor["name"], dashboard["title"] = "a copy", "a copy"
	copies := []string{w.api.Put("monitor", monitor), w.api.Put("dashboard", dashboard)}
	w.api.Writes()
	p = w.compare(objects, true)
	wantActions(t, p, "keep provider-errors", "copy provider-errors", "keep correctness-low", "keep overview", "copy overview")
	w.apply(p)
	if writes := w.api.Writes(); len(writes) > 0 {
		t.Errorf("writes %q", writes)
	}
	if w.api.Object("monitor", foreign)["message"] != "ours is other" || w.api.Object("monitor", copies[0])["name"] != "a copy" || w.api.Object("dashboard", copies[1])["title"] != "a copy" {
		t.Error("what is not ours has changed")
	}
}

// TestOrphans: what is no longer wanted is shown, and deleted only when pruning.
func TestOrphans(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apply(w.compare(rendered(t, values()), false))
	w.api.Writes()
	v := values()
	v.Without = []string{"provider-errors", "overview"}
	p := w.compare(rendered(t, v), false)
	wantActions(t, p, "orphan provider-errors", "keep correctness-low", "orphan overview")
	w.apply(p)
	if writes := w.api.Writes(); len(writes) > 0 || p.Differs() {
		t.Errorf("without pruning wrote %q", writes)
	}
	p = w.compare(rendered(t, v), true)
	wantActions(t, p, "delete provider-errors", "keep correctness-low", "delete overview")
	w.apply(p)
	if writes := w.api.Writes(); len(writes) != 2 {
		t.Errorf("writes %q, want two", writes)
	}
	wantActions(t, w.compare(rendered(t, v), true), "keep correctness-low")
}

// TestChangesByHandAreSeen: what a person has changed in Datadog is shown field by field.
func TestChangesByHandAreSeen(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	objects := rendered(t, values())
	w.apply(w.compare(objects, false))
	for _, c := range w.compare(objects, false).Changes {
		o := w.api.Object(string(c.Kind), c.ID)
		switch c.Name {
		case "overview":
			o["widgets"] = append(o["widgets"].([]any), map[string]any{"definition": map[string]any{"type": "note"}})
		case "provider-errors":
			o["tags"] = append(o["tags"].([]any), "oncall:yes")
			o["options"].(map[string]any)["notify_no_data"] = true
			o["type"] = "metric alert" // the same in another word
		case "correctness-low":
			o["options"].(map[string]any)["thresholds"].(map[string]any)["critical_recovery"] = json.Number("90")
		}
	}
	got := map[string][]string{}
	for _, c := range w.compare(objects, false).Changes {
		for _, f := range c.Fields {
			got[c.Name] = append(got[c.Name], f.Path)
		}
	}
	want := map[string][]string{
		"overview":        {"widgets[1]"},
		"provider-errors": {"options.notify_no_data", "tags"},
		"correctness-low": {"options.thresholds.critical_recovery"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("fields (-want +got):\n%s", d)
	}
}

// TestARefusedMonitorStopsAllWrites: each one that is refused is named, and nothing is
// written.
func TestARefusedMonitorStopsAllWrites(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.Refuse = func(m map[string]any) string {
		if strings.Contains(m["name"].(string), "correctness") {
			return "The value provided for parameter 'query' is invalid"
		}
		return ""
	}
	p := w.compare(rendered(t, values()), false)
	err := p.Apply(t.Context(), func(datadog.Change) { t.Error("a change was made") })
	wantError(t, err, "monitor correctness-low: The value provided for parameter 'query' is invalid", "nothing is changed")
	if strings.Contains(err.Error(), "provider-errors") {
		t.Errorf("%v names a monitor that is good", err)
	}
	if writes := w.api.Writes(); len(writes) > 0 {
		t.Errorf("writes %q", writes)
	}
}

// TestASecondRunCompletes: a run that fails half way says how far it came, and the next
// one makes nothing twice.
func TestASecondRunCompletes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.Before = func(rw http.ResponseWriter, r *http.Request) bool {
		refuse := r.Method == http.MethodPost && r.URL.Path == "/api/v1/dashboard"
		if refuse {
			http.Error(rw, `{"errors":["Forbidden"]}`, http.StatusForbidden)
		}
		return refuse
	}
	objects := rendered(t, values())
	done := 0
	err := w.compare(objects, false).Apply(t.Context(), func(datadog.Change) { done++ })
	wantError(t, err, "create dashboard overview", "dashboards_write", "2 of 3 changes are done")
	w.api.Before = nil
	w.api.Writes()
	p := w.compare(objects, false)
	wantActions(t, p, "keep provider-errors", "keep correctness-low", "create overview")
	w.apply(p)
	if writes := w.api.Writes(); len(writes) != 1 || done != 2 {
		t.Errorf("writes %q after %d", writes, done)
	}
}

// deaf does a call, and loses the answer of the first one of a method to a path.
type deaf struct {
	next         http.RoundTripper
	method, path string
	lost         bool
}

func (d *deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.next.RoundTrip(r)
	if r.Method == d.method && r.URL.Path == d.path && !d.lost {
		d.lost = true
		return nil, errLost
	}
	return resp, err
}

// TestALostAnswerMakesNoCopy: what was made although its answer was lost is found by the
// second run, and not made again.
func TestALostAnswerMakesNoCopy(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/api/v1/monitor", "/api/v1/dashboard"} {
		w := newWorld(t)
		objects := rendered(t, values())
		transport := &deaf{next: inMemory{w.api}, method: http.MethodPost, path: path}
		access := datadog.Access{APIKey: apiKey, AppKey: appKey, Site: "datadoghq.eu", URL: "https://api.datadoghq.eu"}
		client := datadog.NewClient(access, transport, nil)
		p, err := datadog.Compare(t.Context(), client, objects, "prod", datadog.Kinds(), false)
		if err != nil {
			t.Fatal(err)
		}
		wantError(t, p.Apply(t.Context(), func(datadog.Change) {}), "connection lost; it may have been done all the same")
		w.apply(w.compare(objects, false))
		wantActions(t, w.compare(objects, false), "keep provider-errors", "keep correctness-low", "keep overview")
	}
}

// TestPages: an organisation has more objects than a page.
func TestPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	objects := rendered(t, values())
	other := body(t, objects[len(objects)-1])
	other["description"] = "somebody's\n"
	for range 250 {
		w.api.Put("dashboard", other)
	}
	strange := body(t, objects[0])
	for range 205 {
		strange["tags"] = []any{"managed_by:evalworker", "evalworker_id:correctness-low", "env:other"}
		w.api.Put("monitor", strange)
	}
	w.apply(w.compare(objects, false))
	p := w.compare(objects, true)
	wantActions(t, p, "keep provider-errors", "keep correctness-low", "keep overview")
}

// TestTagsAreLookedAt: what Datadog lists beyond the tags that were asked for is not ours.
func TestTagsAreLookedAt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	objects := rendered(t, values())
	strange := body(t, objects[0])
	strange["tags"] = []any{"evalworker_id:correctness-low", "env:prod"}
	w.api.Put("monitor", strange)
	w.api.Before = func(_ http.ResponseWriter, r *http.Request) bool {
		query := r.URL.Query()
		query.Del("monitor_tags")
		r.URL.RawQuery = query.Encode()
		return false
	}
	wantActions(t, w.compare(objects, true), "create provider-errors", "create correctness-low", "create overview")
}

// TestPercentiles: metrics without percentiles are named, and a key that may not read
// metrics stops nothing.
func TestPercentiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	objects := rendered(t, values())
	objects[0].Body["query"] = "percentile(last_15m):p95:llm.latency_ms{env:prod} > p50:llm.first{*}"
	w.api.WithPercentiles = []string{"llm.first"}
	if p := w.compare(objects, false); !slices.Equal(p.PercentilesOff, []string{"llm.latency_ms"}) {
		t.Errorf("percentiles off: %q", p.PercentilesOff)
	}
	w.api.Before = func(rw http.ResponseWriter, r *http.Request) bool {
		metrics := strings.HasPrefix(r.URL.Path, "/api/v2/metrics/")
		if metrics {
			http.Error(rw, `{"errors":["Forbidden"]}`, http.StatusForbidden)
		}
		return metrics
	}
	if p := w.compare(objects, false); len(p.PercentilesOff) > 0 {
		t.Errorf("percentiles off: %q", p.PercentilesOff)
	}
}
