package validators

import (
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/evalworker/evalworker/eval"
)

func TestToolCalls(t *testing.T) {
	t.Parallel()
	const schema = `{"type":"object","required":["id"],"properties":{"id":{"type":"integer"},"note":{"type":"string"}},"additionalProperties":false}`
	tools := map[string]string{
		"parameters":   `[{"name":"lookup","parameters":` + schema + `}]`,
		"input_schema": `[{"name":"lookup","input_schema":` + schema + `}]`,
		"inputSchema":  `[{"name":"lookup","inputSchema":` + schema + `}]`,
		"schema":       `[{"name":"lookup","schema":` + schema + `}]`,
		"function":     `[{"type":"function","function":{"name":"lookup","parameters":` + schema + `}}]`,
		"flat":         `[{"type":"function","name":"lookup","parameters":` + schema + `}]`,
		"toolSpec":     `{"tools":[{"toolSpec":{"name":"lookup","inputSchema":{"json":` + schema + `}}}],"toolChoice":{"auto":{}}}`,
		"declarations": `{"functionDeclarations":[{"name":"lookup","parameters":` + schema + `}]}`,
		"declared":     `[{"functionDeclarations":[{"name":"other"},{"name":"lookup","parameters":` + schema + `}]}]`,
		"wrapped list": `{"tools":[{"type":"function","function":{"name":"lookup","parameters":` + schema + `}}]}`,
		"one tool":     `{"name":"lookup","description":"x","parameters":` + schema + `}`,
		"one function": `{"type":"function","function":{"name":"lookup","parameters":` + schema + `}}`,
		"by name":      `{"lookup":` + schema + `}`,
		"tool by name": `{"lookup":{"description":"x","parameters":` + schema + `}}`,
	}
	calls := map[string]struct {
		calls string
		want  want
		score float64
	}{
		"valid":             {`[{"name":"lookup","arguments":{"id":1}}]`, want{eval.OutcomePass, "valid", ""}, 1},
		"valid string":      {`[{"name":"lookup","arguments":"{\"id\":1}","status":"Success"}]`, want{eval.OutcomePass, "valid", ""}, 1},
		"unknown tool":      {`[{"name":"delete","arguments":{"id":1}}]`, want{eval.OutcomeFail, "unknown_tool", "unknown tool"}, 0},
		"no name":           {`[{"arguments":{}}]`, want{eval.OutcomeCannotJudge, "", "a call in no known form"}, 0},
		"wrong type":        {`[{"name":"lookup","arguments":{"id":"1"}}]`, want{eval.OutcomeFail, "invalid_arguments", "tool lookup: type at /id"}, 0},
		"unknown argument":  {`[{"name":"lookup","arguments":{"id":1,"jane":1}}]`, want{eval.OutcomeFail, "invalid_arguments", "tool lookup: additionalProperties at /*"}, 0},
		"no arguments":      {`[{"name":"lookup"}]`, want{eval.OutcomeFail, "invalid_arguments", "tool lookup: required at /id"}, 0},
		"empty arguments":   {`[{"name":"lookup","arguments":""}]`, want{eval.OutcomeFail, "invalid_arguments", "tool lookup: required at /id"}, 0},
		"a list":            {`[{"name":"lookup","arguments":[1]}]`, want{eval.OutcomeFail, "invalid_arguments", "tool lookup: arguments are no object"}, 0},
		"no JSON":           {`[{"name":"lookup","arguments":"id=1"}]`, want{eval.OutcomeFail, "invalid_json", "tool lookup: arguments are no JSON"}, 0},
		"cut":               {`[{"name":"lookup","arguments":"{\"id\":"}]`, want{eval.OutcomeFail, "truncated", "tool lookup: arguments end too early"}, 0},
		"failed":            {`[{"name":"lookup","arguments":{"id":1},"status":"error"}]`, want{eval.OutcomeFail, "failed_tool", "tool lookup failed"}, 0},
		"second of four":    {`[{"name":"lookup","arguments":{"id":1}},{"name":"lookup","arguments":{"id":1},"status":"timeout"},{"name":"lookup","arguments":{"id":2}},{"name":"lookup","arguments":{"id":3}}]`, want{eval.OutcomeFail, "failed_tool", "tool lookup failed"}, 0.75},
		"arguments, failed": {`[{"name":"lookup","arguments":{"id":"x"},"status":"error"}]`, want{eval.OutcomeFail, "invalid_arguments", "tool lookup: type at /id"}, 0},
		"none":              {`[]`, want{eval.OutcomeNotApplicable, "", "missing tool_calls"}, 0},
	}
	v := newValidator(t, Config{Type: "tool_calls"}, nil)
	for form, offered := range tools {
		for name, tt := range calls {
			t.Run(form+"/"+name, func(t *testing.T) {
				t.Parallel()
				got := evaluate(t, v, newEvent(t, `"tools":`+offered+`,"tool_calls":`+tt.calls))
				checkVerdict(t, got, tt.want)
				if got.Score != tt.score {
					t.Errorf("score %v, want %v", got.Score, tt.score)
				}
			})
		}
	}
}

