package sidecar

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v5"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/sidecar/spool"
)

// description is the part of openapi.yaml that the tests need.
type description struct {
	OpenAPI string
	Paths   map[string]map[string]operation // path, method in lower case
	schemas *jsonschema.Compiler
}

type operation struct {
	RequestBody struct {
		Content map[string]struct {
			Examples map[string]struct{ Value any }
		}
	} `json:"requestBody"`
	Responses map[string]struct {
		Content map[string]json.RawMessage
		Headers map[string]struct{ Required bool }
	}
}

func describe(tb testing.TB) *description {
	tb.Helper()
	// By way of JSON, which resolves the anchors and which the schemas need.
	text, err := yaml.YAMLToJSON(openapi)
	if err != nil {
		tb.Fatal(err)
	}
	d := &description{schemas: jsonschema.NewCompiler()}
	d.schemas.Draft, d.schemas.AssertFormat = jsonschema.Draft2020, true
	if err := json.Unmarshal(text, d); err != nil {
		tb.Fatal(err)
	}
	if err := d.schemas.AddResource("openapi.json", bytes.NewReader(text)); err != nil {
		tb.Fatal(err)
	}
	return d
}

// check compares one answer with the description, and returns the description's
// name for it.
func (d *description) check(tb testing.TB, method, path string, resp *httptest.ResponseRecorder) string {
	tb.Helper()
	name := fmt.Sprint(method, " ", path, " ", resp.Code)
	op, ok := d.Paths[path][strings.ToLower(method)]
	if !ok {
		tb.Errorf("%s: the operation is not described", name)
		return name
	}
	want, ok := op.Responses[fmt.Sprint(resp.Code)]
	if !ok {
		tb.Errorf("%s: the status is not described", name)
		return name
	}
	mediaType, _, err := mime.ParseMediaType(resp.Header().Get("Content-Type"))
	if _, ok := want.Content[mediaType]; err != nil || !ok {
		tb.Errorf("%s: Content-Type %q is not described", name, resp.Header().Get("Content-Type"))
		return name
	}
	for header, h := range want.Headers {
		if h.Required && resp.Header().Get(header) == "" {
			tb.Errorf("%s: the header %s is missing", name, header)
		}
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		tb.Fatal(err)
	}
	if strings.HasSuffix(mediaType, "json") {
		var value any
		if err := json.Unmarshal(body, &value); err != nil {
			tb.Errorf("%s: %v", name, err)
			return name
		}
		pointer := "openapi.json#/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + strings.ToLower(method) +
			"/responses/" + fmt.Sprint(resp.Code) + "/content/" + strings.ReplaceAll(mediaType, "/", "~1") + "/schema"
		schema, err := d.schemas.Compile(strings.ReplaceAll(pointer, "+", "%2B"))
		if err != nil {
			tb.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			tb.Errorf("%s: the body is not as described: %v\n%s", name, err, body)
		}
	}
	return name
}

