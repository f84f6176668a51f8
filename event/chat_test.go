//go:build go1.26

package event_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"unsafe"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/testdiff"
)

// TestChats reads chats in the forms in which they are published as the input.
func TestChats(t *testing.T) {
	t.Parallel()
	turns := func(list ...string) (out []event.Turn) {
		for i := 0; i < len(list); i += 2 {
			out = append(out, event.Turn{Role: list[i], Content: list[i+1]})
		}
		return out
	}
	for input, want := range map[string][]event.Turn{
		`[{"role":"developer","content":"Be brief."},{"role":"Human","content":"Hi"},{"role":"model","content":"Hello."},{"role":"function","name":"f","content":"42"}]`: turns("system", "Be brief.", "user", "Hi", "assistant", "Hello.", "tool", "42"),
		`[{"role":"customer","content":"Hi"},{"role":"agent","content":"Hello."}]`:                                                                                       turns("customer", "Hi", "agent", "Hello."),
		`[{"role":"user","content":"Hi"},{"role":"assistant","content":"<think>hmm</think>Hello."}]`:                                                                     turns("user", "Hi", "assistant", "Hello."),
		`[{"role":"user","content":"<think>hmm</think>Hi"}]`:                                                                                                             turns("user", "<think>hmm</think>Hi"),
		`[{"role":"user","parts":[{"text":"What is it?"},{"inlineData":{"mimeType":"audio/mp3","data":"AAAA"}}]}]`:                                                       turns("user", "What is it?\n[audio]"),
		`[{"type":"system","content":"Be brief."},{"type":"human","content":"Hi"},{"type":"tool","content":"42","tool_call_id":"c"}]`:                                    turns("system", "Be brief.", "user", "Hi", "tool", "42"),
		`[{"type":"human","data":{"content":"Hi","type":"human"}},{"type":"ai","data":{"content":"Hello."}}]`:                                                            turns("user", "Hi", "assistant", "Hello."),
		`[[{"type":"human","content":"Hi"}]]`: turns("user", "Hi"),
		`[[{"lc":1,"type":"constructor","id":["langchain","schema","messages","HumanMessage"],"kwargs":{"content":"Hi","type":"human"}}]]`:                  turns("user", "Hi"),
		`{"model":"m","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}],"temperature":0}`:                                 turns("system", "Be brief.", "user", "Hi"),
		`{"model":"claude","system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"Hi"}]}`: turns("system", "Be brief.", "user", "Hi"),
		`{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"parts":[{"text":"Hi"}]},{"role":"model","parts":[{"text":"Hello."}]}]}`:        turns("system", "Be brief.", "user", "Hi", "assistant", "Hello."),
		`{"contents":"Hi"}`: turns("user", "Hi"),
		`{"contents":[{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"place":"Rome"}}}]}]}`: turns("tool", `{"place":"Rome"}`),
		`{"model":"gpt-5","instructions":"Be brief.","input":"Hi"}`:                                              turns("system", "Be brief.", "user", "Hi"),
		`{"input":[{"role":"user","content":[{"type":"input_text","text":"Hi"},{"type":"input_image","image_url":"https://example.com/a.png"}]},{"type":"reasoning","id":"rs","summary":[]},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},{"type":"function_call_output","call_id":"c","output":"42"}]}`: turns("user", "Hi\n[image]", "tool", "42"),
		`{"modelId":"m","system":[{"text":"Be brief."}],"messages":[{"role":"user","content":[{"text":"Hi"},{"document":{"format":"pdf","name":"a","source":{"bytes":"` + strings.Repeat("A", 4000) + `"}}}]},{"role":"user","content":[{"toolResult":{"toolUseId":"t","content":[{"text":"42"}]}}]}]}`:                       turns("system", "Be brief.", "user", "Hi\n[file, 3 KB]", "tool", "42"),
		`{"model":"llama","prompt":"Hi","images":["AAAA"]}`:                                            turns("user", "Hi"),
		`{"messages":[{"role":"user","content":"Hi","images":["` + strings.Repeat("A", 4000) + `"]}]}`: turns("user", "Hi\n[image, 3 KB]"),
		`{"messages":[{"id":"1","role":"user","parts":[{"type":"text","text":"Hi"},{"type":"file","mediaType":"application/pdf","url":"data:application/pdf;base64,` + strings.Repeat("A", 4000) + `"}]}]}`: turns("user", "Hi\n[file, 3 KB]"),
		`[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"The terms."}},{"type":"text","text":"Summarise."}]}]`:                                      turns("user", "The terms.\nSummarise."),
		`[{"role":"tool","content":[{"type":"tool-result","toolCallId":"c","toolName":"f","output":{"type":"json","value":{"a":1}}}]}]`:                                                                     turns("tool", `{"a":1}`),
	} {
		quoted, err := json.Marshal(input)
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{input, string(quoted)} {
			e := decode(t, `"input":`+form)
			got, ok := e.Input.Turns()
			if d := testdiff.Of(want, got); !ok || d != "" {
				t.Errorf("%.200s: %t (-want +got):\n%s", form, ok, d)
			}
		}
	}
	for _, input := range []string{
		`"Hi"`, `{"input":"Hi"}`, `{"prompt":"Hi"}`, `{"messages":"Hi"}`, `{"messages":[]}`, `{"contents":[{"title":"a"}]}`, `{"contents":[]}`, `{"system":"Be brief."}`,
		`[{"text":"Hi"}]`, `[{"role":"x"}]`, `[[{"role":"user","content":"a"}],[{"role":"user","content":"b"}]]`, `[{"type":"human"}]`, `"[1]"`, `"{\"messages\":"`,
		`[{"type":"function_call","call_id":"c","name":"f","arguments":"{}"}]`,
	} {
		if got, ok := decode(t, `"input":`+input).Input.Turns(); ok {
			t.Errorf("%s is a chat: %v", input, got)
		}
	}
}

