package validators

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

func TestJSONSchema(t *testing.T) {
	t.Parallel()
	schemas := newSchemas(t, map[string]string{"reply": replySchema})
	const good = `{"reply":"yes","priority":"low"}`
	quoted := func(text string) string {
		b, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		return `"output":` + string(b)
	}
	valid := want{eval.OutcomePass, "valid", ""}
	invalid := func(reason string) want { return want{eval.OutcomeFail, "invalid_schema", reason} }
	noJSON := func(reason string) want { return want{eval.OutcomeFail, "invalid_json", reason} }
	wrapped := func(reason string) want { return want{eval.OutcomeFail, "wrapped", reason} }
	truncated := want{eval.OutcomeFail, "truncated", "ends too early"}
	for name, tt := range map[string]struct {
		fields string
		want   want
	}{
		"value":                      {`"output":` + good, valid},
		"string":                     {quoted(good), valid},
		"string with space":          {quoted("\n " + good + "\t\n"), valid},
		"assistant message":          {`"output":{"role":"assistant","content":` + strings.TrimPrefix(quoted(good), `"output":`) + `}`, valid},
		"assistant message, parts":   {`"output":{"role":"assistant","content":[{"type":"text","text":` + strings.TrimPrefix(quoted(good), `"output":`) + `}]}`, valid},
		"assistant message, value":   {`"output":{"role":"assistant","content":` + good + `}`, valid},
		"chat":                       {`"output":[{"role":"user","content":"?"},{"role":"assistant","content":` + strings.TrimPrefix(quoted(good), `"output":`) + `}]`, valid},
		"message that calls tools":   {`"output":{"role":"assistant","content":"","tool_calls":[{"id":"1"}]}`, want{eval.OutcomeNotApplicable, "", "missing output.content"}},
		"event that calls tools":     {`"output":"","tool_calls":[{"name":"f"}]`, want{eval.OutcomeNotApplicable, "", "missing output"}},
		"empty message":              {`"output":{"role":"assistant","content":null,"tool_calls":null}`, noJSON("empty output")},
		"list with roles":            {`"output":[{"role":"CEO","name":"Ada"}]`, invalid("type at /")},
		"object with a role":         {`"output":{"role":"admin","content":"x"}`, invalid("additionalProperties at /*")},
		"no output":                  {`"output":null`, want{eval.OutcomeNotApplicable, "", "missing output"}},
		"empty":                      {`"output":""`, noJSON("empty output")},
		"blank":                      {`"output":" \n"`, noJSON("empty output")},
		"wrong type":                 {`"output":{"reply":1,"priority":"low"}`, invalid("type at /reply")},
		"missing":                    {`"output":{"reply":"x"}`, invalid("required at /priority")},
		"enum":                       {`"output":{"reply":"x","priority":"urgent"}`, invalid("enum at /priority")},
		"unknown key":                {`"output":{"reply":"x","priority":"low","customer 17":1}`, invalid("additionalProperties at /*")},
		"index":                      {`"output":{"reply":"x","priority":"low","tags":["a",2]}`, invalid("type at /tags/*")},
		"format":                     {`"output":{"reply":"x","priority":"low","due":"tomorrow"}`, invalid("format at /due")},
		"nested format":              {`"output":{"reply":"x","priority":"low","contact":{"email":"x"}}`, invalid("format at /contact/email")},
		"several: nearest the root":  {`"output":{"reply":"","priority":"low","contact":{"email":1},"order":1.5}`, invalid("type at /order")},
		"big integer":                {`"output":{"reply":"x","priority":"low","order":12345678901234567890123}`, valid},
		"integer as 1.0":             {`"output":{"reply":"x","priority":"low","order":1.0}`, valid},
		"absurd exponent":            {`"output":{"reply":"x","priority":"low","order":1e999999999}`, invalid("number out of range")},
		"duplicate key":              {quoted(`{"reply":"x","priority":"low","priority":"high"}`), invalid("duplicate key")},
		"a list":                     {`"output":[]`, invalid("type at /")},
		"scalar text":                {quoted(`42`), invalid("type at /")},
		"JSON in a JSON string":      {quoted(`"{\"reply\":\"x\"}"`), invalid("required at /priority")},
		"fence":                      {quoted("```json\n" + good + "\n```"), wrapped("wrapped in a code fence")},
		"fence without a language":   {quoted("```\n" + good + "\n```\nHope this helps!"), wrapped("wrapped in a code fence")},
		"fence after prose":          {quoted("For {name}:\n\n~~~json\n" + good + "\n~~~"), wrapped("wrapped in a code fence")},
		"prose before":               {quoted("Here is the JSON: " + good), wrapped("wrapped in prose")},
		"prose after":                {quoted(good + "\nAnything else?"), wrapped("wrapped in prose")},
		"two values":                 {quoted(good + good), wrapped("wrapped in prose")},
		"citation, then JSON":        {quoted("As [1] and [2] say: " + good), wrapped("wrapped in prose")},
		"note, then JSON":            {quoted("[Note] " + good), wrapped("wrapped in prose")},
		"first that fits":            {quoted(`{"thought":"x"} ` + good), wrapped("wrapped in prose")},
		"wrapped and wrong":          {quoted("```json\n{\"reply\":1,\"priority\":\"low\"}\n```"), wrapped("wrapped in a code fence; type at /reply")},
		"prose":                      {quoted("I do not know."), noJSON("no JSON")},
		"prose with a citation":      {quoted("It is due in May [1]."), noJSON("no JSON")},
		"prose with a placeholder":   {quoted("Dear {name}, hello"), noJSON("no JSON")},
		"cut in a string":            {quoted(`{"reply":"ye`), truncated},
		"cut after a comma":          {quoted(`{"reply":"yes",`), truncated},
		"cut in a fence":             {quoted("```json\n{\"reply\":\"ye"), truncated},
		"cut in prose":               {quoted(`Sure: {"reply":"ye`), truncated},
		"cut, with a whole part":     {quoted(`{"contact":{"email":"a@example.com"},"reply":`), truncated},
		"only a bracket":             {quoted(`{`), truncated},
		"trailing comma":             {quoted(`{"reply":"x","priority":"low",}`), noJSON("trailing comma")},
		"trailing comma, whole part": {quoted(`{"contact":{"email":"a@example.com"},}`), noJSON("trailing comma")},
		"comment":                    {quoted("{\"reply\":\"x\" // why\n}"), noJSON("comment")},
		"single quotes":              {quoted(`{'reply':'x'}`), noJSON(`quotes other than "`)},
		"NaN":                        {quoted(`{"reply":"x","order":NaN}`), noJSON("bare word")},
		"raw newline in a string":    {quoted("{\"reply\":\"a\nb\"}"), noJSON("control character in a string")},
		"bad in a fence, good after": {quoted("```json\n{'a':1}\n```\nI mean\n```json\n" + good + "\n```"), wrapped("wrapped in a code fence")},
		"deeper than any answer":     {quoted(strings.Repeat("[", 300) + strings.Repeat("]", 300)), invalid("nested too deep")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := evaluate(t, newValidator(t, Config{Type: "json_schema", Schema: "reply"}, schemas), newEvent(t, tt.fields))
			checkVerdict(t, got, tt.want)
			if !got.Outcome.Decided() {
				return
			}
			isJSON, isWrapped := 0.0, 0.0
			switch got.Label {
			case "valid", "invalid_schema":
				isJSON = 1
			case "wrapped":
				isWrapped = 1
			}
			if got.Measures[eval.MeasureJSONValid] != isJSON || got.Measures[eval.MeasureJSONWrapped] != isWrapped {
				t.Errorf("measures %v", got.Measures)
			}
		})
	}
}

