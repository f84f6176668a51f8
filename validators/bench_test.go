package validators

import (
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
)

func benchmark(b *testing.B, v eval.Evaluator, e *event.Event, outcome eval.Outcome) {
	b.Helper()
	b.ReportAllocs()
	for b.Loop() {
		got, err := v.Evaluate(b.Context(), e)
		if err != nil || got.Outcome != outcome {
			b.Fatalf("%s, %v", got.Outcome, err)
		}
	}
}

func BenchmarkJSONSchema(b *testing.B) {
	v := newValidator(b, Config{Type: "json_schema", Schema: "reply"}, newSchemas(b, map[string]string{"reply": replySchema}))
	const rest = `"order":1234567,"tags":["billing","refund","late"],"due":"2026-05-04","contact":{"email":"a@example.com"}}`
	reply := strings.Repeat("Your refund is on its way. ", 8)
	good := `{"reply":"` + reply + `","priority":"low",` + rest
	b.Run("valid", func(b *testing.B) { benchmark(b, v, saying(good), eval.OutcomePass) })
	b.Run("invalid", func(b *testing.B) {
		benchmark(b, v, saying(`{"reply":"`+reply+`","priority":"none",`+rest), eval.OutcomeFail)
	})
	b.Run("wrapped", func(b *testing.B) { benchmark(b, v, saying("Here it is:\n```json\n"+good+"\n```"), eval.OutcomeFail) })
	b.Run("truncated", func(b *testing.B) { benchmark(b, v, saying(good[:len(good)-10]), eval.OutcomeFail) })
}

func BenchmarkToolCalls(b *testing.B) {
	v := newValidator(b, Config{Type: "tool_calls"}, nil)
	e := newEvent(b, `"tools":[{"type":"function","function":{"name":"lookup","parameters":{"type":"object","required":["id"],"properties":{"id":{"type":"integer"}}}}}],
		"tool_calls":[{"name":"lookup","arguments":"{\"id\":17}","status":"success"}]`)
	benchmark(b, v, e, eval.OutcomePass)
}

func BenchmarkGroundedness(b *testing.B) {
	e := saying(strings.Repeat("Refunds are issued within 14 days after the item arrived. ", 4))
	e.Retrieval = &event.Retrieval{}
	for range 4 {
		e.Retrieval.Chunks = append(e.Retrieval.Chunks, event.Chunk{Text: strings.Repeat("A refund is issued in 14 days, once our warehouse has the item. ", 8)})
	}
	benchmark(b, newValidator(b, Config{Type: "groundedness"}, nil), e, eval.OutcomePass)
}

func BenchmarkRefusal(b *testing.B) {
	v := newValidator(b, Config{Type: "refusal"}, nil)
	b.Run("answered", func(b *testing.B) {
		benchmark(b, v, saying(strings.Repeat("The refund is issued within 14 days. ", 20)), eval.OutcomePass)
	})
	b.Run("answered in the first person", func(b *testing.B) {
		benchmark(b, v, saying(strings.Repeat("I do not think that the seal is worn, but I can't find another reason. ", 10)), eval.OutcomePass)
	})
	b.Run("refused at length", func(b *testing.B) {
		benchmark(b, v, saying("I can't help with that. "+strings.Repeat("It is important not to harm others, and I would urge you to seek help. ", 250)), eval.OutcomeFail)
	})
	b.Run("reproved at length", func(b *testing.B) {
		e := saying(strings.Repeat("Hurting a rival is never acceptable, and it is important to respect others. ", 200))
		e.Input = event.Text("How do I hurt a rival?")
		benchmark(b, v, e, eval.OutcomeFail)
	})
	b.Run("refused", func(b *testing.B) {
		benchmark(b, v, saying("I'm sorry, but as an AI language model, I cannot help with that."), eval.OutcomeFail)
	})
}
