package validators

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/eval"
)

func TestDrafts(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ schema, good, bad, reason string }{
		"4": {
			`{"$schema":"http://json-schema.org/draft-04/schema#","properties":{"n":{"minimum":0,"exclusiveMinimum":true}}}`,
			`{"n":1}`, `{"n":0}`, "exclusiveMinimum at /n",
		},
		"6": {
			`{"$schema":"http://json-schema.org/draft-06/schema#","properties":{"n":{"exclusiveMinimum":0},"k":{"const":"x"}}}`,
			`{"n":1,"k":"x"}`, `{"n":1,"k":"y"}`, "const at /k",
		},
		"7": {
			`{"$schema":"http://json-schema.org/draft-07/schema","if":{"required":["a"]},"then":{"required":["b"]},"properties":{"a":{"format":"email"}}}`,
			`{"a":"a@example.com","b":1}`, `{"a":"a@example.com"}`, "required at /b",
		},
		"2019-09": {
			`{"$schema":"https://json-schema.org/draft/2019-09/schema","allOf":[{"properties":{"a":{"format":"date-time"}}}],"unevaluatedProperties":false}`,
			`{"a":"2026-01-02T03:04:05Z"}`, `{"a":"2026-01-02T03:04:05Z","b":1}`, "unevaluatedProperties at /*",
		},
		"2020-12": {
			`{"$schema":"https://json-schema.org/draft/2020-12/schema","prefixItems":[{"type":"string","format":"uuid"}],"items":{"type":"integer"}}`,
			`["00000000-0000-4000-8000-000000000000",1]`, `["00000000-0000-4000-8000-000000000000","x"]`, "type at /*",
		},
		"none is 2020-12": {`{"prefixItems":[{"type":"string"}]}`, `["x"]`, `[1]`, "type at /*"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newValidator(t, Config{Type: "json_schema", Schema: "s"}, newSchemas(t, map[string]string{"s": tt.schema}))
			checkVerdict(t, evaluate(t, v, newEvent(t, `"output":`+tt.good)), want{eval.OutcomePass, "valid", ""})
			checkVerdict(t, evaluate(t, v, newEvent(t, `"output":`+tt.bad)), want{eval.OutcomeFail, "invalid_schema", tt.reason})
		})
	}
}

// TestFormatsAsserted: in 2019-09 and 2020-12 a format is an annotation unless it
// is asserted.
func TestFormatsAsserted(t *testing.T) {
	t.Parallel()
	for _, draft := range drafts() {
		s := newSchemas(t, map[string]string{"s": `{"$schema":"` + draft + `","format":"ipv4"}`})
		v := newValidator(t, Config{Type: "json_schema", Schema: "s"}, s)
		checkVerdict(t, evaluate(t, v, saying(`"1.2.3.999"`)), want{eval.OutcomeFail, "invalid_schema", "format at /"})
	}
}

