package event_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/testdiff"
)

// TestSloppyValues reads values as other people's software writes them. want is the
// event as it is published in the proper form; ignored are the fields that are left
// out of it.
func TestSloppyValues(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ fields, want, ignored string }{
		// Integers.
		{`"output_tokens":312.0`, `"output_tokens":312`, ""},
		{`"output_tokens":3.12e2`, `"output_tokens":312`, ""},
		{`"output_tokens":31200E-2`, `"output_tokens":312`, ""},
		{`"output_tokens":" 312 "`, `"output_tokens":312`, ""},
		{`"output_tokens":"312.00"`, `"output_tokens":312`, ""},
		{`"output_tokens":-0.0`, `"output_tokens":0`, ""},
		{`"output_tokens":9223372036854775807`, `"output_tokens":9223372036854775807`, ""},
		{`"output_tokens":""`, ``, ""},
		{`"output_tokens":312.5`, ``, "output_tokens"},
		{`"output_tokens":3125e-1`, ``, "output_tokens"},
		{`"output_tokens":1e19`, ``, "output_tokens"},
		{`"output_tokens":1e999999999999999999999`, ``, "output_tokens"},
		{`"output_tokens":"many"`, ``, "output_tokens"},
		{`"output_tokens":"1,024"`, ``, "output_tokens"},
		{`"output_tokens":"0x10"`, ``, "output_tokens"},
		{`"output_tokens":true`, ``, "output_tokens"},
		{`"output_tokens":{"total":3}`, ``, "output_tokens"},
		{`"completion_tokens":"7"`, `"output_tokens":7`, ""},
		{`"completion_tokens":7,"output_tokens":"?"`, `"output_tokens":7`, "output_tokens"},
		{`"retrieval":{"hit_count":3.0}`, `"retrieval":{"hit_count":3}`, ""},

		// Numbers.
		{`"estimated_cost_usd":"0.25","latency_ms":"1e3"`, `"estimated_cost_usd":0.25,"llm_latency_ms":1000`, ""},
		{`"estimated_cost_usd":NaN`, ``, "estimated_cost_usd"},
		{`"estimated_cost_usd":"NaN"`, ``, "estimated_cost_usd"},
		{`"estimated_cost_usd":-Infinity,"llm_latency_ms":Infinity`, ``, "estimated_cost_usd llm_latency_ms"},
		{`"latency_ms":"1430ms"`, `"llm_latency_ms":1430`, ""},
		{`"latency_ms":"1.43 s"`, `"llm_latency_ms":1430`, ""},
		{`"latency_ms":"-1s"`, ``, "llm_latency_ms"},
		{`"latency_ms":"fast"`, ``, "llm_latency_ms"},
		{`"latency_ms":1e999`, ``, "llm_latency_ms"},
		{`"retrieval":{"top_score":[1],"chunks":[{"text":"a","score":NaN},{"text":"b","score":"0.5"}]}`, `"retrieval":{"chunks":[{"text":"a"},{"text":"b","score":0.5}]}`, "retrieval.top_score retrieval.chunks.score"},

		// Booleans.
		{`"streaming":"true","cache_hit":"False"`, `"streaming":true,"cache_hit":false`, ""},
		{`"streaming":1,"cache_hit":0.0,"task_completed":"1"`, `"streaming":true,"cache_hit":false,"task_completed":true`, ""},
		{`"streaming":"yes","cache_hit":2,"task_completed":[]`, ``, "cache_hit streaming task_completed"},

		// Text.
		{`"prompt_version":3,"model":4.1`, `"prompt_version":"3","model":"4.1"`, ""},
		{`"prompt_version":3.0`, `"prompt_version":"3.0"`, ""},
		{`"feature":true,"output_schema":{"type":"object"},"comment":["a"]`, ``, "feature output_schema comment"},
		{`"user_id_hash":NaN`, ``, "user_id_hash"},

		// Ids.
		{`"trace_id":123456789012345678,"span_id":"7"`, `"trace_id":"123456789012345678","span_id":"7"`, ""},
		{`"trace_id":17.0,"span_id":1.7e19`, `"trace_id":"17"`, "span_id"},
		{`"llmobs":{"trace_id":true}`, `"llmobs":{}`, "llmobs.trace_id"},
		{`"llmobs":{"source":" OTel "}`, `"llmobs":{"source":"otel"}`, ""},
		{`"llmobs":{"trace_id":"7","source":"zipkin"}`, `"llmobs":{"trace_id":"7"}`, "llmobs.source"},
		{`"llmobs":7,"trace_context":["a"]`, ``, "trace_context llmobs"},

		// Status, ratings, times.
		{`"status":200`, `"status":"success"`, ""},
		{`"status":204.0`, `"status":"success"`, ""},
		{`"status":429`, `"status":"error"`, ""},
		{`"status":503`, `"status":"error"`, ""},
		{`"status":"200"`, `"status":"success"`, ""},
		{`"status":"302"`, `"status":"302"`, ""},
		{`"user_rating":"True"`, `"user_rating":"up"`, ""},
		{`"status":302`, ``, "status"},
		{`"status":0`, ``, "status"},
		{`"status":true`, ``, "status"},
		{`"user_rating":true`, `"user_rating":"up"`, ""},
		{`"user_rating":false`, `"user_rating":"down"`, ""},
		{`"user_rating":-1`, `"user_rating":"-1.0"`, ""}, // a thumb, or no rating?
		{`"user_rating":"-1"`, `"user_rating":"down"`, ""},
		{`"user_rating":"4","user_rating_min":"0","user_rating_max":5.0`, `"user_rating":"4","user_rating_min":0,"user_rating_max":5`, ""},
		{`"user_rating":{"stars":4}`, ``, "user_rating"},
		{`"user_rating_max":"five"`, ``, "user_rating_max"},
		{`"timestamp":"1769860800"`, `"occurred_at":"2026-01-31T12:00:00Z"`, ""},
		{`"timestamp":1769860800000000000`, `"occurred_at":"2026-01-31T12:00:00Z"`, ""},
		{`"timestamp":1769860800000000`, `"occurred_at":"2026-01-31T12:00:00Z"`, ""},
		{`"timestamp":"2026-01-31 12:00:00.5+00:00"`, `"occurred_at":"2026-01-31T12:00:00.5Z"`, ""},
		{`"timestamp":"2026-01-31T12:00:00+0000"`, `"occurred_at":"2026-01-31T12:00:00Z"`, ""},
		{`"timestamp":"2026-01-31T12:00:00"`, ``, "occurred_at"}, // in which zone?
		{`"timestamp":"yesterday"`, ``, "occurred_at"},
		{`"timestamp":{"seconds":1}`, ``, "occurred_at"},
		{`"timestamp":-1`, ``, "occurred_at"},
		{`"timestamp":1e30`, ``, "occurred_at"},

		// Content that is not JSON as a whole.
		{`"output":{"score": NaN},"input":"a"`, `"input":"a"`, "output"},
		{`"output":NaN`, ``, "output"},
		{`"tool_calls":[{"name":"a","arguments":{"x":NaN}},{"name":"b"}]`, `"tool_calls":[{},{"name":"b"}]`, "tool_calls"},
		{`"tool_calls":"none"`, ``, "tool_calls"},
		{`"tool_calls":"[{\"name\":\"a\"},{\"name\":\"b\"}]"`, `"tool_calls":[{"name":"a"},{"name":"b"}]`, ""},
		{`"tool_calls":"[{\"name\":"`, ``, "tool_calls"},
		{`"tool_calls":" "`, ``, ""},
		{`"tool_calls":{"name":"a"}`, `"tool_calls":[{"name":"a"}]`, ""},
		{`"embedding":[NaN,1],"output":"a"`, `"output":"a"`, ""},
	} {
		t.Run(tt.fields, func(t *testing.T) {
			t.Parallel()
			compareIgnored(t, tt.fields, tt.want, tt.ignored)
		})
	}
}