func TestToolsOfOtherShapes(t *testing.T) {
	t.Parallel()
	const call = `,"tool_calls":[{"name":"x","arguments":{"a":1}}]`
	valid := func(reason string) want { return want{eval.OutcomePass, "valid", reason} }
	unchecked := func(reason string) want { return want{eval.OutcomePass, "unchecked", reason} }
	undecided := func(reason string) want { return want{eval.OutcomeCannotJudge, "", reason} }
	v := newValidator(t, Config{Type: "tool_calls"}, nil)
	for name, tt := range map[string]struct {
		fields string
		want   want
	}{
		"no tools":                  {`"tool_calls":[{"name":"x","arguments":{"a":1}}]`, want{eval.OutcomePass, "unchecked", ""}},
		"no tools, failed":          {`"tool_calls":[{"name":"x","status":"error"}]`, want{eval.OutcomeFail, "failed_tool", "tool * failed"}},
		"no tools, no JSON":         {`"tool_calls":[{"name":"x","arguments":"a"}]`, want{eval.OutcomeFail, "invalid_json", "tool *: arguments are no JSON"}},
		"nothing offered":           {`"tools":[]` + call, want{eval.OutcomeFail, "unknown_tool", "unknown tool"}},
		"names":                     {`"tools":["x","y"]` + call, want{eval.OutcomePass, "valid", ""}},
		"no schema":                 {`"tools":[{"name":"x"}]` + call, want{eval.OutcomePass, "valid", ""}},
		"the first of a name":       {`"tools":[{"name":"x"},{"name":"x","parameters":false}]` + call, want{eval.OutcomePass, "valid", ""}},
		"free text":                 {`"tools":[{"type":"custom","custom":{"name":"x"}}],"tool_calls":[{"name":"x","arguments":"SELECT 1"}]`, want{eval.OutcomePass, "valid", ""}},
		"provider's own":            {`"tools":[{"type":"web_search"}],"tool_calls":[{"name":"web_search"}]`, want{eval.OutcomePass, "valid", ""}},
		"older draft":               {`"tools":[{"name":"x","parameters":{"$schema":"http://json-schema.org/draft-04/schema#","properties":{"a":{"maximum":1,"exclusiveMaximum":true}}}}]` + call, want{eval.OutcomeFail, "invalid_arguments", "tool x: exclusiveMaximum at /a"}},
		"no compiling schema":       {`"tools":[{"name":"x","parameters":{"type":"objekt"}}]` + call, unchecked("tool x: left out type at /")},
		"reference to the network":  {`"tools":[{"name":"x","parameters":{"$ref":"http://example.com/s"}}]` + call, unchecked("tool x: left out $ref at /")},
		"reference to a file":       {`"tools":[{"name":"x","parameters":{"$ref":"file:///etc/passwd"}}]` + call, unchecked("tool x: left out $ref at /")},
		"no such schema, failed":    {`"tools":[{"name":"x","parameters":{"type":"objekt"}}],"tool_calls":[{"name":"x","status":"error"}]`, want{eval.OutcomeFail, "failed_tool", "tool x failed"}},
		"text for tools":            {`"tools":"x"` + call, undecided("tools unreadable")},
		"text for tools, cut":       {`"tools":"x","tool_calls":[{"name":"x","arguments":"{"}]`, want{eval.OutcomeFail, "truncated", "tool *: arguments end too early"}},
		"text for tools, failed":    {`"tools":"x","tool_calls":[{"name":"x","status":"error"}]`, want{eval.OutcomeFail, "failed_tool", "tool * failed"}},
		"number for a tool":         {`"tools":[1]` + call, undecided("tools unreadable")},
		"text for a schema":         {`"tools":{"x":"looks up"}` + call, undecided("tools unreadable")},
		"a schema for tools":        {`"tools":{"type":"object","properties":{}}` + call, undecided("tools unreadable")},
		"too many declared":         {`"tools":{"functionDeclarations":` + listOf(maxTools+1, func(i int) string { return `{"name":"x` + strconv.Itoa(i) + `"}` }) + `}` + call, undecided("tools too large")},
		"declaration with no name":  {`"tools":{"functionDeclarations":[{"name":"x"},{}]}` + call, valid("")},
		"schemas that are booleans": {`"tools":{"x":true,"tools":{"type":"object"},"name":null}` + call, want{eval.OutcomePass, "valid", ""}},
		"tool without a name":       {`"tools":[{}]` + call, undecided("tools unreadable")},
		"too many":                  {`"tools":[` + strings.Repeat(`"x",`, maxTools) + `"x"]` + call, undecided("tools too large")},
		"too many values":           {`"tools":[{"name":"x","parameters":{"type":[` + strings.Repeat("1,", maxValues) + `1]}}]` + call, undecided("tools too large")},
		"too deep":                  {`"tools":[{"name":"x","parameters":` + strings.Repeat(`{"not":`, 60) + `{}` + strings.Repeat(`}`, 60) + `}]` + call, undecided("tools too large")},
		"a pattern like a bomb":     {`"tools":[{"name":"x","parameters":{"properties":{"a":{"pattern":"(x{1000}){3}"}}}}]` + call, valid("tool x: left out pattern at /a")},
		"many patterns":             {`"tools":[{"name":"x","parameters":{"patternProperties":{"a{900}":{},"b{900}":{},"c{900}":{}}}}]` + call, valid("tool x: left out patternProperties at /")},
		"a long pattern":            {`"tools":[{"name":"x","parameters":{"properties":{"a":{"pattern":"` + strings.Repeat("a", maxToolPattern+1) + `"}}}}]` + call, valid("tool x: left out pattern at /a")},
		"expressions as arguments":  {`"tools":[{"name":"x","parameters":{"properties":{"a":{"format":"regex"}}}}]` + call, valid("tool x: left out format at /a")},
		"a pattern and a long text": {
			`"tools":[{"name":"x","parameters":{"properties":{"a":{"pattern":"^x"}}}}],"tool_calls":[{"name":"x","arguments":{"a":"` + strings.Repeat("x", maxToolText) + `"}}]`,
			undecided("tool x: arguments too large"),
		},
		"a pattern":              {`"tools":[{"name":"x","parameters":{"properties":{"a":{"pattern":"^[0-9]+$"}}}}],"tool_calls":[{"name":"x","arguments":{"a":"12"}}]`, want{eval.OutcomePass, "valid", ""}},
		"a pattern that refuses": {`"tools":[{"name":"x","parameters":{"properties":{"a":{"pattern":"^[0-9]+$"}}}}],"tool_calls":[{"name":"x","arguments":{"a":"no"}}]`, want{eval.OutcomeFail, "invalid_arguments", "tool x: pattern at /a"}},
		"odd name":               {`"tools":["jane doe"],"tool_calls":[{"name":"jane doe","status":"error"}]`, want{eval.OutcomeFail, "failed_tool", "tool * failed"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkVerdict(t, evaluate(t, v, newEvent(t, tt.fields)), tt.want)
		})
	}
}