func TestJSONSchemaOfEvent(t *testing.T) {
	t.Parallel()
	v := newValidator(t, Config{Name: "format", Type: "json_schema"}, newSchemas(t, map[string]string{"reply": replySchema, "any": "true"}))
	for name, tt := range map[string]struct {
		schema string
		want   want
	}{
		"named":   {"reply", want{eval.OutcomeFail, "invalid_schema", "required at /reply"}},
		"other":   {"any", want{eval.OutcomePass, "valid", ""}},
		"unknown": {"nope", want{eval.OutcomeNotApplicable, "unknown_schema", "unknown schema"}},
		"none":    {"", want{eval.OutcomeNotApplicable, "", "missing output_schema"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := newEvent(t, `"output":{}`)
			e.OutputSchema = tt.schema
			got := evaluate(t, v, e)
			checkVerdict(t, got, tt.want)
			if got.Eval != "format" || got.Type != eval.TypeJSONSchema || got.Version != v.Version() {
				t.Errorf("verdict of %s %s %s", got.Eval, got.Type, got.Version)
			}
		})
	}
}

// TestReasons checks the reasons for schemas of other shapes.
func TestReasons(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ schema, output, want string }{
		"branch that nearly fits": {
			`{"oneOf":[{"properties":{"kind":{"const":"refund"},"amount":{"type":"number"}},"required":["kind","amount"]},
			  {"properties":{"kind":{"const":"cancel"},"why":{"type":"string"}},"required":["kind","why"]}]}`,
			`{"kind":"refund","amount":"ten"}`, "type at /amount",
		},
		"no branch is near":             {`{"anyOf":[{"type":"string"},{"type":"number"}]}`, `{}`, "anyOf at /"},
		"deeper branch":                 {`{"anyOf":[{"type":"string"},{"type":"object","properties":{"a":{"type":"string"}}}]}`, `{"a":1}`, "type at /a"},
		"two branches fit":              {`{"oneOf":[{"type":"object"},true]}`, `{}`, "oneOf at /"},
		"not":                           {`{"properties":{"a":{"not":{"type":"string"}}}}`, `{"a":"x"}`, "not at /a"},
		"never":                         {`false`, `{}`, "not allowed at /"},
		"a property never":              {`{"properties":{"a":false}}`, `{"a":1}`, "not allowed at /a"},
		"property named like a keyword": {`{"properties":{"anyOf":{"type":"object","required":["x"],"minProperties":1}}}`, `{"anyOf":{}}`, "minProperties at /anyOf"},
		"key of the document":           {`{"additionalProperties":{"type":"integer"}}`, `{"jane@example.com":"x"}`, "type at /*"},
		"key of another object":         {`{"properties":{"a":{"type":"object"}},"patternProperties":{"^x":{"type":"integer"}}}`, `{"xjane":"x"}`, "type at /*"},
		"odd name in the schema":        {`{"properties":{"a b/~":{"type":"integer"}}}`, `{"a b/~":"x"}`, "type at /*"},
		"name with escapes":             {`{"properties":{"$a.b":{"type":"integer"}}}`, `{"$a.b":"x"}`, "type at /$a.b"},
		"by reference":                  {`{"$defs":{"n":{"type":"integer"}},"properties":{"a":{"$ref":"#/$defs/n"}}}`, `{"a":"x"}`, "type at /a"},
		"dependent":                     {`{"dependentRequired":{"a":["b"]}}`, `{"a":1}`, "dependentRequired at /"},
		"property names":                {`{"propertyNames":{"maxLength":3}}`, `{"secret":1}`, "maxLength at /*"},
		"contains":                      {`{"contains":{"const":1}}`, `[2,3]`, "const at /*"},
		"deep path is cut": {
			`{"$defs":{"n":{"type":"object","properties":{"n":{"$ref":"#/$defs/n"}}}},"$ref":"#/$defs/n"}`,
			strings.Repeat(`{"n":`, 12) + "1" + strings.Repeat("}", 12), "type at /n/n/n/n/n/n/n/n/...",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newValidator(t, Config{Type: "json_schema", Schema: "s"}, newSchemas(t, map[string]string{"s": tt.schema}))
			e := newEvent(t, `"output":`+tt.output)
			for range 8 { // the library walks maps: the answer must not depend on it
				checkVerdict(t, evaluate(t, v, e), want{eval.OutcomeFail, "invalid_schema", tt.want})
			}
		})
	}
}

