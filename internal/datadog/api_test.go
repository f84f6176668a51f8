package datadog_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/datadog"
)

// TestAccess: each variable that is missing or wrong is named, and none is repeated.
func TestAccess(t *testing.T) {
	t.Parallel()
	good := map[string]string{datadog.EnvAPIKey: apiKey, datadog.EnvAppKey: appKey}
	for name, tt := range map[string]struct {
		set  map[string]string
		url  string
		want []string
	}{
		"nothing":          {map[string]string{datadog.EnvAPIKey: "", datadog.EnvAppKey: ""}, "", []string{"DD_API_KEY: not set", "DD_APP_KEY: not set"}},
		"one key":          {map[string]string{datadog.EnvAppKey: " "}, "", []string{"DD_APP_KEY: not set"}},
		"two lines":        {map[string]string{datadog.EnvAPIKey: "a\nb"}, "", []string{"DD_API_KEY: holds characters"}},
		"default":          {nil, "https://api.datadoghq.com", nil},
		"site":             {map[string]string{datadog.EnvSite: "us5.datadoghq.com"}, "https://api.us5.datadoghq.com", nil},
		"address as site":  {map[string]string{datadog.EnvSite: "https://app.datadoghq.eu"}, "", []string{"DD_SITE", "such as datadoghq.eu"}},
		"app as site":      {map[string]string{datadog.EnvSite: "app.datadoghq.eu"}, "", []string{"DD_SITE"}},
		"another domain":   {map[string]string{datadog.EnvSite: "datadoghq.con"}, "", []string{"DD_SITE", "DD_HOST"}},
		"a longer domain":  {map[string]string{datadog.EnvSite: "datadoghq.com.example.com"}, "", []string{"DD_SITE"}},
		"a longer name":    {map[string]string{datadog.EnvSite: "mydatadoghq.com"}, "", []string{"DD_SITE"}},
		"port":             {map[string]string{datadog.EnvSite: "datadoghq.com:8443"}, "", []string{"DD_SITE"}},
		"path":             {map[string]string{datadog.EnvSite: "datadoghq.com/api"}, "", []string{"DD_SITE"}},
		"host":             {map[string]string{datadog.EnvHost: "https://api.example.com/"}, "https://api.example.com", nil},
		"loopback":         {map[string]string{datadog.EnvHost: "http://127.0.0.1:8080"}, "http://127.0.0.1:8080", nil},
		"without security": {map[string]string{datadog.EnvHost: "http://api.example.com"}, "", []string{"DD_HOST", "without encryption"}},
		"no host":          {map[string]string{datadog.EnvHost: "api.example.com"}, "", []string{"DD_HOST: no URL"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			access, err := datadog.AccessFrom(func(name string) string {
				if value, ok := tt.set[name]; ok {
					return value
				}
				return good[name]
			})
			if tt.want == nil {
				if err != nil || access.URL != tt.url {
					t.Errorf("URL %q, error %v, want %q", access.URL, err, tt.url)
				}
				return
			}
			wantError(t, err, tt.want...)
		})
	}
}

// answer answers the first calls with a status, and then leaves them to the API.
func answer(times int, status int, header map[string]string, text string) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		if times == 0 {
			return false
		}
		times--
		for k, v := range header {
			w.Header().Set(k, v)
		}
		http.Error(w, text, status)
		return true
	}
}

var list = datadog.Request{Method: http.MethodGet, Path: "/api/v1/dashboard", Query: map[string][]string{"start": {"0"}, "count": {"1"}}, Needs: "dashboards_read"}

// TestLimitsAreWaitedFor: the client waits as long as Datadog says, and says so.
func TestLimitsAreWaitedFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.api.Before = answer(2, http.StatusTooManyRequests, map[string]string{"X-Ratelimit-Reset": "17"}, "{}")
		began := time.Now()
		if err := w.client.Do(t.Context(), list, nil); err != nil || time.Since(began) != 34*time.Second {
			t.Errorf("error %v after %v, want none after 34s", err, time.Since(began))
		}
		if len(w.notices) != 2 || !strings.Contains(w.notices[0], "datadoghq.eu limits requests: trying again in 17s") {
			t.Errorf("notices %q", w.notices)
		}
		// A limit that lasts longer than anybody waits is an error at once.
		w.api.Before = answer(1, http.StatusTooManyRequests, map[string]string{"X-Ratelimit-Reset": "3600"}, "{}")
		began = time.Now()
		wantError(t, w.client.Do(t.Context(), list, nil), "429", "limits requests")
		if time.Since(began) != 0 {
			t.Errorf("waited %v", time.Since(began))
		}
	})
}