// TestPassages reads what was retrieved in the forms of the usual libraries.
func TestPassages(t *testing.T) {
	t.Parallel()
	chunks := func(list string) string { return `"retrieval":{"chunks":[` + list + `]}` }
	two := chunks(`{"text":"a b"},{"text":"c"}`)
	for _, tt := range []struct{ fields, want, ignored string }{
		{chunks(`"a b","c"`), two, ""},
		{`"retrieval":{"chunks":"a b"}`, chunks(`{"text":"a b"}`), ""},
		{`"retrieval":["a b",{"text":"c"}]`, two, ""},
		{`"retrieval":{"documents":["a b","c"]}`, two, ""},
		{`"retrieval":{"ids":[["1","2"]],"documents":[["a b","c"]],"distances":[[0.1,0.2]]}`, two, ""},
		{`"retrieval":{"context":"a b"}`, chunks(`{"text":"a b"}`), ""},
		{`"retrieval":{"documents":["x"],"chunks":["a b","c"],"results":["y"]}`, two, ""},
		{`"retrieved_contexts":["a b","c"]`, two, ""},
		{`"contexts":["a b","c"],"context":"x"`, two, ""},
		{`"context":"a b c"`, chunks(`{"text":"a b c"}`), ""},
		{`"documents":[{"page_content":"a b c"},{"body":"d e f"}]`, chunks(`{"text":"a b c"},{"text":"d e f"}`), ""},
		{`"documents":["x y z"],"contexts":["a b","c"]`, two, ""},
		{`"context":"返品は三十日以内に受け付けます。返金は二週間です。"`, chunks(`{"text":"返品は三十日以内に受け付けます。返金は二週間です。"}`), ""},
		{`"contexts":["x"],"retrieval":{"chunks":["a b","c"]}`, two, ""},
		{`"contexts":["a b","c"],"retrieval":{"index":"i"}`, `"retrieval":{"index":"i","chunks":[{"text":"a b"},{"text":"c"}]}`, ""},
		// Fields of an application that have such a name by chance.
		{`"context":{"page":"/checkout"}`, ``, ""},
		{`"context":"checkout page"`, ``, ""},
		{`"documents":["contract.pdf","invoice 7.pdf"]`, ``, ""},
		{`"documents":[{"id":1,"title":"x"}],"context":7`, ``, ""},
		{`"documents":["a",7],"contexts":[]`, ``, ""},
		// Libraries' passages.
		{chunks(`{"page_content":"a b","metadata":{"source":"faq.md","page":3},"type":"Document"}`), chunks(`{"id":"faq.md","text":"a b"}`), ""},
		{chunks(`{"id":"d1","pageContent":"a b","metadata":{"source":"faq.md","id":"m"}}`), chunks(`{"id":"d1","text":"a b"}`), ""},
		{`"retrieval":{"source_nodes":[{"node":{"id_":"n1","text":"a b","metadata":{"text":"x"}},"score":0.5}]}`, chunks(`{"id":"n1","text":"a b","score":0.5}`), ""},
		{`"retrieval":{"matches":[{"id":"p1","score":0.5,"metadata":{"text":"a b"}}]}`, chunks(`{"id":"p1","text":"a b","score":0.5}`), ""},
		{`"retrieval":{"hits":[{"_id":"e1","_score":1.5,"_source":{"content":"a b"}}]}`, chunks(`{"id":"e1","text":"a b","score":1.5}`), ""},
		{`"retrieval":{"results":[{"id":7,"score":0.5,"payload":{"document":"a b"}}]}`, chunks(`{"id":"7","text":"a b","score":0.5}`), ""},
		{`"retrieval":{"results":[{"file_id":"f","score":0.5,"content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}`, chunks(`{"id":"f","text":"a\nb","score":0.5}`), ""},
		{`"retrieval":{"retrievalResults":[{"content":{"text":"a b","type":"TEXT"},"score":0.5,"location":{"type":"S3"}}]}`, chunks(`{"text":"a b","score":0.5}`), ""},
		// What has no meaning keeps its place, because answers cite by place.
		{chunks(`"a",7,{"text":["x",1]},null,{"text":{}}`), chunks(`{"text":"a"},{},{},{},{}`), "retrieval.chunks retrieval.chunks.text"},
		{`"retrieval":{"chunks":7}`, `"retrieval":{}`, "retrieval.chunks"},
		{`"retrieval":true`, ``, "retrieval"},
	} {
		t.Run(tt.fields, func(t *testing.T) {
			t.Parallel()
			compareIgnored(t, tt.fields, tt.want, tt.ignored)
		})
	}
}