// TestValidationIsBounded: a schema may ask for work that is exponential in its
// size, and so may a value in its depth.
func TestValidationIsBounded(t *testing.T) {
	t.Parallel()
	var chain strings.Builder
	chain.WriteString(`{"$schema":"http://json-schema.org/draft-07/schema#","definitions":{"d0":{"type":"object"}`)
	for i := 1; i <= 60; i++ {
		ref := `{"$ref":"#/definitions/d` + strconv.Itoa(i-1) + `"}`
		chain.WriteString(`,"d` + strconv.Itoa(i) + `":{"allOf":[` + ref + `,` + ref + `]}`)
	}
	chain.WriteString(`},"allOf":[{"$ref":"#/definitions/d60"}]}`)
	deep := strings.Repeat(`{"ab":`, 60) + "1" + strings.Repeat("}", 60)
	for name, tt := range map[string]struct{ schema, output string }{
		"schemas that double":  {chain.String(), `{}`},
		"patterns that double": {`{"patternProperties":{"a":{"$ref":"#"},"b":{"$ref":"#"}}}`, deep},
		"branches that double": {`{"anyOf":[{"properties":{"ab":{"$ref":"#"}},"required":["x"]},{"properties":{"ab":{"$ref":"#"}}}]}`, deep},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newValidator(t, Config{Type: "json_schema", Schema: "s"}, newSchemas(t, map[string]string{"s": tt.schema}))
			_, err := v.Evaluate(t.Context(), newEvent(t, `"output":`+tt.output))
			if eval.ReasonOf(err) != eval.ReasonTimeout {
				t.Errorf("error %v, want one with reason timeout", err)
			}
			// The schema serves the next event.
			checkVerdict(t, evaluate(t, newValidator(t, Config{Type: "json_schema", Schema: "s"}, newSchemas(t, map[string]string{"s": `{"$ref":"#/$defs/a","$defs":{"a":true}}`})), newEvent(t, `"output":{}`)),
				want{eval.OutcomePass, "valid", ""})
		})
	}
}

