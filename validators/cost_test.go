package validators

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
)

// listOf returns n items of a JSON list, made by item.
func listOf(n int, item func(i int) string) string {
	items := make([]string, n)
	for i := range items {
		items[i] = item(i)
	}
	return "[" + strings.Join(items, ",") + "]"
}

// same is an item that does not depend on its place.
func same(item string) func(int) string { return func(int) string { return item } }

func numbered(i int) string { return strconv.Itoa(10_000 + i) }

func named(i int) string { return fmt.Sprintf(`"field_%05d"`, i) }

// members returns an object with n members of one value.
func members(n int, value string) string {
	return "{" + strings.Trim(listOf(n, func(i int) string { return named(i) + ":" + value }), "[]") + "}"
}

// TestSmallEventsCostLittle: an event brings both a tool's schema and its
// arguments, and neither is large, but the library's work grows with their product.
func TestSmallEventsCostLittle(t *testing.T) {
	t.Parallel()
	items := func(schema string) string { return `{"properties":{"a":{"type":"array","items":` + schema + `}}}` }
	inPlace := func(schema string) string { return `{"properties":{"a":{"allOf":` + listOf(900, same(schema)) + `}}}` }
	v := newValidator(t, Config{Type: "tool_calls"}, nil)
	for name, tt := range map[string]struct{ schema, a string }{
		"names that are missing":      {items(`{"required":` + listOf(4000, named) + `}`), listOf(4000, same("{}"))},
		"names that depend":           {items(`{"dependentRequired":{"a":` + listOf(4000, named) + `}}`), listOf(4000, same(`{"a":1}`))},
		"numbers of an enum":          {items(`{"enum":` + listOf(4000, numbered) + `}`), listOf(4000, numbered)},
		"lists of an enum":            {items(`{"enum":` + listOf(4000, func(i int) string { return "[0," + numbered(i) + "]" }) + `}`), listOf(4000, same("[0,0]"))},
		"a long constant":             {items(`{"const":"` + strings.Repeat("x", 60<<10) + `"}`), listOf(4000, same(`""`))},
		"branches of a list":          {items(`{"allOf":` + listOf(1900, same(`{"type":"string"}`)) + `}`), listOf(4000, same("1"))},
		"branches that are false":     {items(`{"allOf":` + listOf(1900, same("false")) + `}`), listOf(4000, same("1"))},
		"lists of a branch":           {inPlace(`{"items":{"type":"string"}}`), listOf(4000, same("1"))},
		"members of a branch":         {`{"$defs":{"d":{"properties":` + members(500, `{"type":"string"}`) + `}},"properties":{"a":{"allOf":` + listOf(600, same(`{"$ref":"#/$defs/d"}`)) + `}}}`, members(500, "1")},
		"formats of a long text":      {inPlace(`{"format":"ipv4"}`), `"` + strings.Repeat("x", 100<<10) + `"`},
		"members that are not wanted": {inPlace(`{"additionalProperties":false}`), members(4000, "1")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := v.Evaluate(t.Context(), newEvent(t, `"tools":[{"name":"f","parameters":`+tt.schema+`}],"tool_calls":[{"name":"f","arguments":{"a":`+tt.a+`}}]`))
			if eval.ReasonOf(err) != eval.ReasonTimeout {
				t.Errorf("error %v, want one with reason timeout", err)
			}
		})
	}
}

// TestLongKeys: each failure repeats the path to it.
func TestLongKeys(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", 60<<10)
	output := `"output":{"` + long + `":` + listOf(4000, same("1")) + `}`
	s := newSchemas(t, map[string]string{"s": `{"additionalProperties":{"type":"array","items":{"type":"string"}}}`})
	_, err := newValidator(t, Config{Type: "json_schema", Schema: "s"}, s).Evaluate(t.Context(), newEvent(t, output))
	if eval.ReasonOf(err) != eval.ReasonTooLarge {
		t.Errorf("key of the document: error %v, want one with reason too_large", err)
	}
	tools := newValidator(t, Config{Type: "tool_calls"}, nil)
	_, err = tools.Evaluate(t.Context(), newEvent(t, `"tools":[{"name":"f","parameters":{"$defs":{"`+long+`":{"type":"string"}},"properties":{"a":{"items":{"$ref":"#/$defs/`+long+`"}}}}}],
		"tool_calls":[{"name":"f","arguments":{"a":`+listOf(4000, same("1"))+`}}]`))
	if eval.ReasonOf(err) != eval.ReasonTooLarge {
		t.Errorf("name of a definition: error %v, want one with reason too_large", err)
	}
	got := evaluate(t, tools, newEvent(t, `"tools":[{"name":"f","parameters":{"properties":{"`+long+`":{"required":`+listOf(4000, same("1"))+`}}}}],"tool_calls":[{"name":"f"}]`))
	checkVerdict(t, got, want{eval.OutcomeCannotJudge, "", "tools too large"})
}

