package app_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/evalworker/evalworker/datasets"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/demo/modelserver"
	"github.com/evalworker/evalworker/redact"
	"github.com/evalworker/evalworker/store"
)

// disguisePolicy judges everything that an event holds, and fails it.
const disguisePolicy = `
models:
  default: {model: judge-small, base_url: MODEL_URL, api_key: none, requests_per_minute: 0, max_attempts: 1, price: {input: 1, output: 2}}
evaluators:
  - {name: correctness, type: llm_judge, rubric: correctness, rate: 1}
  - {name: faithfulness, type: llm_judge, rubric: faithfulness, rate: 1}
  - {name: tool_selection, type: llm_judge, rubric: tool_selection, rate: 1}
  - {name: reply_format, type: json_schema, schema: support_reply}
  - {name: tool_calls, type: tool_calls}
  - {name: search, type: retrieval, min_hits: 99}
`

// sensitiveKinds are one text of twelve kinds, built here so that no file holds
// anything that looks like a secret.
func sensitiveKinds() map[string]string {
	return map[string]string{
		"email":          "jane.q" + "@" + "customer-mail.example",
		"credit_card":    "4539" + "57876362" + "1486",
		"iban":           "DE8937040044" + "0532013000",
		"us_ssn":         "523" + "-45-" + "6789",
		"phone":          "+49 30 " + "90182017",
		"ip_address":     "203.0." + "113.97",
		"national_id":    "529.982." + "247-25",
		"aws_access_key": "AKIA" + strings.Repeat("Q7XR", 4),
		"github_token":   "ghp" + "_" + strings.Repeat("a1B2", 9),
		"openai_key":     "sk-" + strings.Repeat("aB3dE5fG", 4),
		"jwt":            "eyJ" + base64.RawURLEncoding.EncodeToString([]byte(`"alg":"HS256"`)) + ".eyJ" + strings.Repeat("zI1Nw", 6) + "." + strings.Repeat("q7Rt", 8),
		"api_token":      "hf" + "_" + strings.Repeat("kLmNoPqRs7", 4),
	}
}

// disguises are ways in which a text may be written that a reader, a model or the
// program itself undoes.
func disguises() map[string]func(string) string {
	insert := func(r string) func(string) string {
		return func(s string) string {
			half := []rune(s)[:len([]rune(s))/2]
			return string(half) + r + s[len(string(half)):]
		}
	}
	each := func(f func(r rune) string) func(string) string {
		return func(s string) string {
			var b strings.Builder
			for _, r := range s {
				b.WriteString(f(r))
			}
			return b.String()
		}
	}
	shift := func(digits, capitals, small rune) func(string) string {
		return each(func(r rune) string {
			switch {
			case r >= '0' && r <= '9' && digits > 0:
				return string(r - '0' + digits)
			case r >= 'A' && r <= 'Z' && capitals > 0:
				return string(r - 'A' + capitals)
			case r >= 'a' && r <= 'z' && small > 0:
				return string(r - 'a' + small)
			}
			return string(r)
		})
	}
	quoted := func(s string) string { return strconv.QuoteToASCII(s) }
	return map[string]func(string) string{
		"plain":                       func(s string) string { return s },
		"zero width space":            insert("\u200b"),
		"soft hyphen":                 insert("\u00ad"),
		"word joiner":                 insert("\u2060"),
		"direction mark":              insert("\u200e"),
		"byte order mark":             insert("\ufeff"),
		"variation selector":          insert("\ufe0f"),
		"tag":                         insert("\U000e0041\U000e0042"),
		"control":                     insert("\x01"),
		"second control":              insert("\u0090"),
		"filler":                      insert("\u3164"),
		"invisible everywhere":        each(func(r rune) string { return string(r) + "\u200d" }),
		"full width":                  shift('\uff10', '\uff21', '\uff41'),
		"Arabic digits":               shift('\u0660', 0, 0),
		"Devanagari digits":           shift('\u0966', 0, 0),
		"bold of mathematics":         shift('\U0001d7ce', '\U0001d400', '\U0001d41a'),
		"full width, invisible":       func(s string) string { return insert("\u200b")(shift('\uff10', '\uff21', '\uff41')(s)) },
		"escapes":                     each(func(r rune) string { return fmt.Sprintf(`\u%04x`, r) }),
		"escapes of escapes":          each(func(r rune) string { return fmt.Sprintf(`\\\u%04X`, r) }),
		"escaped invisible":           insert(`\u200b`),
		"JSON string":                 func(s string) string { return quoted(insert("\u200b")(s)) },
		"JSON string in a string":     func(s string) string { return quoted(quoted("x\n" + s)) },
		"object in a string":          func(s string) string { return `{"a":` + quoted(`{"b":`+quoted(s)+`}`) + `}` },
		"key of an object":            func(s string) string { return `{` + quoted(s) + `:1}` },
		"percent":                     url.QueryEscape,
		"percent of everything":       each(func(r rune) string { return fmt.Sprintf("%%%02X", r) }),
		"references of HTML":          each(func(r rune) string { return fmt.Sprintf("&#%d;", r) }),
		"references, hexadecimal":     each(func(r rune) string { return fmt.Sprintf("&#x%x;", r) }),
		"behind an escaped line feed": func(s string) string { return `line\n` + s + `\n` },
		"in Markdown":                 func(s string) string { return "**`" + s + "`**" },
		"behind an invisible letter":  func(s string) string { return "word\u200b" + s },
	}
}

