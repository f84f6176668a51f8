package event_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/testdiff"
)

// FuzzAnswer: content is read without a panic and always alike, what a model thought
// is not among its words, and the bytes of pictures reach no text.
func FuzzAnswer(f *testing.F) {
	for _, p := range providers() {
		for _, form := range []string{p.words, p.refusal, p.calls, p.reasoning} {
			f.Add(form, "words")
		}
	}
	f.Add(`{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AAAA"}}]}]}`, "</think>")
	f.Add("<|channel|>analysis<|message|>", "assistantfinal")
	f.Add("analysis", "<|call|>")
	for _, members := range []string{chatCompletion, openAIResponse, anthropicMessage, geminiResponse, bedrockResponse, vercelResult, ollamaChat, cohereChat, langChain} {
		f.Add("{"+members+"}", "words")
	}
	f.Fuzz(func(t *testing.T, form, words string) {
		quoted, err := json.Marshal(words)
		if err != nil {
			t.Fatal(err)
		}
		raw := []byte(strings.ReplaceAll(form, "WORDS", string(quoted)))
		for _, c := range []event.Content{event.JSON(raw), event.Text(string(raw))} {
			again := event.JSON(c.Raw())
			turns, isChat := c.Turns()
			turnsAgain, _ := again.Turns()
			if d := testdiff.Of(c.Answer(), again.Answer()); d != "" || !reflect.DeepEqual(turns, turnsAgain) || c.Text() != again.Text() || c.Reply() != again.Reply() {
				t.Errorf("%s is read in two ways: %s", c.Raw(), d)
			}
			if a := c.Answer(); a.Unread != "" && (a.Text != "" || a.JSON || a.CallsTools) || isChat != (len(turns) > 0) {
				t.Errorf("%s: %+v", c.Raw(), a)
			}
			factsOfOutput(t, c)
		}
		const thought = "a-thought-of-the-model"
		for _, output := range []event.Content{
			event.Text("<think>" + thought + "</think>" + words),
			event.Text("<|channel|>analysis<|message|>" + thought + "<|end|><|start|>assistant<|channel|>final<|message|>" + words),
			event.JSON([]byte(`{"role":"assistant","content":[{"type":"thinking","thinking":"` + thought + `"},{"type":"text","text":` + string(quoted) + `}]}`)),
			event.JSON([]byte(`{"candidates":[{"content":{"parts":[{"text":"` + thought + `","thought":true},{"text":` + string(quoted) + `}]}}]}`)),
		} {
			a := output.Answer()
			if strings.Contains(a.Text+output.Reply(), thought) && !strings.Contains(words, thought) || !strings.Contains(a.Reasoning, thought) {
				t.Errorf("%s: %+v", output.Raw(), a)
			}
		}
		picture := strings.Repeat("iVBORw0K", 50)
		message := `{"role":"user","content":[{"type":"text","text":` + string(quoted) + `},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + picture + `"}},` +
			`{"type":"text","text":"![](data:image/png;base64,` + picture + `)"}]}`
		for _, input := range []string{message, "[" + message + "]", `{"messages":[` + message + `]}`} {
			if text := event.JSON([]byte(input)).Text(); strings.Contains(text, picture) {
				t.Errorf("%s: %s", input, text)
			}
		}
	})
}

// BenchmarkInput reads an event's input as a judge and a case do.
func BenchmarkInput(b *testing.B) {
	prose := strings.Repeat("Some words of a question, and more. ", 60)
	for name, input := range map[string]string{
		"text": `"` + prose + `"`,
		"chat": `[{"role":"system","content":"` + prose + `"},{"role":"user","content":"Where is it?"}]`,
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(input)))
			b.ReportAllocs()
			for b.Loop() {
				var c event.Content
				if err := c.UnmarshalJSON([]byte(input)); err != nil {
					b.Fatal(err)
				}
				for range 10 {
					if _, chat := c.Turns(); chat != (name == "chat") || len(c.Text()) < len(prose) {
						b.Fatal(c.Text())
					}
				}
			}
		})
	}
}

// BenchmarkAnswer reads an event's output as ten evaluators do.
func BenchmarkAnswer(b *testing.B) {
	prose := strings.Repeat("Some words of an answer, and more. ", 60)
	quoted, err := json.Marshal(prose)
	if err != nil {
		b.Fatal(err)
	}
	for name, form := range map[string]string{
		"text":      `WORDS`,
		"document":  `"{\"reply\":\"` + prose + `\",\"priority\":\"low\"}"`,
		"value":     `{"reply":WORDS,"priority":"low"}`,
		"message":   `{"role":"assistant","content":WORDS}`,
		"Responses": providers()["Responses"].words,
		"Gemini":    providers()["Gemini response"].words,
		"UIMessage": providers()["Vercel UIMessage"].words,
		"thinking":  `"<think>` + prose + `</think>` + prose + `"`,
	} {
		raw := json.RawMessage(strings.ReplaceAll(form, "WORDS", string(quoted)))
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				var c event.Content
				if err := c.UnmarshalJSON(raw); err != nil {
					b.Fatal(err)
				}
				e := event.Event{Output: c}
				for range 10 {
					if a := e.Answer(); len(a.Text) < len(prose) {
						b.Fatal(a.Text)
					}
				}
			}
		})
	}
}

// factsOfOutput checks what an output says beside the answer: the same in headers, which an
// application writes, and in the body, which a worker reads, and nothing that is no tag.
func factsOfOutput(t *testing.T, c event.Content) {
	t.Helper()
	made := event.Event{Kind: event.KindRequestCompleted, RequestID: "r", Output: c}
	written, err := json.Marshal(made)
	if err != nil {
		t.Fatal(err)
	}
	read, err := event.Decode(written)
	if err != nil {
		return // nested too deep, or too long
	}
	fromHeaders, _ := event.EnvelopeFromHeaders(made.Headers())
	if d := testdiff.Of(read.Envelope(), fromHeaders); d != "" {
		t.Errorf("%s (-body +headers):\n%s", written, d)
	}
	if strings.ContainsAny(read.Model, " \n\"<>") || read.FinishReason != "" && event.NormalFinish(read.FinishReason) == event.FinishOther {
		t.Errorf("%s: model %q, finish reason %q", written, read.Model, read.FinishReason)
	}
}
