package validators_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/validators"
)

func ExampleNew() {
	schemas, faults := validators.NewSchemas(map[string][]byte{
		"support_reply.json": []byte(`{"type": "object", "required": ["reply", "priority"], "properties": {"priority": {"enum": ["low", "high"]}}}`),
	})
	if len(faults) > 0 {
		fmt.Println(faults)
		return
	}
	v, err := validators.New(validators.Config{Name: "reply_format", Type: "json_schema", Schema: "support_reply"}, schemas)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, output := range []string{
		`{"reply": "It ships today.", "priority": "low"}`,
		`{"reply": "It ships today.", "priority": "urgent"}`,
		"Sure:\n```json\n{\"reply\": \"It ships today.\", \"priority\": \"low\"}\n```",
		`{"reply": "It ships tod`,
	} {
		verdict, err := v.Evaluate(context.Background(), &event.Event{Output: event.Text(output)})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s: %s %q\n", verdict.Outcome, verdict.Label, verdict.Reason)
	}
	// Output:
	// pass: valid ""
	// fail: invalid_schema "enum at /priority"
	// fail: wrapped "wrapped in a code fence"
	// fail: truncated "ends too early"
}

func ExampleNew_toolCalls() {
	v, err := validators.New(validators.Config{Name: "tools", Type: "tool_calls"}, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	verdict, err := v.Evaluate(context.Background(), &event.Event{
		Tools:     event.JSON(json.RawMessage(`[{"name": "refund", "parameters": {"required": ["order"], "properties": {"order": {"type": "integer"}}}}]`)),
		ToolCalls: []event.ToolCall{{Name: "refund", Arguments: event.Text(`{"order": "seventeen"}`)}},
	})
	fmt.Println(verdict.Outcome, verdict.Label, verdict.Reason, err)
	// Output:
	// fail invalid_arguments tool refund: type at /order <nil>
}

func ExampleConfig_Validate() {
	for _, fault := range (validators.Config{Type: "lenght", MaxWords: new(5)}).Validate() {
		fmt.Println(fault)
	}
	for _, fault := range (validators.Config{Type: "regex", Pattern: "[", MaxWords: new(5)}).Validate() {
		fmt.Println(fault)
	}
	// Output:
	// type: unknown type "lenght"; did you mean "length"?
	// max_words: no option of regex; it takes pattern, negate
	// pattern: missing closing ]: `[`; want RE2 syntax, https://github.com/google/re2/wiki/Syntax
}

func ExampleKinds() {
	for _, k := range validators.Kinds()[:3] {
		fmt.Println(k.Name, k.Type, k.Options)
	}
	// Output:
	// json_schema json_schema [schema]
	// tool_calls rule []
	// contains rule [any all none case_sensitive]
}

func ExampleLoadSchemas() {
	_, faults := validators.LoadSchemas("no-such-folder")
	fmt.Println(faults)
	// Output:
	// no-such-folder: schema folder: no such file or directory; want a folder of NAME.json files
}