// TestWhatIsRepeated: what does no harm twice is sent again after errors of the server and
// of the network; a POST that makes something is not.
func TestWhatIsRepeated(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.api.Before = answer(3, http.StatusBadGateway, nil, "<html>")
		if err := w.client.Do(t.Context(), list, nil); err != nil {
			t.Error(err)
		}
		w.api.Before = answer(4, http.StatusBadGateway, nil, "<html>")
		wantError(t, w.client.Do(t.Context(), list, nil), "GET /api/v1/dashboard: 502 Bad Gateway")
		made := datadog.Request{Method: http.MethodPost, Path: "/api/v1/monitor", Body: []byte("{}")}
		w.api.Before = answer(1, http.StatusInternalServerError, nil, "{}")
		wantError(t, w.client.Do(t.Context(), made, nil), "may have been done")
		w.api.Before = nil
		transport := &lossy{inMemory{w.api}, http.MethodGet, 2}
		client := datadog.NewClient(datadog.Access{APIKey: apiKey, AppKey: appKey, URL: "https://api.example.com"}, transport, nil)
		if err := client.Do(t.Context(), list, nil); err != nil {
			t.Error(err)
		}
		transport.method, transport.times = http.MethodPost, 1
		wantError(t, client.Do(t.Context(), made, nil), "POST /api/v1/monitor: connection lost; it may have been done")
	})
}

// TestRefusals: an error says what mends it.
func TestRefusals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.api.Before = answer(1, http.StatusForbidden, nil, `{"errors":["Forbidden"]}`)
	wantError(t, w.client.Do(t.Context(), list, nil), "403 Forbidden: Forbidden", "DD_APP_KEY needs the permission dashboards_read", "datadoghq.eu (DD_SITE)")
	w.api.Before = answer(1, http.StatusUnauthorized, nil, `{"errors":[{"title":"Unauthorized","detail":"no such key"}]}`)
	wantError(t, w.client.Do(t.Context(), list, nil), "401 Unauthorized: no such key", "DD_API_KEY", "DD_SITE")
	w.api.Before = answer(1, http.StatusFound, map[string]string{"Location": "https://elsewhere.example.com"}, "")
	wantError(t, w.client.Do(t.Context(), list, nil), "302 Found", "DD_SITE")
	w.api.Before = answer(1, http.StatusOK, nil, "<html>a login")
	wantError(t, w.client.Do(t.Context(), list, new(json.RawMessage)), "not what was expected")
	wrong := datadog.NewClient(datadog.Access{APIKey: secret.String(apiKey + "x"), AppKey: appKey, URL: "https://api.example.com"}, inMemory{w.api}, nil)
	wantError(t, wrong.Do(t.Context(), list, nil), "403")
}

// TestAnswersThatAreNoSuccess: what a proxy or a broken server says with status 200 is an
// error, and never looks like an organisation without monitors or dashboards, in which all
// would be made once more.
func TestAnswersThatAreNoSuccess(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "null", "{}", "<html>Welcome</html>", `{"errors":["later"]}`, `{"error":"later"}`, `{"dashboards":null}`, `[{"id":1},`} {
		for _, path := range []string{"/api/v1/monitor", "/api/v1/dashboard"} {
			w := newWorld(t)
			w.api.Before = func(rw http.ResponseWriter, r *http.Request) bool {
				if r.URL.Path != path {
					return false
				}
				_, _ = rw.Write([]byte(text))
				return true
			}
			if _, err := datadog.Compare(t.Context(), w.client, rendered(t, values()), "prod", datadog.Kinds(), false); err == nil {
				t.Errorf("%s with %q is a plan, want an error", path, text)
			}
		}
	}
}

// TestWhatIsMadeHasAnID: without one nobody knows whether it was made. The second run looks.
func TestWhatIsMadeHasAnID(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"{}": "no id", "": "may have been done", "<html>": "may have been done", `{"errors":["later"]}`: "200 OK: later; it may have been done",
	} {
		w := newWorld(t)
		p := w.compare(rendered(t, values()), false)
		w.api.Before = func(rw http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || r.URL.Path != "/api/v1/monitor" {
				return false
			}
			_, _ = rw.Write([]byte(text))
			return true
		}
		wantError(t, p.Apply(t.Context(), func(datadog.Change) { t.Errorf("%q: something is done", text) }), want, "0 of 3 changes are done")
	}
}
