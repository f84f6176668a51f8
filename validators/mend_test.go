package validators

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

// TestSchemasOfOtherDialects: the schema of a tool is judged by what can be compiled
// of it. The arguments in good satisfy it, and those in bad do not.
func TestSchemasOfOtherDialects(t *testing.T) {
	t.Parallel()
	const lookbehind = `"(?<=a)b"`
	v := newValidator(t, Config{Type: "tool_calls"}, nil)
	for name, tt := range map[string]struct {
		schema, good, bad string
		note, reason      string // of the pass, and of the fail
	}{
		"Gemini":                {`{"type":"OBJECT","properties":{"a":{"type":"INTEGER"},"b":{"type":"ARRAY","items":{"type":"STRING"},"maxItems":"2"}},"required":["a"],"propertyOrdering":["a"]}`, `{"a":1,"b":["x"]}`, `{"a":1,"b":["x","y","z"]}`, "", "maxItems at /b"},
		"Gemini, no type":       {`{"type":"OBJECT","properties":{"a":{"type":"TYPE_UNSPECIFIED"}}}`, `{"a":[1]}`, `{"a":1,"a":2}`, "", "duplicate key"},
		"nullable":              {`{"properties":{"a":{"type":"string","nullable":true,"minLength":2}}}`, `{"a":null}`, `{"a":"x"}`, "", "minLength at /a"},
		"nullable, type":        {`{"properties":{"a":{"type":"string","nullable":true}}}`, `{"a":"x"}`, `{"a":1}`, "", "type at /a"},
		"nullable enum":         {`{"properties":{"a":{"type":"string","nullable":true,"enum":["x"]}}}`, `{"a":null}`, `{"a":"y"}`, "", "enum at /a"},
		"nullable reference":    {`{"$defs":{"n":{"type":"integer"}},"properties":{"a":{"$ref":"#/$defs/n","nullable":true}}}`, `{"a":null}`, `{"a":"y"}`, "", "anyOf at /a"},
		"not nullable":          {`{"properties":{"a":{"type":"string","nullable":false}}}`, `{"a":"x"}`, `{"a":null}`, "", "type at /a"},
		"nullable and required": {`{"properties":{"a":{"$ref":"#/$defs/n","nullable":true,"required":true}},"$defs":{"n":{"type":"integer"}}}`, `{"a":null}`, `{}`, "", "required at /a"},
		"zod's e-mail":          {`{"properties":{"to":{"type":"string","format":"email","pattern":"^(?!\\.)(?!.*\\.\\.)([A-Za-z0-9_'+\\-\\.]*)[A-Za-z0-9_+-]@([A-Za-z0-9][A-Za-z0-9\\-]*\\.)+[A-Za-z]{2,}$"}}}`, `{"to":"a@b.example"}`, `{"to":"no address"}`, "left out pattern at /to", "format at /to"},
		"pydantic's decimal":    {`{"properties":{"a":{"anyOf":[{"type":"number"},{"type":"string","pattern":"^(?!^[-+.]*$)[+-]?0*\\d*\\.?\\d*$"}]}}}`, `{"a":"1.5"}`, `{"a":true}`, "left out pattern at /a", "anyOf at /a"},
		"draft 3":               {`{"properties":{"a":{"type":"integer","required":true},"b":{"required":false,"type":"any"}}}`, `{"a":1,"b":[]}`, `{"b":1}`, "", "required at /a"},
		"draft 4, undeclared":   {`{"properties":{"a":{"minimum":1,"exclusiveMinimum":true},"b":{"maximum":1,"exclusiveMaximum":false}}}`, `{"a":2,"b":1}`, `{"a":1}`, "", "exclusiveMinimum at /a"},
		"a list of items":       {`{"properties":{"a":{"items":[{"type":"integer"}],"additionalItems":false}}}`, `{"a":[1]}`, `{"a":["x"]}`, "", "type at /a/*"},
		"Python":                {`{"type":"dict","properties":{"a":{"type":"int"},"b":{"type":"str"},"c":{"type":"list"},"d":{"type":"float"},"e":{"type":"bool"}}}`, `{"a":1,"b":"","c":[],"d":1.5,"e":true}`, `{"e":"true"}`, "", "type at /e"},
		"words for types":       {`{"properties":{"a":"integer","b":"str"}}`, `{"a":1}`, `{"a":"x"}`, "", "type at /a"},
		"an unknown type":       {`{"properties":{"a":{"type":"money"},"b":{"type":"integer"}}}`, `{"a":1}`, `{"b":"x"}`, "left out type at /a", "type at /b"},
		"unused keywords":       {`{"properties":{"a":{"type":"integer","enum":null,"description":null,"minimum":null,"items":null}},"required":null}`, `{"a":1}`, `{"a":"x"}`, "", "type at /a"},
		"OpenAPI's components":  {`{"properties":{"a":{"$ref":"#/components/schemas/A"}},"components":{"schemas":{"A":{"type":"INTEGER","nullable":true,"minimum":1}}}}`, `{"a":null}`, `{"a":0}`, "", "minimum at /a"},
		"a lost reference":      {`{"properties":{"a":{"$ref":"#/components/schemas/A"},"b":{"type":"integer"}}}`, `{"a":1}`, `{"b":"x"}`, "left out $ref at /a", "type at /b"},
		"a foreign reference":   {`{"properties":{"a":{"$ref":"https://example.com/a.json"},"b":{"type":"integer"}}}`, `{"a":1}`, `{"b":"x"}`, "left out $ref at /a", "type at /b"},
		"an unknown draft":      {`{"$schema":"http://json-schema.org/schema#","properties":{"b":{"type":"integer"}}}`, `{"b":1}`, `{"b":"x"}`, "", "type at /b"},
		"a draft over TLS":      {`{"$schema":"https://json-schema.org/draft-07/schema#","properties":{"b":{"type":"integer"}}}`, `{"b":1}`, `{"b":"x"}`, "", "type at /b"},
		"an unknown format":     {`{"properties":{"a":{"type":"string","format":"money"}}}`, `{"a":"x"}`, `{"a":1}`, "", "type at /a"},
		"ECMAScript escapes":    {`{"properties":{"a":{"pattern":"^[\\u00e0-\\u00ff]+$"}}}`, `{"a":"é"}`, `{"a":"e"}`, "", "pattern at /a"},
		"names for false":       {`{"properties":{"a":{}},"additionalProperties":"false"}`, `{"a":1}`, `{"b":1}`, "", "additionalProperties at /*"},
		"one required name":     {`{"properties":{"a":{}},"required":"a"}`, `{"a":1}`, `{}`, "", "required at /a"},
		"one $id twice":         {`{"properties":{"a":{"$id":"x","type":"integer"},"b":{"$id":"x","type":"integer"}}}`, `{"a":1}`, `{"a":"x"}`, "", "type at /a"},
		"a schema as text":      {`"{\"properties\":{\"a\":{\"type\":\"integer\"}}}"`, `{"a":1}`, `{"a":"x"}`, "", "type at /a"},
		"sloppy values":         {`{"title":7,"properties":{"a":{"minLength":"x","minimum":[],"readOnly":"no","enum":"a"},"b":{"type":"integer"}}}`, `{"a":1}`, `{"b":"x"}`, "left out enum at /a, minLength at /a, minimum at /a", "type at /b"},

		// What is left out must not make the rest stricter.
		"not":                    {`{"properties":{"a":{"not":{"pattern":` + lookbehind + `}},"b":{"type":"integer"}}}`, `{"a":"ab"}`, `{"b":"x"}`, "left out pattern at /a, not at /a", "type at /b"},
		"if":                     {`{"properties":{"b":{"type":"integer"}},"if":{"properties":{"a":{"pattern":` + lookbehind + `}}},"then":{"required":["c"]}}`, `{"a":"x"}`, `{"b":"x"}`, "left out pattern at /a, if at /", "type at /b"},
		"oneOf":                  {`{"properties":{"a":{"oneOf":[{"type":"string"},{"type":"string","pattern":` + lookbehind + `}]}}}`, `{"a":"x"}`, `{"a":1}`, "left out pattern at /a, oneOf at /a", "anyOf at /a"},
		"oneOf by reference":     {`{"$defs":{"p":{"type":"string","pattern":` + lookbehind + `}},"properties":{"a":{"oneOf":[{"type":"string"},{"$ref":"#/$defs/p"}]}}}`, `{"a":"x"}`, `{"a":1}`, "left out pattern at /$defs/p, oneOf at /a", "anyOf at /a"},
		"a reference's not":      {`{"properties":{"a":{"$ref":"#/components/A"},"b":{"type":"integer"}},"components":{"A":{"not":{"pattern":` + lookbehind + `}}}}`, `{"a":"ab"}`, `{"b":"x"}`, "left out pattern at /components/A, not at /components/A", "type at /b"},
		"maxContains":            {`{"properties":{"a":{"contains":{"pattern":` + lookbehind + `},"maxContains":1,"minContains":0},"b":{"type":"integer"}}}`, `{"a":["x","y"]}`, `{"b":"x"}`, "left out pattern at /a/*, maxContains at /a", "type at /b"},
		"names by pattern":       {`{"patternProperties":{` + lookbehind + `:{}},"properties":{"b":{"type":"integer"}},"additionalProperties":false}`, `{"ab":1}`, `{"b":"x"}`, "left out patternProperties at /", "type at /b"},
		"unevaluated members":    {`{"allOf":[{"$ref":"#/nowhere"}],"properties":{"b":{"type":"integer"}},"unevaluatedProperties":false}`, `{"c":1}`, `{"b":"x"}`, "left out $ref at /, unevaluatedProperties at /", "type at /b"},
		"an exclusive one, kept": {`{"properties":{"a":{"oneOf":[{"type":"INTEGER"},{"type":"NUMBER"}]}}}`, `{"a":1.5}`, `{"a":1}`, "", "oneOf at /a"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			judge := func(arguments string) (eval.Verdict, error) {
				return v.Evaluate(t.Context(), newEvent(t, `"tools":[{"name":"x","parameters":`+tt.schema+`}],"tool_calls":[{"name":"x","arguments":`+arguments+`}]`))
			}
			note := ""
			if tt.note != "" {
				note = "tool x: " + tt.note
			}
			for arguments, w := range map[string]want{
				tt.good: {eval.OutcomePass, "valid", note},
				tt.bad:  {eval.OutcomeFail, "invalid_arguments", "tool x: " + tt.reason},
			} {
				got, err := judge(arguments)
				if err != nil {
					t.Fatal(err)
				}
				checkVerdict(t, got, w)
			}
		})
	}
}

