package sidecar

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/sidecar/spool"
)

func zipped(tb testing.TB, body string) string {
	tb.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	if _, err := zw.Write([]byte(body)); err != nil {
		tb.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}

var (
	asJSON  = map[string]string{"Content-Type": "application/json"}
	asLines = map[string]string{"Content-Type": "application/x-ndjson; charset=utf-8"}
	gzipped = map[string]string{"Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
)

func TestPostEvents(t *testing.T) {
	t.Parallel()
	large := `{"event":"llm_request_completed","request_id":"big","output":"` + strings.Repeat("x", eventLimit) + `"}`
	names := `{"event":"llm_request_completed","request_id":"big","feature":"` + strings.Repeat("x", eventLimit) + `"}`
	const tooLarge = "too_large: event is too large: big has 4198 bytes, the limit is 2000"
	withheld := lineWarning{
		Line: 1, Field: "content_withheld", Problem: "too large: the event is published without its content",
		Mend: "publish less, or raise --max-event-bytes with the topic's max.message.bytes",
	}
	twice := withheld
	twice.Line, twice.Events = 2, 2
	pretty := "{\n  \"event\": \"llm_request_completed\",\n  \"request_id\": \"p\"\n}\n"
	for name, c := range map[string]struct {
		body   string
		header map[string]string
		status int
		want   answer
	}{
		"one":              {newEvent("a"), asJSON, 202, answer{Accepted: 1}},
		"over lines":       {pretty, asJSON, 202, answer{Accepted: 1}},
		"lines":            {lines("a", "b") + "\n" + newEvent("c"), asLines, 202, answer{Accepted: 3}},
		"lines as JSON":    {lines("a", "b"), asJSON, 202, answer{Accepted: 2}},
		"no type":          {lines("a", "b"), nil, 202, answer{Accepted: 2}},
		"byte order mark":  {"\ufeff" + lines("a", "b"), asLines, 202, answer{Accepted: 2}},
		"carriage returns": {strings.ReplaceAll(lines("a", "b"), "\n", "\r\n"), asLines, 202, answer{Accepted: 2}},
		"gzip":             {zipped(t, lines("a", "b")), gzipped, 202, answer{Accepted: 2}},
		"unknown fields": {`{"event":"llm_request_completed","request_id":"a","more":1}`, asJSON, 202, answer{
			Accepted: 1, Warnings: []lineWarning{{Line: 1, Field: "more", Problem: "unknown field: it is published, and not read"}},
		}},

		"bad among good": {newEvent("a") + "\n{\n" + newEvent("b") + "\n\n[]\n" + names + "\n", asLines, 400, answer{
			Accepted: 2, Rejected: 3, Error: "some lines were refused; the others were accepted",
			Faults: []lineFault{
				{2, "malformed: invalid JSON at byte 1: ends too early"},
				{5, "malformed: a JSON array, want an object; send several events one a line"},
				{6, tooLarge},
			},
		}},
		"bad": {"{}", asJSON, 400, answer{
			Rejected: 1, Error: "no event was accepted", Faults: []lineFault{{1, "malformed: missing event and request_id"}},
		}},
		"bad over lines": {"{\"event\":\n\n7}", asJSON, 400, answer{
			Rejected: 1, Error: "no event was accepted", Faults: []lineFault{{1, "malformed: event: a JSON number, want a string"}},
		}},
		"nothing":        {"", asJSON, 400, answer{Error: "there is no event in the body"}},
		"blank":          {" \n\n", asLines, 400, answer{Error: "there is no event in the body"}},
		"no gzip":        {newEvent("a"), gzipped, 400, answer{Error: "the body is not gzip"}},
		"half a gzip":    {zipped(t, lines("a", "b"))[:30], gzipped, 400, answer{Error: "the body cannot be read to its end"}},
		"large event":    {large, asJSON, 202, answer{Accepted: 1, Warnings: []lineWarning{withheld}}},
		"large events":   {newEvent("a") + "\n" + large + "\n" + large, asLines, 202, answer{Accepted: 3, Warnings: []lineWarning{twice}}},
		"large names":    {names, asJSON, 413, answer{Rejected: 1, Error: "the event is too large", Faults: []lineFault{{1, tooLarge}}}},
		"large, no JSON": {strings.Repeat("[", eventLimit+1), asJSON, 400, answer{Rejected: 1, Error: "no event was accepted", Faults: []lineFault{{1, "malformed: nested more than 512 deep at byte 513"}}}},
		"large body":     {strings.Repeat(newEvent("a")+"\n", 300), asLines, 413, answer{Error: "the body is larger than 10000 bytes"}},
		"bomb":           {zipped(t, strings.Repeat(" ", 1<<20)), gzipped, 413, answer{Error: "the body is larger than 10000 bytes"}},
		"form":           {newEvent("a"), map[string]string{"Content-Type": "text/plain"}, 415, answer{Error: `Content-Type "text/plain": want application/json or application/x-ndjson`}},
		"no media type":  {newEvent("a"), map[string]string{"Content-Type": "a b/"}, 415, answer{Error: "the Content-Type cannot be read"}},
		"other encoding": {newEvent("a"), map[string]string{"Content-Encoding": "br"}, 415, answer{Error: `Content-Encoding "br": want gzip, or none`}},
		"web page":       {newEvent("a"), map[string]string{"Sec-Fetch-Site": "cross-site"}, 403, answer{Error: "requests from web pages are not accepted"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := build(t, Config{MaxBodyBytes: 10_000}, spool.Config{})
			resp := request{body: c.body, header: c.header}.do(t, w.handler())
			var got answer
			if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); resp.Code != c.status || diff != "" {
				t.Errorf("status %d, want %d; answer (-want +got):\n%s", resp.Code, c.status, diff)
			}
			if n := w.spool.Stats().Events; n != int64(c.want.Accepted) {
				t.Errorf("%d events in the spool", n)
			}
		})
	}
}

func TestStrictRefusesUnknownFields(t *testing.T) {
	t.Parallel()
	w := build(t, Config{Strict: true}, spool.Config{})
	resp := request{body: `{"event":"llm_request_completed","request_id":"a","promt_version":"1"}`}.do(t, w.handler())
	var got answer
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if resp.Code != http.StatusBadRequest || len(got.Faults) != 1 || !strings.Contains(got.Faults[0].Problem, "promt_version") {
		t.Errorf("%d, %+v", resp.Code, got)
	}
}

func TestFaultsAreBounded(t *testing.T) {
	t.Parallel()
	w := build(t, Config{}, spool.Config{})
	resp := request{body: strings.Repeat("{\n", 250) + newEvent("a")}.do(t, w.handler())
	if resp.Code != http.StatusBadRequest {
		t.Errorf("status %d", resp.Code)
	}
	resp = request{body: strings.Repeat("{\n", 250) + newEvent("a"), header: asLines}.do(t, w.handler())
	var got answer
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Accepted != 1 || got.Rejected != 250 || len(got.Faults) != maxFaults {
		t.Errorf("%d accepted, %d rejected, %d faults", got.Accepted, got.Rejected, len(got.Faults))
	}
}

// TestBadLinesBeyondABoundAreNotLookedAt: a bad line costs little, but a body may have
// millions.
func TestBadLinesBeyondABoundAreNotLookedAt(t *testing.T) {
	t.Parallel()
	w := build(t, Config{}, spool.Config{})
	bad := strings.Repeat("1\n", maxRejected)
	for name, c := range map[string]struct {
		body string
		want string
	}{
		"as many":  {newEvent("a") + "\n" + bad, "some lines were refused; the others were accepted"},
		"one more": {newEvent("a") + "\n" + bad + newEvent("b"), "10000 lines were refused: line 10002 and all behind it were not looked at; the good ones before were accepted"},
	} {
		resp := request{body: c.body, header: asLines}.do(t, w.handler())
		var got answer
		if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
			t.Fatal(err)
		}
		if resp.Code != http.StatusBadRequest || got.Accepted != 1 || got.Rejected != maxRejected || got.Error != c.want {
			t.Errorf("%s: %d, %d accepted, %d rejected: %s", name, resp.Code, got.Accepted, got.Rejected, got.Error)
		}
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	w := build(t, Config{Token: token}, spool.Config{})
	for header, status := range map[string]int{
		"": 401, "Bearer": 401, "Bearer wrong": 401, "Basic " + token: 401, token: 401, "Bearer " + token + "0": 401,
		"Bearer " + token: 202, "bearer  " + token: 202,
	} {
		resp := request{body: newEvent("a"), header: map[string]string{"Authorization": header}}.do(t, w.handler())
		if resp.Code != status {
			t.Errorf("Authorization %q: %d, want %d", header, resp.Code, status)
		}
		if (status == 401) != (resp.Header().Get("WWW-Authenticate") == "Bearer") {
			t.Errorf("Authorization %q: WWW-Authenticate %q", header, resp.Header().Get("WWW-Authenticate"))
		}
	}
	for path, status := range map[string]int{"/livez": 200, "/readyz": 200, "/statusz": 401, "/v1/openapi.yaml": 200, "/v1/event.schema.json": 200} {
		if resp := (request{method: http.MethodGet, path: path}).do(t, w.handler()); resp.Code != status {
			t.Errorf("%s without a token: %d, want %d", path, resp.Code, status)
		}
	}
	if st := w.Status(); st.Requests.Unauthorized != 7 || strings.Contains(w.logs.String(), token) {
		t.Errorf("%d unauthorized; logs %s", st.Requests.Unauthorized, w.logs)
	}
}

// TestOtherNamesAreRejectedWithoutAToken: a page whose name resolves to 127.0.0.1 has
// the same origin as the sidecar: only the name shows it.
func TestOtherNamesAreRejectedWithoutAToken(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef"
	without, with := build(t, Config{}, spool.Config{}), build(t, Config{Token: token}, spool.Config{})
	for host, status := range map[string]int{
		"127.0.0.1:8788": 202, "127.0.0.1": 202, "10.0.0.7:80": 202, "[::1]:8788": 202, "[::1]": 202, "localhost:8788": 202, "LocalHost": 202,
		"evil.example:8788": 403, "evil.example": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example:8788": 403,
	} {
		header := map[string]string{"Host": host, "Sec-Fetch-Site": "same-origin", "Authorization": "Bearer " + token}
		if resp := (request{body: newEvent("a"), header: header}).do(t, without.handler()); resp.Code != status {
			t.Errorf("%s: %d, want %d", host, resp.Code, status)
		}
		if resp := (request{body: newEvent("a"), header: header}).do(t, with.handler()); resp.Code != 202 {
			t.Errorf("%s with a token: %d", host, resp.Code)
		}
	}
	if resp := (request{method: http.MethodGet, path: "/statusz", header: map[string]string{"Host": "evil.example"}}).do(t, without.handler()); resp.Code != 403 {
		t.Errorf("/statusz: %d", resp.Code)
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg   Config
		paths []string
	}{
		"default":                    {Config{}, nil},
		"IPv6":                       {Config{Listen: "[::1]:0"}, nil},
		"localhost":                  {Config{Listen: "localhost:1"}, nil},
		"everywhere":                 {Config{Listen: ":8788"}, []string{"listen"}},
		"everywhere in IPv6":         {Config{Listen: "[::]:8788"}, []string{"listen"}},
		"a name":                     {Config{Listen: "events.internal:8788"}, []string{"listen"}},
		"everywhere, with a token":   {Config{Listen: ":8788", Token: "0123456789abcdef"}, nil},
		"a token that is guessed":    {Config{Token: "secret"}, []string{"token"}},
		"no port":                    {Config{Listen: "127.0.0.1"}, []string{"listen"}},
		"below zero, one and others": {Config{MaxBodyBytes: -1, Concurrency: -1, Grace: -1}, []string{"max_body_bytes", "concurrency", "grace"}},
		"backoff":                    {Config{BackoffMin: 10, BackoffMax: 1}, []string{"backoff_max"}},
	} {
		var paths []string
		for _, f := range c.cfg.Validate() {
			paths = append(paths, f.Path)
			if f.Expected == "" {
				t.Errorf("%s: says nothing of how to mend it", name)
			}
			if strings.Contains(f.String(), "secret") {
				t.Errorf("%s: prints the token", name)
			}
		}
		if diff := cmp.Diff(c.paths, paths); diff != "" {
			t.Errorf("%s: paths (-want +got):\n%s", name, diff)
		}
	}
}
