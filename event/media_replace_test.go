package event_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/testdiff"
)

// picture returns bytes that are no text, always the same.
func picture(n int) []byte {
	random := rand.NewChaCha8([32]byte{7})
	out := make([]byte, n)
	_, _ = random.Read(out) // never fails
	return out
}

// shapesOfMedia are the places in which providers write media, as formats of base64 and
// of a data URL's type.
func shapesOfMedia() map[string]string {
	return map[string]string{
		"OpenAI image_url":       `[{"role":"user","content":[{"type":"text","text":"Look."},{"type":"image_url","image_url":{"url":"data:image/png;base64,%s"}}]}]`,
		"OpenAI input_image":     `[{"role":"user","content":[{"type":"input_text","text":"Look."},{"type":"input_image","image_url":"data:image/png;base64,%s"}]}]`,
		"OpenAI input_audio":     `[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"%s","format":"wav"}}]}]`,
		"OpenAI file":            `[{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,%s"}}]}]`,
		"OpenAI spoken answer":   `{"role":"assistant","content":null,"audio":{"id":"a","data":"%s"}}`,
		"OpenAI made a picture":  `{"object":"response","output":[{"type":"image_generation_call","id":"i","result":"%s"}]}`,
		"Anthropic":              `[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"%s"}}]}]`,
		"Anthropic, data first":  `[{"role":"user","content":[{"source":{"data":"%s","media_type":"image/png","type":"base64"},"type":"document"}]}]`,
		"Gemini":                 `{"contents":[{"role":"user","parts":[{"text":"Look."},{"inline_data":{"mime_type":"image/png","data":"%s"}}]}]}`,
		"Gemini, camel case":     `{"candidates":[{"content":{"role":"model","parts":[{"inlineData":{"mimeType":"image/png","data":"%s"}}]},"finishReason":"STOP"}]}`,
		"Bedrock":                `[{"role":"user","content":[{"text":"Look."},{"image":{"format":"png","source":{"bytes":"%s"}}}]}]`,
		"Ollama":                 `[{"role":"user","content":"Look.","images":["%s"]}]`,
		"LangChain":              `[{"type":"human","content":[{"type":"image","source_type":"base64","data":"%s","mime_type":"image/png"}]}]`,
		"Vercel image":           `[{"role":"user","content":[{"type":"image","image":"%s"}]}]`,
		"Vercel file":            `[{"role":"user","content":[{"type":"file","data":"%s","mediaType":"image/png"}]}]`,
		"in a text":              `"See ![chart](data:image/png;base64,%s), please."`,
		"at the end of a line":   `"data:image/png;base64,%s\nLook."`,
		"a chat in a string":     `"[{\"role\":\"user\",\"content\":[{\"type\":\"image\",\"source\":{\"type\":\"base64\",\"media_type\":\"image/png\",\"data\":\"%s\"}}]}]"`,
		"OpenAI's list of made":  `{"created":1,"data":[{"b64_json":"%s"}]}`,
		"type in capitals":       `"data:IMAGE/PNG;base64,%s"`,
		"a tool's result":        `[{"role":"tool","content":[{"type":"image","data":"%s","mimeType":"image/png"}]}]`,
		"a type with parameters": `"data:image/png;name=jane.png;base64,%s"`,
	}
}