func TestTooManyValues(t *testing.T) {
	t.Parallel()
	v := newValidator(t, Config{Type: "json_schema", Schema: "s"}, newSchemas(t, map[string]string{"s": `{"items":{"type":"string"}}`}))
	_, err := v.Evaluate(t.Context(), newEvent(t, `"output":[`+strings.Repeat("1,", maxValues)+`1]`))
	if eval.ReasonOf(err) != eval.ReasonTooLarge {
		t.Errorf("error %v, want one with reason too_large", err)
	}
}

// FuzzJSONSchema: any output gets a verdict, and the reason repeats nothing of it.
func FuzzJSONSchema(f *testing.F) {
	const canary = "zqcanaryzq"
	for _, seed := range []string{
		`{"reply":1,"` + canary + `":2}`, `{"contact":{"email":"` + canary + `"}}`, "```json\n{\"" + canary + "\":1}\n```", `{"` + canary, `[{"` + canary + `":[]}]`,
		`{"tags":["` + canary + `",1]}`, `{"tree":{"kids":[{"kids":[{"` + canary + `":0}]}]}}`, `{"reply":"x","priority":"low","order":1e99999}`, `"` + canary + `"`,
	} {
		f.Add(seed)
	}
	schemas := newSchemas(f, map[string]string{
		"reply": replySchema,
		"tree":  `{"$defs":{"node":{"type":"object","properties":{"kids":{"type":"array","items":{"$ref":"#/$defs/node"}}},"additionalProperties":{"enum":["a"]}}},"anyOf":[{"$ref":"#/$defs/node"},{"type":"string","maxLength":3}]}`,
	})
	a := newValidator(f, Config{Type: "json_schema", Schema: "reply"}, schemas)
	b := newValidator(f, Config{Type: "json_schema", Schema: "tree"}, schemas)
	f.Fuzz(func(t *testing.T, text string) {
		for _, v := range []eval.Evaluator{a, b} {
			for _, out := range []event.Content{event.Text(text), event.JSON(json.RawMessage(text))} {
				got := evaluate(t, v, &event.Event{Output: out})
				if strings.Contains(got.Reason, canary) || len(got.Reason) > 300 {
					t.Fatalf("reason %q", got.Reason)
				}
				if got.Outcome == eval.OutcomeError || got.Outcome == eval.OutcomeFail && got.Reason == "" {
					t.Fatalf("outcome %s, reason %q", got.Outcome, got.Reason)
				}
			}
		}
	})
}

// TestSchemaNamed: the verdict says which schema the output was checked with,
// whatever the event names.
func TestSchemaNamed(t *testing.T) {
	t.Parallel()
	schemas := newSchemas(t, map[string]string{"reply.json": `{"type": "object"}`, "parts/a.json": `{"type": "object"}`})
	for name, tt := range map[string]struct {
		configured, named, want string
	}{
		"configured":                   {"reply", "", "reply"},
		"configured, another is named": {"reply", "parts/a", "reply"},
		"named":                        {"", "parts/a", "parts/a"},
		"unknown":                      {"", "nowhere", ""},
	} {
		v := newValidator(t, Config{Type: "json_schema", Schema: tt.configured}, schemas)
		for _, output := range []string{`{}`, `[]`, `{} it is`, `words`} {
			e := saying(output)
			e.OutputSchema = tt.named
			if got := evaluate(t, v, e).Schema; got != tt.want {
				t.Errorf("%s: schema of %q = %q, want %q", name, output, got, tt.want)
			}
		}
	}
}