// TestDescription provokes every answer that the description names and compares each
// with it: a status that is answered and not described is a fault, and so is one
// that is described and cannot be provoked.
func TestDescription(t *testing.T) {
	t.Parallel()
	d := describe(t)
	if !strings.HasPrefix(d.OpenAPI, "3.1.") {
		t.Errorf("OpenAPI %s", d.OpenAPI)
	}
	open := build(t, Config{MaxBodyBytes: 10_000}, spool.Config{MaxBytes: 1 << 16})
	closed := build(t, Config{Token: "0123456789abcdef"}, spool.Config{})
	stopping := build(t, Config{}, spool.Config{})
	stopping.intake.close()
	noDisk := build(t, Config{}, spool.Config{})
	if err := os.RemoveAll(noDisk.dir); err != nil {
		t.Fatal(err)
	}
	full := build(t, Config{MaxBodyBytes: 10_000}, spool.Config{MaxBytes: 1 << 16})
	for full.checkRoom() == nil {
		request{body: newEvent(strings.Repeat("x", 500))}.do(t, full.handler())
	}
	get := func(path string) request { return request{method: http.MethodGet, path: path} }
	foreign := map[string]string{"Host": "events.example"}
	seen := map[string]bool{}
	for _, c := range []struct {
		of  *world
		req request
	}{
		{open, request{body: newEvent("a"), header: asJSON}},
		{open, request{body: "{}", header: asJSON}},
		{open, request{body: "", header: asJSON}},
		{open, request{body: lines("a") + "[]", header: asLines}},
		{closed, request{body: newEvent("a"), header: asJSON}},
		{open, request{body: newEvent("a"), header: map[string]string{"Sec-Fetch-Site": "cross-site"}}},
		{open, request{body: strings.Repeat(newEvent("a"), 300), header: asLines}},
		{open, request{body: newEvent(strings.Repeat("x", 2000))}},
		{open, request{body: newEvent("a"), header: map[string]string{"Content-Type": "text/plain"}}},
		{full, request{body: strings.Repeat(newEvent("a")+"\n", 180), header: asLines}},
		{stopping, request{body: newEvent("a")}},
		{noDisk, request{body: newEvent("a")}},
		{open, get("/v1/openapi.yaml")},
		{open, get("/v1/event.schema.json")},
		{open, get("/livez")},
		{open, get("/readyz")},
		{full, get("/readyz")},
		{open, get("/statusz")},
		{noDisk, get("/statusz")},
		{closed, get("/statusz")},
		{open, request{method: http.MethodGet, path: "/v1/openapi.yaml", header: foreign}},
		{open, request{method: http.MethodGet, path: "/v1/event.schema.json", header: foreign}},
		{open, request{method: http.MethodGet, path: "/livez", header: foreign}},
		{open, request{method: http.MethodGet, path: "/readyz", header: foreign}},
		{open, request{method: http.MethodGet, path: "/statusz", header: foreign}},
	} {
		resp := c.req.do(t, c.of.handler())
		if c.req.method == "" {
			c.req.method, c.req.path = http.MethodPost, "/v1/events"
		}
		seen[d.check(t, c.req.method, c.req.path, resp)] = true
	}
	described := map[string]bool{}
	for path, methods := range d.Paths {
		for method, op := range methods {
			for status := range op.Responses {
				described[strings.ToUpper(method)+" "+path+" "+status] = true
			}
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(described)), slices.Sorted(maps.Keys(seen))); diff != "" {
		t.Errorf("answers (-described +seen):\n%s", diff)
	}
}

// TestNothingElseIsServed: every path and method that is not described is rejected.
func TestNothingElseIsServed(t *testing.T) {
	t.Parallel()
	d := describe(t)
	h := build(t, Config{}, spool.Config{}).handler()
	for _, path := range append(slices.Collect(maps.Keys(d.Paths)), "/", "/v1", "/debug/pprof/", "/v1/events/a") {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			if _, ok := d.Paths[path][strings.ToLower(method)]; ok {
				continue
			}
			resp := request{method: method, path: path, body: newEvent("a")}.do(t, h)
			if resp.Code != http.StatusMethodNotAllowed && resp.Code != http.StatusNotFound {
				t.Errorf("%s %s: %d", method, path, resp.Code)
			}
		}
	}
}

// TestExamplesOfTheDescription: every example of the description is accepted, and is
// valid by the event's schema.
func TestExamplesOfTheDescription(t *testing.T) {
	t.Parallel()
	d := describe(t)
	if err := d.schemas.AddResource("event.json", bytes.NewReader(event.Schema())); err != nil {
		t.Fatal(err)
	}
	schema, err := d.schemas.Compile("event.json")
	if err != nil {
		t.Fatal(err)
	}
	own, err := d.schemas.Compile("openapi.json#/components/schemas/Event")
	if err != nil {
		t.Fatal(err)
	}
	h := build(t, Config{Strict: true}, spool.Config{}).handler()
	n := 0
	for mediaType, content := range d.Paths["/v1/events"]["post"].RequestBody.Content {
		for name, example := range content.Examples {
			n++
			body, isText := example.Value.(string)
			if !isText {
				b, err := json.Marshal(example.Value)
				if err != nil {
					t.Fatal(err)
				}
				body = string(b)
				for what, s := range map[string]*jsonschema.Schema{"event's": schema, "description's": own} {
					if err := s.Validate(example.Value); err != nil {
						t.Errorf("%s: not valid by the %s schema: %v", name, what, err)
					}
				}
			}
			resp := request{body: body, header: map[string]string{"Content-Type": mediaType}}.do(t, h)
			if resp.Code != http.StatusAccepted {
				text, _ := io.ReadAll(resp.Body)
				t.Errorf("%s: %d %s", name, resp.Code, text)
			}
		}
	}
	if n < 4 {
		t.Errorf("%d examples", n)
	}
}

func TestTheDocumentsAreServed(t *testing.T) {
	t.Parallel()
	h := build(t, Config{}, spool.Config{}).handler()
	for path, want := range map[string][]byte{"/v1/openapi.yaml": openapi, "/v1/event.schema.json": event.Schema()} {
		rec := request{method: http.MethodGet, path: path}.do(t, h)
		if !bytes.Equal(rec.Body.Bytes(), want) {
			t.Errorf("%s is not the document", path)
		}
	}
}