// TestReplaceMedia: the bytes of media are gone in the shape of any provider, however
// their base64 is escaped and broken into lines, and a reader sees what it saw before.
func TestReplaceMedia(t *testing.T) {
	t.Parallel()
	data := picture(50_000)
	std := base64.StdEncoding.EncodeToString(data)
	var lines strings.Builder
	for line := range strings.SplitSeq(strings.Join(chunks(std, 76), "\n"), "\n") {
		lines.WriteString(line + `\r\n`)
	}
	digest := fmt.Sprintf("sha256=%x;base64,", sha256.Sum256(data))
	for shape, format := range shapesOfMedia() {
		for form, text := range map[string]string{
			"plain": std, "URL": base64.URLEncoding.EncodeToString(data), "raw": strings.TrimRight(std, "="),
			"PHP": strings.ReplaceAll(std, "/", `\/`), ".NET": strings.ReplaceAll(std, "+", `\u002B`), "Gson": strings.ReplaceAll(std, "=", `\u003d`), "MIME": lines.String(),
		} {
			if strings.Contains(format, `\"`) {
				text = strings.ReplaceAll(text, `\`, `\\`)
			}
			before := fmt.Appendf(nil, format, text)
			if !json.Valid(before) {
				t.Fatalf("%s, %s: the example is no JSON", shape, form)
			}
			after := event.ReplaceMedia(before)
			if !json.Valid(after) || len(after) > 400 || !bytes.Contains(after, []byte(digest)) || !bytes.Contains(after, []byte(";size=50000;")) || bytes.Contains(after, []byte("jane")) {
				t.Errorf("%s, %s: %d bytes: %.400s", shape, form, len(after), after)
				continue
			}
			if again := event.ReplaceMedia(after); string(again) != string(after) {
				t.Errorf("%s, %s: replaced twice: %s", shape, form, again)
			}
			if form != "plain" && form != "raw" {
				continue // the size of other forms is an estimate before
			}
			saw, sees := shown(before), shown(after)
			if diff := testdiff.Of(saw, sees); diff != "" && shape != "OpenAI's list of made" && shape != "type in capitals" {
				t.Errorf("%s, %s: a reader (-saw +sees):\n%s", shape, form, diff)
			}
		}
	}
}

// shown returns what readers see of content.
func shown(raw []byte) []string {
	c := event.JSON(raw)
	return []string{c.Text(), c.Reply()}
}

func chunks(s string, n int) (out []string) {
	for len(s) > n {
		out, s = append(out, s[:n]), s[n:]
	}
	return append(out, s)
}

// TestWhatIsNoMediaStays: base64 that is no media, and what looks like it, stays byte for
// byte, and so does what is no JSON.
func TestWhatIsNoMediaStays(t *testing.T) {
	t.Parallel()
	std := base64.StdEncoding.EncodeToString(picture(3000))
	for name, raw := range map[string]string{
		"a signature":         `{"candidates":[{"content":{"parts":[{"text":"Hello.","thoughtSignature":"` + std + `"}]}}]}`,
		"encrypted reasoning": `{"object":"response","output":[{"type":"reasoning","encrypted_content":"` + std + `"}]}`,
		"a token":             `{"authorization":"` + std + `"}`,
		"own JSON":            `{"data":"` + std + `","id":3}`,
		"a tool's result":     `{"type":"function_call_output","result":"` + std + `"}`,
		"a long word":         `"` + strings.Repeat("a", 5000) + `"`,
		"escaped Chinese":     `"` + strings.Repeat(`\u4f60\u597d`, 500) + `"`,
		"a short picture":     `"data:image/png;base64,iVBORw0KGgo="`,
		"no base64":           `"data:image/svg+xml;utf8,<svg>` + strings.Repeat("a", 500) + `</svg>"`,
		"a URL":               `[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/` + strings.Repeat("a", 500) + `"}}]}]`,
		"letters of escapes":  `"` + strings.Repeat(`n`, 500) + `"`,
		"cut off":             `{"image":{"source":{"bytes":"` + std + `"}}`,
		"not JSON":            `data:image/png;base64,` + std,
		"empty":               ``,
	} {
		if got := event.ReplaceMedia([]byte(raw)); string(got) != raw {
			t.Errorf("%s: %.300s", name, got)
		}
	}
}

// TestReplaceMediaInAnEvent: media is replaced in all content, also in passages, and a
// copy that shares lists with the event is not changed.
func TestReplaceMediaInAnEvent(t *testing.T) {
	t.Parallel()
	url := "data:image/png;base64," + base64.StdEncoding.EncodeToString(picture(1000))
	newEvent := func() event.Event {
		return event.Event{
			Input: event.Text(url), Output: event.Text(url), Expected: event.Text(url), Tools: event.Text(url), Comment: "x " + url,
			Retrieval: &event.Retrieval{Query: url + " y", Chunks: []event.Chunk{{Text: "no"}, {Text: url}, {Text: url}}},
			ToolCalls: []event.ToolCall{{Name: "a"}, {Name: "b", Arguments: event.Text(url)}, {Name: "c", Result: event.Text(url)}},
		}
	}
	original := newEvent()
	replaced := original
	replaced.ReplaceMedia()
	got, err := json.Marshal(replaced)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(got), ";size=1000;sha256="); n != 10 || strings.Contains(string(got), url[:100]) {
		t.Errorf("%d replaced, want 10: %s", n, got)
	}
	before, _ := json.Marshal(newEvent())
	after, _ := json.Marshal(original)
	if string(before) != string(after) {
		t.Error("the event that was copied has changed")
	}
}

// FuzzReplaceMedia: valid JSON stays valid and keeps its form, what is replaced gets
// shorter, and replacing twice changes nothing more.
func FuzzReplaceMedia(f *testing.F) {
	std := base64.StdEncoding.EncodeToString(picture(300))
	for _, format := range shapesOfMedia() {
		f.Add(fmt.Appendf(nil, format, std))
	}
	f.Add([]byte(`"` + strings.Repeat(`\n`, 300) + `"`))
	f.Add([]byte(`"` + strings.Repeat("data:;base64,", 40) + std + `"`))
	f.Fuzz(func(t *testing.T, data []byte) {
		out := event.ReplaceMedia(data)
		if json.Valid(data) != json.Valid(out) || len(out) > len(data) {
			t.Fatalf("%q became %q", data, out)
		}
		if again := event.ReplaceMedia(out); string(again) != string(out) {
			t.Fatalf("%q became %q, and then %q", data, out, again)
		}
		var before, after any
		if json.Unmarshal(data, &before) == nil && json.Unmarshal(out, &after) == nil && fmt.Sprintf("%T", before) != fmt.Sprintf("%T", after) {
			t.Fatalf("%q became %q", data, out)
		}
		_ = shown(out)
	})
}

// BenchmarkReplaceMedia: what it costs to find out that a typical event has no media, by
// its size, beside the time that decoding takes; and what a picture costs.
func BenchmarkReplaceMedia(b *testing.B) {
	prose := strings.Repeat("The refund is due within 30 days of your order, see https://example.com/terms for details. ", 20)
	chinese := strings.Repeat(`\u4f60\u597d`, 200)
	std := base64.StdEncoding.EncodeToString(picture(1 << 20))
	for name, content := range map[string]string{"2 KB of prose": prose, "2 KB of escapes": chinese, "1 MB picture": "data:image/png;base64," + std} {
		data := []byte(`{"event":"llm_request_completed","request_id":"r","input":"` + content + `"}`)
		b.Run("replace "+name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				event.ReplaceMedia(data)
			}
		})
		b.Run("decode "+name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				if _, err := event.Decode(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