// TestMedia: what is not text is named with its size, and its bytes reach no text.
func TestMedia(t *testing.T) {
	t.Parallel()
	data := strings.Repeat("QUJD", 16_667) // 50,001 bytes
	url := "data:image/jpeg;base64," + data
	for part, want := range map[string]string{
		`{"type":"image_url","image_url":{"url":"` + url + `","detail":"low"}}`:                                                         "[image, 50 KB]",
		`{"type":"image_url","image_url":"` + url + `"}`:                                                                                "[image, 50 KB]",
		`{"type":"image_url","image_url":{"url":"https://example.com/a.png?` + data + `"}}`:                                             "[image]",
		`{"type":"input_image","image_url":"` + url + `"}`:                                                                              "[image, 50 KB]",
		`{"type":"input_image","file_id":"file-1"}`:                                                                                     "[image]",
		`{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + data + `"}}`:                                    "[image, 50 KB]",
		`{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}}`:                                                    "[image]",
		`{"type":"image","image":"` + data + `","mediaType":"image/png"}`:                                                               "[image, 50 KB]",
		`{"type":"image","data":"` + data + `","mimeType":"image/png"}`:                                                                 "[image, 50 KB]",
		`{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"` + data + `"}}`:                           "[file, 50 KB]",
		`{"type":"input_audio","input_audio":{"data":"` + data + `","format":"wav"}}`:                                                   "[audio, 50 KB]",
		`{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,` + data + `"}}`:                            "[file, 50 KB]",
		`{"type":"input_file","filename":"a.pdf","file_data":"` + data + `"}`:                                                           "[file, 50 KB]",
		`{"type":"file","mediaType":"video/mp4","data":"` + data + `"}`:                                                                 "[video, 50 KB]",
		`{"type":"media","mime_type":"image/png","data":"` + data + `"}`:                                                                "[image, 50 KB]",
		`{"inlineData":{"mimeType":"image/png","data":"` + data + `"}}`:                                                                 "[image, 50 KB]",
		`{"inline_data":{"mime_type":"audio/wav","data":"` + data + `"},"text":null}`:                                                   "[audio, 50 KB]",
		`{"fileData":{"mimeType":"video/mp4","fileUri":"gs://bucket/a.mp4"}}`:                                                           "[video]",
		`{"image":{"format":"png","source":{"bytes":"` + data + `"}}}`:                                                                  "[image, 50 KB]",
		`{"video":{"format":"mp4","source":{"s3Location":{"uri":"s3://a"}}}}`:                                                           "[video]",
		`{"type":"text","text":"See ![cat](` + url + `)!"}`:                                                                             "See ![cat]([image, 50 KB])!",
		`{"type":"tool_result","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` + data + `"}}]}`: "[image, 50 KB]",
	} {
		message := `{"role":"user","content":[` + part + `]}`
		for _, content := range []string{message, `[` + message + `]`, strings.Replace(message, "user", "assistant", 1)} {
			c := event.JSON([]byte(content))
			for reader, got := range map[string]string{"Text": c.Text(), "Reply": c.Reply()} {
				if strings.Contains(content, "assistant") && strings.Contains(part, "tool_result") {
					continue
				}
				if strings.Contains(got, "QUJD") || !strings.HasSuffix(got, want) && reader == "Text" {
					t.Errorf("%.120s: %s is %.120q; want %q", content, reader, got, want)
				}
			}
		}
	}
	if got := event.JSON([]byte(`{"picture":"` + url + `"}`)).Text(); got != `{"picture":"[image, 50 KB]"}` {
		t.Errorf("a value with a picture is shown as %.100s", got)
	}
	long := strings.Repeat("QUJDabc1", 5000)
	if got := event.JSON([]byte(`{"a":"` + long + `","b":"` + strings.Repeat("=", 2000) + `"}`)).Text(); got != `{"a":"[data, 30 KB]","b":"`+strings.Repeat("=", 2000)+`"}` {
		t.Errorf("a value with data is shown as %.100s", got)
	}
	if got := event.Text("one " + url + " two data:x;base64, three ;base64,abc " + url).Text(); got != "one [image, 50 KB] two data:x;base64, three ;base64,abc [image, 50 KB]" {
		t.Errorf("a text with pictures is shown as %.200s", got)
	}
}

// TestReadOnce: copies of a content share what has been read, also when many
// evaluators ask at the same time.
func TestReadOnce(t *testing.T) {
	t.Parallel()
	e := decode(t, `"input":{"messages":[{"role":"user","content":"Hi"}]},"output":{"role":"model","parts":[{"text":"one"},{"text":" two"}]}`)
	type read struct{ answer, reply, text, input, turn *byte }
	var reads [8]read
	var wg sync.WaitGroup
	for i := range reads {
		wg.Go(func() {
			c := *e
			turns, _ := c.Input.Turns()
			reads[i] = read{
				unsafe.StringData(c.Answer().Text), unsafe.StringData(c.Output.Reply()), unsafe.StringData(c.Output.Text()),
				unsafe.StringData(c.Input.Text()), unsafe.StringData(turns[0].Content),
			}
		})
	}
	wg.Wait()
	for _, r := range reads {
		if r != reads[0] {
			t.Error("a content was read more than once")
		}
	}
}