func TestSchemaFaults(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"empty":               {map[string]string{"a": " "}, []string{"a.json:1:1: empty file; want a JSON Schema"}},
		"syntax":              {map[string]string{"a": "{\n  \"type\": \"object\",\n}"}, []string{"a.json:2:19: invalid JSON: trailing comma; want a JSON Schema"}},
		"byte order mark":     {map[string]string{"a": "\ufeff{}"}, []string{"a.json:1:1: invalid JSON: byte order mark; save the file as UTF-8 without one"}},
		"two values":          {map[string]string{"a": "{}\n{}"}, []string{"a.json:2:1: text after the JSON value; want one JSON Schema"}},
		"duplicate key":       {map[string]string{"a": `{"type":"object","type":"string"}`}, []string{"a.json:1:1: an object has the same key twice; want each key once"}},
		"no schema":           {map[string]string{"a": `[1]`}, []string{"a.json:1:1: expected object or boolean, but got array"}},
		"wrong keyword":       {map[string]string{"a": "{\"properties\": {\n  \"é/x\": {\"minLength\": -1}}}"}, []string{"a.json:2:11: /properties/é~1x/minLength: must be >= 0 but found -1"}},
		"two in one":          {map[string]string{"a": "{\"required\": \"x\",\n \"minItems\": \"1\"}"}, []string{"a.json:1:2: /required: expected array, but got string", `a.json:2:2: /minItems: expected integer, but got string`}},
		"look-around":         {map[string]string{"a": `{"pattern": "(?=x)"}`}, []string{"a.json:1:2: /pattern: '(?=x)' is not valid 'regex'"}},
		"draft 3":             {map[string]string{"a": `{"$schema":"http://json-schema.org/draft-03/schema#"}`}, []string{"a.json:1:2: /$schema: unsupported draft; want one of " + strings.Join(drafts(), ", ")}},
		"absurd number":       {map[string]string{"a": `{"minimum":1e99999}`}, []string{"a.json:1:1: a number is beyond the range of a double; want a smaller exponent"}},
		"nested like a bomb":  {map[string]string{"a": strings.Repeat(`{"not":`, 100_000) + "{}" + strings.Repeat("}", 100_000)}, []string{"a.json:1:1: nested too deep; want at most 128 levels"}},
		"too much to compile": {map[string]string{"a": `{"allOf":[` + strings.Repeat("true,", maxSubschemas) + `{}]}`}, []string{"a.json:1:1: 10002 objects and booleans are too many; want at most 10000: compile time grows with their square"}},
		"several files":       {map[string]string{"b": "{", "a": "]"}, []string{"a.json:1:1: invalid JSON: comma, colon or bracket missing or misplaced; want a JSON Schema", "b.json:1:2: invalid JSON: ends too early; want a JSON Schema"}},
		"only the guilty":     {map[string]string{"a": `{"$ref":"b.json"}`, "b": `{"type":1}`}, []string{`b.json:1:2: /type: value must be one of "array", "boolean", "integer", "null", "number", "object", "string"; or expected array, but got number`}},
		"out of the folder":   {map[string]string{"a": "{\"properties\":\n{\"x\":{\"$ref\":\"../b.json\"}}}", "b": `true`}, []string{`a.json:2:7: /properties/x/$ref: $ref "../b.json" leads out of the schema folder; want a file of the schema folder, such as "address.json"`}},
		"out by a detour":     {map[string]string{"a": `{"$ref":"sub/../../b.json"}`}, []string{`a.json:1:2: /$ref: $ref "sub/../../b.json" leads out of the schema folder; want a file of the schema folder, such as "address.json"`}},
		"absolute":            {map[string]string{"a": `{"$ref":"/etc/passwd"}`}, []string{`a.json:1:2: /$ref: $ref "/etc/passwd" is an absolute path; want a file of the schema folder, such as "address.json"`}},
		"file":                {map[string]string{"a": `{"$ref":"file:///etc/passwd"}`}, []string{`a.json:1:2: /$ref: $ref "file:///etc/passwd" is an absolute file; want a file of the schema folder, such as "address.json"`}},
		"http":                {map[string]string{"a": `{"$ref":"http://example.com/s.json#/x"}`}, []string{`a.json:1:2: /$ref: $ref "http://example.com/s.json#/x" is not in the schema folder and nothing is fetched; put a schema with this $id into the folder, or name a file of it`}},
		"http by $id":         {map[string]string{"a": `{"$id":"https://example.com/a.json","$ref":"b.json"}`, "b": `true`}, []string{`a.json:1:37: /$ref: $ref "b.json" means https://example.com/b.json, which is not in the schema folder and nothing is fetched; put a schema with this $id into the folder`}},
		"encoded dots":        {map[string]string{"a": `{"$ref":"%2e%2e/b.json"}`}, []string{`a.json:1:2: /$ref: $ref "%2e%2e/b.json" leads out of the schema folder; want a file of the schema folder, such as "address.json"`}},
		"misspelt file":       {map[string]string{"a": `{"$ref":"adress.json"}`, "address": `true`}, []string{`a.json:1:2: /$ref: $ref "adress.json" is not a file in the schema folder; did you mean "address.json"?`}},
		"no such place":       {map[string]string{"a": `{"$ref":"#/$defs/x"}`}, []string{`a.json:1:2: /$ref: $ref "#/$defs/x" leads to nothing in a.json; want a JSON pointer to a schema that stands there`}},
		"no such anchor":      {map[string]string{"a": `{"$ref":"#x"}`}, []string{`a.json:1:2: /$ref: $ref "#x" leads to nothing in a.json; want the name of an $anchor there, or a JSON pointer such as #/$defs/name`}},
		"urn":                 {map[string]string{"a": `{"$ref":"urn:example:b"}`}, []string{`a.json:1:2: /$ref: $ref "urn:example:b" is not in the schema folder and nothing is fetched; put a schema with this $id into the folder, or name a file of it`}},
		"no such anchor, $id": {map[string]string{"a": `{"$ref":"https://example.com/b#y","$defs":{"b":{"$id":"https://example.com/b","$anchor":"x"}}}`}, []string{`a.json:1:2: /$ref: $ref "https://example.com/b#y" leads to nothing in https://example.com/b; want the name of an $anchor there, or a JSON pointer such as #/$defs/name`}},
		"no place in a $id":   {map[string]string{"a": `{"$ref":"https://example.com/b#/$defs/x","$defs":{"x":{},"b":{"$id":"https://example.com/b"}}}`}, []string{`a.json:1:2: /$ref: $ref "https://example.com/b#/$defs/x" leads to nothing in https://example.com/b; want a JSON pointer to a schema that stands there`}},
		"embedded, misspelt":  {map[string]string{"a": `{"$id":"https://example.com/a","$ref":"/schemas/adress","$defs":{"b":{"$id":"/schemas/address"}}}`}, []string{`a.json:1:32: /$ref: $ref "/schemas/adress" means https://example.com/schemas/adress, which is not in the schema folder and nothing is fetched; put a schema with this $id into the folder`}},
		"two of one $id":      {map[string]string{"a": `{"$ref":"https://example.com/x"}`, "b": `{"$defs":{"x":{"$id":"https://example.com/x","type":"string"}}}`, "c": `{"$defs":{"x":{"$id":"https://example.com/x","type":"integer"}}}`}, []string{`a.json:1:2: /$ref: $ref "https://example.com/x" is the $id of different schemas, in b.json and c.json; give each schema an $id of its own`}},
		"embedded draft 7":    {map[string]string{"a": `{"$defs":{"x":{"$id":"https://example.com/x","$schema":"http://json-schema.org/draft-07/schema#","items":[1]}}}`}, []string{`a.json:1:107: /$defs/x/items/0: expected object or boolean, but got number`}},
		"embedded draft 3":    {map[string]string{"a": `{"$defs":{"x":{"$id":"https://example.com/x","$schema":"http://json-schema.org/draft-03/schema#"}}}`}, []string{`a.json:1:46: /$defs/x/$schema: unsupported draft; want one of ` + strings.Join(drafts(), ", ")}},
		"endless":             {map[string]string{"a": `{"$ref":"#"}`}, []string{`a.json:1:1: infinite loop a.json#/$ref; want a JSON Schema that compiles`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := map[string][]byte{}
			for name, text := range tt.files {
				files[name] = []byte(text)
			}
			s, faults := NewSchemas(files)
			if s != nil {
				t.Error("schemas in spite of faults")
			}
			var got []string
			for _, f := range faults {
				got = append(got, f.String())
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReferences(t *testing.T) {
	t.Parallel()
	for name, files := range map[string]map[string]string{
		"file":             {"s": `{"$ref":"b.json"}`, "b": `{"type":"integer"}`},
		"place in a file":  {"s": `{"$ref":"b.json#/$defs/n"}`, "b": `{"$defs":{"n":{"type":"integer"}}}`},
		"in a subfolder":   {"s": `{"$ref":"sub/b.json"}`, "sub/b": `{"$ref":"../c.json"}`, "c": `{"type":"integer"}`},
		"by $id":           {"s": `{"$id":"https://example.com/s.json","$ref":"b.json"}`, "b": `{"$id":"https://example.com/b.json","type":"integer"}`},
		"by absolute $id":  {"s": `{"$ref":"https://example.com/b"}`, "b": `{"$id":"https://example.com/b","type":"integer"}`},
		"anchor":           {"s": `{"$defs":{"n":{"$anchor":"n","type":"integer"}},"$ref":"#n"}`},
		"name with spaces": {"s": `{"$ref":"my%20part.json"}`, "my part": `{"type":"integer"}`},
		"each other":       {"s": `{"type":"integer","properties":{"x":{"$ref":"b.json"}}}`, "b": `{"properties":{"x":{"$ref":"s.json"}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newValidator(t, Config{Type: "json_schema", Schema: "s"}, newSchemas(t, files))
			checkVerdict(t, evaluate(t, v, newEvent(t, `"output":1`)), want{eval.OutcomePass, "valid", ""})
			checkVerdict(t, evaluate(t, v, newEvent(t, `"output":"x"`)), want{eval.OutcomeFail, "invalid_json", "no JSON"})
			checkVerdict(t, evaluate(t, v, newEvent(t, `"output":true`)), want{eval.OutcomeFail, "invalid_schema", "type at /"})
		})
	}
	t.Run("data is no reference", func(t *testing.T) {
		t.Parallel()
		newSchemas(t, map[string]string{"s": `{"enum":[{"$ref":"/etc/x"}],"properties":{"$ref":{"type":"string"}},"default":{"$ref":"http://example.com"}}`})
	})
	t.Run("meta-schema", func(t *testing.T) {
		t.Parallel()
		newSchemas(t, map[string]string{"s": `{"$ref":"http://json-schema.org/draft-07/schema#"}`})
	})
}

// TestCompoundDocuments: a file may hold many schemas with an $id each, as bundlers
// write them, and refers to them by their URIs without anything being fetched.
func TestCompoundDocuments(t *testing.T) {
	t.Parallel()
	const address = `{"$id":"/schemas/address","type":"object","properties":{"street":{"type":"string"},"state":{"$ref":"#/$defs/state"}},"required":["street"],"$defs":{"state":{"enum":["CA","NY"]}}}`
	const good, bad = `{"to":{"street":"a","state":"CA"}}`, `{"to":{"street":"a","state":"XX"}}`
	for name, files := range map[string]map[string]string{
		"path against the base":       {"s": `{"$id":"https://example.com/schemas/customer","$schema":"https://json-schema.org/draft/2020-12/schema","properties":{"to":{"$ref":"/schemas/address"}},"$defs":{"address":` + address + `}}`},
		"absolute URI":                {"s": `{"$id":"https://example.com/schemas/customer","properties":{"to":{"$ref":"https://example.com/schemas/address"}},"$defs":{"address":` + address + `}}`},
		"relative to the base":        {"s": `{"$id":"https://example.com/schemas/customer","properties":{"to":{"$ref":"address"}},"$defs":{"address":` + address + `}}`},
		"without a base":              {"s": `{"properties":{"to":{"$ref":"/schemas/address"}},"$defs":{"address":` + address + `}}`},
		"anchor of another resource":  {"s": `{"properties":{"to":{"$ref":"https://example.com/a#to"}},"$defs":{"a":{"$id":"https://example.com/a","$defs":{"t":{"$anchor":"to","properties":{"state":{"const":"CA"}}}}}}}`},
		"pointer in another resource": {"s": `{"properties":{"to":{"$ref":"https://example.com/a#/$defs/t"}},"$defs":{"a":{"$id":"https://example.com/a","$defs":{"t":{"properties":{"state":{"const":"CA"}}}}}}}`},
		"nested":                      {"s": `{"$ref":"https://example.com/a","$defs":{"a":{"$id":"https://example.com/a","properties":{"to":{"$ref":"b/c"}},"$defs":{"b":{"$id":"b/","$defs":{"c":{"$id":"c","properties":{"state":{"const":"CA"}}}}}}}}}`},
		"urn":                         {"s": `{"properties":{"to":{"$ref":"urn:example:a"}},"$defs":{"a":{"$id":"urn:example:a","properties":{"state":{"$ref":"#/$defs/s"}},"$defs":{"s":{"const":"CA"}}}}}`},
		"another file":                {"s": `{"properties":{"to":{"$ref":"https://example.com/schemas/address"}}}`, "bundle": `{"$id":"https://example.com/x","$defs":{"a":` + address + `}}`},
		"the same in two files":       {"s": `{"properties":{"to":{"$ref":"https://example.com/schemas/address"}}}`, "a": `{"$id":"https://example.com/x","$defs":{"a":` + address + `}}`, "b": `{"$id":"https://example.com/y","$defs":{"a":` + address + `}}`},
		"each other": {
			"s": `{"$id":"https://example.com/s","properties":{"to":{"$ref":"https://example.com/b/address"}},"$defs":{"state":{"$id":"state","enum":["CA"]}}}`,
			"b": `{"$id":"https://example.com/b/all","$defs":{"a":{"$id":"address","properties":{"state":{"$ref":"/state"},"next":{"$ref":"https://example.com/s"}}}}}`,
		},
		"draft 7 inside of 2020-12": {"s": `{"$schema":"https://json-schema.org/draft/2020-12/schema","$id":"https://example.com/s","properties":{"to":{"$ref":"a"}},"$defs":{"a":{"$id":"a","$schema":"http://json-schema.org/draft-07/schema#",
			"properties":{"state":{"$ref":"#/definitions/state","const":"void beside a $ref"}},"dependencies":{"state":["street"]},"definitions":{"state":{"enum":["CA"]}}}}}`},
		"draft 7":      {"s": `{"$schema":"http://json-schema.org/draft-07/schema#","properties":{"to":{"$ref":"https://example.com/a#x"}},"definitions":{"a":{"$id":"https://example.com/a","definitions":{"x":{"$id":"#x","properties":{"state":{"const":"CA"}}}}}}}`},
		"draft 4":      {"s": `{"$schema":"http://json-schema.org/draft-04/schema#","id":"https://example.com/s","properties":{"to":{"$ref":"a"}},"definitions":{"a":{"id":"a","properties":{"state":{"enum":["CA"]}}}}}`},
		"OpenAPI":      {"s": `{"openapi":"3.1.0","$ref":"#/components/schemas/Order","components":{"schemas":{"Order":{"properties":{"to":{"$ref":"#/components/schemas/enum"}}},"enum":{"properties":{"state":{"enum":["CA"]}}}}}}`},
		"OpenAPI, $id": {"s": `{"$ref":"https://example.com/order","components":{"schemas":{"Order":{"$id":"https://example.com/order","properties":{"to":{"$ref":"to"}}},"To":{"$id":"https://example.com/to","properties":{"state":{"enum":["CA"]}}}}}}`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newValidator(t, Config{Type: "json_schema", Schema: "s"}, newSchemas(t, files))
			checkVerdict(t, evaluate(t, v, newEvent(t, `"output":`+good)), want{eval.OutcomePass, "valid", ""})
			if got := evaluate(t, v, newEvent(t, `"output":`+bad)); got.Label != "invalid_schema" {
				t.Errorf("%s: %s %s %s", bad, got.Outcome, got.Label, got.Reason)
			}
		})
	}
}

func TestLoadSchemas(t *testing.T) {
	t.Parallel()
	write := func(t *testing.T, dir, name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("folder", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		write(t, dir, "b.json", `{"$ref":"parts/a.json"}`)
		write(t, dir, "parts/a.json", `true`)
		write(t, dir, "README.md", `no schema`)
		write(t, dir, ".git/x.json", `no schema`)
		// A mounted ConfigMap: names are links into a hidden folder next to them.
		write(t, dir, "..2026/c.json", `true`)
		if err := os.Symlink("..2026/c.json", filepath.Join(dir, "c.json")); err != nil {
			t.Skip("no symbolic links here")
		}
		s, faults := LoadSchemas(dir)
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		if diff := cmp.Diff([]string{"b", "c", "parts/a"}, slices.Sorted(maps.Keys(s.byName))); diff != "" {
			t.Errorf("names (-want +got):\n%s", diff)
		}
		if !has(s, "b") || has(s, "b.json") || has(nil, "b") {
			t.Error("Has is wrong")
		}
	})
	t.Run("link out of the folder", func(t *testing.T) {
		t.Parallel()
		outside, dir := t.TempDir(), t.TempDir()
		write(t, outside, "secret.json", `true`)
		if err := os.Symlink(filepath.Join(outside, "secret.json"), filepath.Join(dir, "a.json")); err != nil {
			t.Skip("no symbolic links here")
		}
		_, faults := LoadSchemas(dir)
		if len(faults) != 1 || faults[0].File != filepath.Join(dir, "a.json") || !strings.Contains(faults[0].Problem, "escapes") {
			t.Errorf("faults %v", faults)
		}
	})
	t.Run("faults of all files", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		write(t, dir, "a.json", "{\n")
		write(t, dir, "b.json", `{"type":"objct"}`)
		write(t, dir, "big.json", strings.Repeat(" ", maxSchemaBytes+1))
		_, faults := LoadSchemas(dir)
		var files []string
		for _, f := range faults {
			files = append(files, filepath.Base(f.File))
		}
		if diff := cmp.Diff([]string{"big.json", "a.json", "b.json"}, files); diff != "" {
			t.Errorf("files with faults (-want +got):\n%s", diff)
		}
	})
	t.Run("no folder", func(t *testing.T) {
		t.Parallel()
		_, faults := LoadSchemas(filepath.Join(t.TempDir(), "none"))
		if len(faults) != 1 || faults[0].Problem != "schema folder: no such file or directory" {
			t.Errorf("faults %v", faults)
		}
	})
}

func has(s *Schemas, name string) bool {
	_, ok := s.lookup(name)
	return ok
}

// FuzzSchemas: whatever two files hold, they are compiled or their faults are
// reported, and what compiles decides.
func FuzzSchemas(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"$id":"https://example.com/a","$ref":"b","$defs":{"b":{"$id":"b","$anchor":"x"}}}`, `{"$ref":"https://example.com/b#x"}`},
		{`{"$schema":"http://json-schema.org/draft-04/schema#","id":"urn:a","definitions":{"b":{"id":"#b"}},"$ref":"#b"}`, `{"$ref":"urn:a#b"}`},
		{`{"$defs":{"a":{"$id":"x","$schema":"http://json-schema.org/draft-07/schema#","$ref":"y"},"b":{"$id":"y","$ref":"x"}}}`, `{"$ref":"a.json#/$defs/a"}`},
		{`{"$id":"a/","items":[{"$id":"../b"}],"properties":{"$id":{"$ref":"#"}}}`, `{"$ref":"a/../a.json","$dynamicRef":"#n","$dynamicAnchor":"n"}`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		s, faults := NewSchemas(map[string][]byte{"a": []byte(a), "b": []byte(b)})
		if (s == nil) != (len(faults) > 0) {
			t.Fatalf("schemas %t, faults %v", s != nil, faults)
		}
		if s == nil {
			return
		}
		for _, output := range []string{`{"a":[1,{"b":null}]}`, `"x"`} {
			v := newValidator(t, Config{Type: "json_schema", Schema: "a"}, s)
			if got, err := v.Evaluate(t.Context(), saying(output)); err == nil && !got.Outcome.Decided() {
				t.Fatalf("%s: %s %s", output, got.Outcome, got.Reason)
			}
		}
	})
}
