package datadog_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/datadog"
	testkit "github.com/evalworker/evalworker/internal/testkit/datadog"
)

// provider is a monitor as deploy/datadog has it.
const provider = `{
  "name": "[evalworker] Provider errors",
  "type": "query alert",
  "query": "sum(last_10m):sum:llm.errors{env:${env}} by {provider}.as_count() / sum:llm.requests{env:${env}} by {provider}.as_count() * 100 > 3",
  "message": "{{value}} > {{threshold}} & rising.\n\nRunbook: ${docs}/runbooks/provider-errors.md\n\n${notify}",
  "tags": ["managed_by:evalworker", "evalworker_id:provider-errors", "env:${env}", "team:${team}"],
  "priority": 2,
  "options": {"thresholds": {"critical": 3, "critical_recovery": 2, "warning": 2.5}, "require_full_window": false, "notify_no_data": false}
}`

// quality is a monitor of one evaluator.
const quality = `{
  "name": "[evalworker] The correctness of {{prompt_name.name}} falls",
  "type": "query alert",
  "query": "avg(last_1h):100 * sum:llm.eval.weighted{env:${env},eval:correctness,outcome:pass} by {prompt_name}.as_count() / sum:llm.eval.weighted{env:${env},eval:correctness} by {prompt_name}.as_count() < 80",
  "message": "correctness is low: ${docs}/runbooks/correctness-low.md ${notify}",
  "tags": ["managed_by:evalworker", "evalworker_id:correctness-low", "env:${env}", "eval:correctness", "team:${team}"],
  "options": {"thresholds": {"critical": 80, "warning": 85}}
}`

const overview = `{
  "title": "evalworker: overview",
  "description": "What ${team} watches.\nevalworker_id:overview",
  "layout_type": "ordered",
  "reflow_type": "auto",
  "tags": ["team:${team}"],
  "template_variables": [{"name": "env", "prefix": "env", "available_values": [], "defaults": ["*"]}],
  "widgets": [{"definition": {"title": "Errors", "type": "note", "content": "a < b & ${docs}/metrics.md", "font_size": "14"}}]
}`

func files() fstest.MapFS {
	return fstest.MapFS{
		"monitors/provider-errors.json": {Data: []byte(provider)},
		"monitors/correctness-low.json": {Data: []byte(quality)},
		"dashboards/overview.json":      {Data: []byte(overview)},
	}
}

func values() datadog.Values {
	c := datadog.DefaultConfig()
	c.Notify, c.Team = []string{"@slack-llm", "@pagerduty"}, "llm"
	return datadog.Values{Config: c, Env: "prod", Known: []string{"correctness"}}
}

func rendered(t *testing.T, v datadog.Values) []datadog.Object {
	t.Helper()
	objects, _, err := datadog.RenderFrom(files(), v)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// world is an organisation of Datadog and a client of it, without a network.
type world struct {
	t       *testing.T
	api     *testkit.API
	client  *datadog.Client
	notices []string
}

// inMemory is a transport that calls a handler.
type inMemory struct{ http.Handler }

func (m inMemory) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	rec := httptest.NewRecorder()
	m.ServeHTTP(rec, r)
	return rec.Result(), nil
}

const (
	apiKey = "not-a-secret-api-key"
	appKey = "not-a-secret-app-key"
)

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, api: &testkit.API{APIKey: apiKey, AppKey: appKey}}
	w.client = datadog.NewClient(datadog.Access{
		APIKey: secret.String(apiKey), AppKey: secret.String(appKey), Site: "datadoghq.eu", URL: "https://api.datadoghq.eu",
	}, inMemory{w.api}, func(line string) { w.notices = append(w.notices, line) })
	return w
}

func (w *world) compare(objects []datadog.Object, prune bool) *datadog.Plan {
	w.t.Helper()
	return w.compareEnv(objects, "prod", prune)
}

func (w *world) compareEnv(objects []datadog.Object, env string, prune bool) *datadog.Plan {
	w.t.Helper()
	p, err := datadog.Compare(w.t.Context(), w.client, objects, env, datadog.Kinds(), prune)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) apply(p *datadog.Plan) {
	w.t.Helper()
	if err := p.Apply(w.t.Context(), func(datadog.Change) {}); err != nil {
		w.t.Fatal(err)
	}
}

// wantActions checks what becomes of which object.
func wantActions(t *testing.T, p *datadog.Plan, want ...string) {
	t.Helper()
	var got []string
	for _, c := range p.Changes {
		got = append(got, string(c.Action)+" "+c.Name)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		all, _ := json.MarshalIndent(p, "", "  ")
		t.Errorf("plan %q, want %q\n%s", got, want, all)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("error %q does not hold %q", err, part)
		}
	}
	if strings.Contains(err.Error(), apiKey) || strings.Contains(err.Error(), appKey) {
		t.Errorf("error %q holds a key", err)
	}
}

var errLost = errors.New("connection lost")

// lossy fails the first calls of a method.
type lossy struct {
	next   http.RoundTripper
	method string
	times  int
}

func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == l.method && l.times > 0 {
		l.times--
		return nil, errLost
	}
	return l.next.RoundTrip(r)
}