// TestSchemasOfNothing: a schema of which nothing is known does not make a call valid.
func TestSchemasOfNothing(t *testing.T) {
	t.Parallel()
	v := newValidator(t, Config{Type: "tool_calls"}, nil)
	for schema, w := range map[string]want{
		`{"_def":{"typeName":"ZodObject"},"~standard":{}}`: {eval.OutcomePass, "unchecked", "tool x: schema in no known form"},
		`{"id":{"type":"integer"}}`:                        {eval.OutcomePass, "unchecked", "tool x: schema in no known form"},
		`{"$ref":"#/components/schemas/X"}`:                {eval.OutcomePass, "unchecked", "tool x: left out $ref at /"},
		`{}`:                                               {eval.OutcomePass, "valid", ""},
		`{"description":"any"}`:                            {eval.OutcomePass, "valid", ""},
		`7`:                                                {eval.OutcomePass, "unchecked", "tool x: schema in no known form"},
		`"<class 'Lookup'>"`:                               {eval.OutcomePass, "unchecked", "tool x: schema in no known form"},
		`[{"name":"id"}]`:                                  {eval.OutcomePass, "unchecked", "tool x: schema in no known form"},
	} {
		got := evaluate(t, v, newEvent(t, `"tools":[{"name":"x","parameters":`+schema+`}],"tool_calls":[{"name":"x","arguments":{"id":"y"}}]`))
		checkVerdict(t, got, w)
	}
}