// disguised returns an event with each text of the kinds in every place that anything
// shows. Of the names, of which a tag holds a part only, each holds a few.
func disguised(id, name string, disguise func(string) string) event.Event {
	kinds := sensitiveKinds()
	var all []string
	names := make([]string, 4)
	i := 0
	for _, kind := range slices.Sorted(maps.Keys(kinds)) {
		all = append(all, disguise(kinds[kind]))
		names[i%len(names)] += disguise(kinds[kind]) + " "
		i++
	}
	in := func(place string) string {
		return place + ", " + name + ": " + strings.Join(all, " ; ") + " ."
	}
	raw := func(v any) event.Content {
		b, err := json.Marshal(v)
		if err != nil {
			panic(err) // texts and maps always marshal
		}
		return event.JSON(b)
	}
	hits := int64(1)
	token := disguise(kinds["github_token"]) // as a name that calls and tools may have, which a tag holds
	object := map[string]any{"reply": in("member"), in("key"): []string{in("item")}}
	return event.Event{
		Kind: event.KindRequestCompleted, RequestID: event.RequestID(id), Status: "success",
		Input: raw([]any{
			map[string]any{"role": "user", "content": in("turn")},
			map[string]any{"role": "assistant", "content": []any{map[string]any{"type": "text", "text": in("part")}}},
			map[string]any{"role": "user", "content": "And?"},
		}),
		Output: raw(object), Expected: event.Text(in("expected")),
		Retrieval: &event.Retrieval{
			Query: in("query"), HitCount: &hits, Index: names[0],
			Chunks: []event.Chunk{{ID: event.ID(in("chunk id")), Text: in("chunk")}, {ID: event.ID(in("chunk id")), Text: "x"}},
		},
		Tools:     raw([]any{map[string]any{"name": "lookup", "description": in("tool"), "parameters": map[string]any{"type": "object"}}, map[string]any{"name": token}}),
		ToolCalls: []event.ToolCall{{Name: token, Status: "success"}, {Name: in("tool name"), Status: in("status"), Arguments: raw(map[string]any{"q": in("argument")}), Result: event.Text(in("result"))}},
		Comment:   in("comment"),
		Feature:   names[0], PromptName: names[1], PromptVersion: names[2], Model: names[3], Environment: names[1], FinishReason: names[2], TenantTier: names[3], Provider: names[0],
	}
}

// echo is a judge that fails everything and repeats what it was shown.
func echo(r modelserver.Request) modelserver.Reply {
	shown, _ := r.Data["output"].(string)
	out := make([]modelserver.Verdict, 0, len(r.Criteria))
	for _, id := range r.Criteria {
		out = append(out, modelserver.Verdict{ID: id, Evidence: shown, Reason: "It says " + shown, Verdict: "fail"})
	}
	return modelserver.Answer(out)
}