// TestLargeAnswersAreDecided: the bounds are far above what models say and what
// applications ask for.
func TestLargeAnswersAreDecided(t *testing.T) {
	t.Parallel()
	order := func(country string) string {
		return `{"id":"ord_0123456789abcdef","country":` + country + `,"status":10005,"customer":{"email":"a@example.com","tags":["new","vip"]},"lines":` +
			listOf(3, same(`{"sku":"AB-12","quantity":2,"price":19.99}`)) + `}`
	}
	node := `{"text":"a","kids":[]}`
	for range 9 {
		node = `{"text":"a","kids":[` + node + `,` + node + `]}`
	}
	events := listOf(10, func(i int) string {
		return `{"type":"object","properties":{"kind":{"const":"k` + strconv.Itoa(i) + `"},"at":{"type":"string","format":"date"},"by":{"type":"string"}},"required":["kind","at"],"additionalProperties":false}`
	})
	for name, tt := range map[string]struct{ schema, good, bad, reason string }{
		"orders with enums of hundreds": {
			`{"type":"array","items":{"type":"object","required":["id","country","status","customer","lines"],"additionalProperties":false,"properties":{
				"id":{"type":"string","pattern":"^ord_"},"country":{"enum":` + listOf(300, named) + `},"status":{"type":"integer"},
				"customer":{"type":"object","required":["email"],"properties":{"email":{"format":"email"},"tags":{"items":{"enum":["new","vip"]}}}},
				"lines":{"items":{"type":"object","required":["sku","quantity","price"],"properties":{"quantity":{"minimum":1}}}}}}}`,
			listOf(1000, same(order(`"field_00299"`))), listOf(1000, same(order(`"nowhere"`))), "enum at /*/country",
		},
		"numbers of an enum": {`{"items":{"enum":` + listOf(300, numbered) + `}}`, listOf(200, numbered), listOf(200, same("1")), "enum at /*"},
		"a union of ten": {
			`{"items":{"oneOf":` + events + `}}`,
			listOf(1000, same(`{"kind":"k9","at":"2026-05-04","by":"a"}`)), listOf(1000, same(`{"kind":"k9","at":"2026-05-04","by":1}`)), "type at /*/by",
		},
		"a tree": {
			`{"$ref":"#/$defs/node","$defs":{"node":{"type":"object","properties":{"text":{"type":"string"},"kids":{"items":{"anyOf":[{"type":"null"},{"$ref":"#/$defs/node"}]}}}}}}`,
			node, strings.ReplaceAll(node, `"a"`, "1"), "type at /text",
		},
		"addresses as keys": {
			`{"additionalProperties":{"additionalProperties":{"type":"integer"}}}`,
			`{"pages":` + addresses(1000, "1") + `}`, `{"pages":` + addresses(1000, `""`) + `}`, "type at /*/*",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := newValidator(t, Config{Type: "json_schema", Schema: "s"}, newSchemas(t, map[string]string{"s": tt.schema}))
			checkVerdict(t, evaluate(t, v, newEvent(t, `"output":`+tt.good)), want{eval.OutcomePass, "valid", ""})
			checkVerdict(t, evaluate(t, v, newEvent(t, `"output":`+tt.bad)), want{eval.OutcomeFail, "invalid_schema", tt.reason})
		})
	}
}

// addresses returns an object of n members whose keys are long.
func addresses(n int, value string) string {
	return "{" + strings.Trim(listOf(n, func(i int) string {
		return `"https://example.com/` + strings.Repeat("a", 150) + strconv.Itoa(i) + `":` + value
	}), "[]") + "}"
}