// compareIgnored compares an event with that of the wanted fields, and what was
// ignored with the names. DecodeStrict has to name the same.
func compareIgnored(t *testing.T, fields, want, ignored string) {
	t.Helper()
	got := decode(t, fields)
	if strings.Join(got.Ignored(), " ") != ignored {
		t.Errorf("ignored %q, want %q", got.Ignored(), ignored)
	}
	wanted, err := json.Marshal(decode(t, strings.TrimSuffix(`"team":null,`+want, ",")))
	if err != nil {
		t.Fatal(err)
	}
	written, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if d := testdiff.Of(string(wanted), string(written)); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	strict := fmt.Sprint(func() error { _, err := event.DecodeStrict(body(fields)); return err }())
	if ignored != "" && !strings.Contains(strict, ", want ") {
		t.Errorf("DecodeStrict: %s, want an error that names %s", strict, ignored)
	}
}

// body returns a message with the fields of an event.
func body(fields string) []byte {
	return []byte(`{"event":"llm_request_completed","request_id":"r",` + fields + `}`)
}

func TestByteOrderMark(t *testing.T) {
	t.Parallel()
	if _, err := event.Decode([]byte("\ufeff" + logLine)); err != nil {
		t.Error(err)
	}
}

func TestIgnoredFieldsAreNamed(t *testing.T) {
	t.Parallel()
	names := event.Fields()
	for _, name := range names {
		if event.Wanted(name) == "" {
			t.Errorf("nothing says what %s has to be", name)
		}
	}
	if event.Wanted("team") != "" || slices.Contains(names, "retrieval.chunks.metadata") {
		t.Error("a field that events do not have")
	}
	if n := len(names); n != len(slices.Compact(slices.Sorted(slices.Values(names)))) || n > 128 {
		t.Errorf("%d names, some twice or more than a set holds", n)
	}
}