func TestLRU(t *testing.T) {
	t.Parallel()
	built := 0
	l := newLRU[string, int](2)
	of := func(key string) int { return l.get(key, func() int { built++; return built }) }
	of("a")
	of("b")
	if of("a") != 1 || built != 2 {
		t.Errorf("a was built again: %d", built)
	}
	of("c") // drops b, the least recently used
	if of("a") != 1 || of("b") != 4 {
		t.Errorf("kept the wrong ones; built %d", built)
	}
	if n := len(l.entries); n != 2 {
		t.Errorf("%d entries, want 2", n)
	}
}

func TestLRUShared(t *testing.T) {
	t.Parallel()
	l := newLRU[int, int](3)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 100 {
				if got := l.get(i%5, func() int { return i % 5 }); got != i%5 {
					t.Errorf("got %d, want %d", got, i%5)
				}
			}
		})
	}
	wg.Wait()
}

// TestPatternsAreCharged: a sender cannot make a worker run one pattern on one
// text again and again.
func TestPatternsAreCharged(t *testing.T) {
	t.Parallel()
	// Each of 20 references applies the same 500 instructions to the same text.
	all := strings.Repeat(`{"$ref":"#/$defs/p"},`, 19) + `{"$ref":"#/$defs/p"}`
	tools := `"tools":[{"name":"x","parameters":{"$defs":{"p":{"pattern":"(a|b|c){100}z"}},"properties":{"a":{"allOf":[` + all + `]}}}}]`
	v := newValidator(t, Config{Type: "tool_calls"}, nil)
	e := newEvent(t, tools+`,"tool_calls":[{"name":"x","arguments":{"a":"`+strings.Repeat("abc", 1500)+`"}}]`)
	if _, err := v.Evaluate(t.Context(), e); eval.ReasonOf(err) != eval.ReasonTimeout {
		t.Errorf("error %v, want that it takes too many steps", err)
	}
	e = newEvent(t, tools+`,"tool_calls":[{"name":"x","arguments":{"a":"`+strings.Repeat("abc", 34)+`z"}}]`)
	checkVerdict(t, evaluate(t, v, e), want{eval.OutcomePass, "valid", ""})
}