// TestNothingSensitiveLeaves plants twelve kinds in every place, in every disguise, and
// looks for them in everything that leaves the worker.
func TestNothingSensitiveLeaves(t *testing.T) {
	w := newWorld(t, echo)
	w.withTelemetry()
	k := w.start(w.load(w.configure(disguisePolicy)))
	n := 0
	for name, disguise := range disguises() {
		n++
		w.emit(t.Context(), disguised(fmt.Sprintf("r-%d", n), name, disguise))
	}
	k.consumed(n)
	k.halt()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if !w.statsd.Drain(ctx) {
		t.Fatal("metrics did not arrive")
	}
	if len(w.model.asked()) < n {
		t.Fatalf("%d questions to the model about %d events", len(w.model.asked()), n)
	}
	d, err := redact.NewDetector(nil)
	if err != nil {
		t.Fatal(err)
	}
	for outlet, texts := range w.outlets(t) {
		if len(texts) == 0 {
			t.Errorf("%s: nothing", outlet)
		}
		for _, text := range texts {
			bared := undone(text)
			for kind, value := range sensitiveKinds() {
				if strings.Contains(bared, undone(value)) {
					t.Errorf("%s holds a text of %s: %.300q", outlet, kind, around(text, bared, undone(value)))
				}
			}
			for _, m := range d.Find(text) {
				// Ids of spans are long numbers, some of which look like a card.
				if found := text[m.Start:m.End]; !strings.HasPrefix(found, "[") && strings.Trim(found, "0123456789") != "" {
					t.Errorf("%s: the detector finds %s %q in %.200q", outlet, m.Kind, found, text)
				}
			}
		}
		if t.Failed() {
			break
		}
	}
}

// outlets returns the texts that left the worker, by where they went.
func (w *world) outlets(t *testing.T) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for _, body := range w.model.asked() {
		var request struct {
			Messages []struct {
				Role    string `json:"role"`
				Content string `json:"content"`
			} `json:"messages"`
		}
		if err := json.Unmarshal([]byte(body), &request); err != nil {
			t.Fatal(err)
		}
		for _, m := range request.Messages {
			if m.Role == "user" {
				out["a judge"] = append(out["a judge"], stringsOf(t, []byte(m.Content))...)
			}
		}
	}
	for _, c := range w.cases(t) {
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		out["a case"] = append(out["a case"], stringsOf(t, b)...)
	}
	for _, format := range datasets.Formats() {
		out["an export, "+format.Name] = []string{w.export(t, format)}
	}
	for _, s := range w.agent.Spans() {
		for _, value := range s.Meta {
			out["a span"] = append(out["a span"], value)
		}
		out["a span"] = append(out["a span"], s.Resource)
	}
	for _, m := range w.statsd.Metrics() {
		out["a metric"] = append(out["a metric"], m.Tags...)
	}
	out["the log"] = []string{w.log.text()}
	return out
}

// export writes all cases.
func (w *world) export(t *testing.T, format datasets.Format) string {
	t.Helper()
	cfg := store.DefaultConfig()
	cfg.URL = w.storeURL()
	db, err := store.OpenExisting(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var b bytes.Buffer
	if _, err := datasets.NewCases(db).Export(t.Context(), &b, format, datasets.Filter{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// stringsOf returns the strings and the keys of a JSON value.
func stringsOf(t *testing.T, raw []byte) (out []string) {
	t.Helper()
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		t.Fatal(err)
	}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			out = append(out, v)
		case []any:
			for _, item := range v {
				walk(item)
			}
		case map[string]any:
			for key, member := range v {
				out = append(out, key)
				walk(member)
			}
		}
	}
	walk(value)
	return out
}

var escaped = regexp.MustCompile(`\\+u([0-9A-Fa-f]{4})`)

// undone returns the letters and digits of a text once all disguises are undone, in
// small letters. It is written apart from the redactor's own reading of texts.
func undone(text string) string {
	for range 4 {
		text = escaped.ReplaceAllStringFunc(text, func(s string) string {
			v, err := strconv.ParseUint(s[len(s)-4:], 16, 16)
			if err != nil {
				return s
			}
			return string(rune(v))
		})
		text = html.UnescapeString(text)
		if plain, err := url.QueryUnescape(strings.ReplaceAll(text, "+", "%2B")); err == nil {
			text = plain
		}
	}
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Nd, r):
			zero := r
			for unicode.Is(unicode.Nd, zero-1) {
				zero--
			}
			return '0' + (r-zero)%10
		case r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFKC.String(text))
}

// around returns what stands in a text where its bare form holds something.
func around(text, bared, what string) string {
	at := strings.Index(bared, what) * len(text) / max(len(bared), 1)
	return text[max(0, at-150):min(len(text), at+150)]
}