// FuzzMend: a mended schema accepts all that the published one accepts, and a note
// stays short.
func FuzzMend(f *testing.F) {
	for _, seed := range []string{
		`{"properties":{"a":{"type":"integer"}},"required":["a"],"additionalProperties":false}`,
		`{"oneOf":[{"pattern":"^a"},{"not":{"format":"regex"}}],"if":{"minLength":2},"then":{"pattern":"b"}}`,
		`{"$schema":"http://json-schema.org/draft-04/schema#","properties":{"a":{"minimum":1,"exclusiveMinimum":true}},"items":[{"type":"string"}]}`,
		`{"$defs":{"a":{"format":"regex"}},"not":{"$ref":"#/$defs/a"},"unevaluatedProperties":false}`,
		`{"dependencies":{"a":["b"],"c":{"type":"object"}},"patternProperties":{"^x":{"type":"string"}},"additionalProperties":false}`,
		`{"contains":{"format":"regex"},"maxContains":1,"prefixItems":[true,{"const":null}],"items":false}`,
		`{"type":["string","null"],"enum":["a",null],"minLength":1.0}`,
		`{"components":{"a":{"not":{"format":"regex"}}},"allOf":[{"$ref":"#/components/a"}],"enum":[{"not":{"$ref":"#/components/a"}}],"$ref":"#/enum/0"}`,
	} {
		for _, arguments := range []string{`{"a":1}`, `"ab"`, `[1,"x"]`, `null`} {
			f.Add(seed, arguments)
		}
	}
	f.Fuzz(func(t *testing.T, document, arguments string) {
		scan, ok := scanWhole(document)
		if !ok || tooManyTools(json.RawMessage(document), scan) || strings.Contains(document, "nullable") || !json.Valid([]byte(arguments)) {
			return
		}
		doc := decode(document)
		if countMembers(doc) != scan.members || patternSize(doc) > 4*maxToolInstructions {
			return
		}
		published, err := compileDocument([]byte(document))
		if err != nil {
			return
		}
		m := mender{root: decode(document)}
		mended, err := compileDocument(m.mend())
		if err != nil {
			return
		}
		if note := m.summary(); len(note) > maxLeftOutBytes+500 {
			t.Errorf("%d bytes: %s", len(note), note)
		}
		found, _ := scanWhole(arguments)
		if reason, err := published.check(t.Context(), arguments, found); reason != "" || err != nil {
			return
		}
		if reason, err := mended.check(t.Context(), arguments, found); reason != "" && err == nil {
			t.Errorf("%s is rejected: %s\n%s", arguments, reason, m.mend())
		}
	})
}

// TestMendedToolsStayBounded: what is translated stands under the same bounds.
func TestMendedToolsStayBounded(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"properties":{"a":`, maxToolDepth) + `{}` + strings.Repeat(`}}`, maxToolDepth)
	for name, schema := range map[string]string{
		"in a string": `"` + strings.ReplaceAll(deep, `"`, `\"`) + `"`,
		"in JSON":     deep,
	} {
		tools := newToolset(event.JSON(json.RawMessage(`[{"name":"x","parameters":` + schema + `}]`)))
		if tools.bad != toolsTooLarge {
			t.Errorf("%s: %q", name, tools.bad)
		}
	}
}
