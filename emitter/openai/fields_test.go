package openai_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	goopenai "github.com/sashabaranov/go-openai"

	"github.com/evalworker/evalworker/emitter/openai"
	"github.com/evalworker/evalworker/event"
)

// fill sets every field that is exported to a value that is not zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.String:
		v.SetString("text")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.Float64:
		v.SetFloat(0.5)
	}
}

func object(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%v: %s", err, raw)
	}
	return out
}

// TestEveryFieldOfAnAnswer: the event holds whatever the library gives to the application.
func TestEveryFieldOfAnAnswer(t *testing.T) {
	t.Parallel()
	var sent goopenai.ChatCompletionResponse
	fill(reflect.ValueOf(&sent).Elem())
	sent.Choices[0].Message.MultiContent = nil // a message has either
	body, err := json.Marshal(sent)
	if err != nil {
		t.Fatal(err)
	}
	client, published := wrapped(t, 200, string(body))
	if _, err := client.CreateChatCompletion(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(object(t, body), object(t, only(t, published).Output.Raw())); d != "" {
		t.Error(d)
	}
}

// TestEveryFieldOfAStream: pieces are joined to the answer without streaming, with fields
// that the library does not know.
func TestEveryFieldOfAStream(t *testing.T) {
	t.Parallel()
	client, published := wrapped(t, 200, asStream([]string{
		`{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","prompt_filter_results":[{"prompt_index":0}],"choices":[]}`,
		`{"id":"c1","model":"m","service_tier":"flex","system_fingerprint":null,"choices":[{"index":0,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null,"finish_reason":null}]}`,
		`{"id":"c1","model":"m","system_fingerprint":"fp","choices":[{"index":0,"delta":{"content":"He","reasoning_details":[{"text":"a"}]},"logprobs":{"content":[{"token":"He","logprob":-0.5}],"refusal":null}}]}`,
		`{"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"llo","reasoning_details":[{"text":"b"}],"audio":{"id":"a1","data":"AA"}},"logprobs":{"content":[{"token":"llo","logprob":-0.25}]}}]}`,
		`{"id":"c1","model":"m","choices":[{"index":0,"delta":{"audio":{"data":"BB","expires_at":9},"annotations":[{"type":"url_citation"}]},"content_filter_results":{"hate":{"filtered":false}}}]}`,
		`{"id":"c1","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}`,
		`{"id":"c1","model":"m","choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"x_units":4}}`,
	}))
	stream, err := client.CreateChatCompletionStream(t.Context(), request)
	for err == nil {
		_, err = stream.Recv()
	}
	_ = stream.Close()
	want := `{"id":"c1","object":"chat.completion","created":1,"model":"m","service_tier":"flex","system_fingerprint":"fp","prompt_filter_results":[{"prompt_index":0}],
		"choices":[{"index":0,"finish_reason":"stop","content_filter_results":{"hate":{"filtered":false}},
			"logprobs":{"content":[{"token":"He","logprob":-0.5},{"token":"llo","logprob":-0.25}],"refusal":null},
			"message":{"role":"assistant","content":"Hello","refusal":null,"reasoning_details":[{"text":"a"},{"text":"b"}],
				"audio":{"id":"a1","data":"AABB","expires_at":9},"annotations":[{"type":"url_citation"}]}}],
		"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"x_units":4}}`
	if d := cmp.Diff(object(t, []byte(want)), object(t, only(t, published).Output.Raw())); d != "" {
		t.Error(d)
	}
}

// TestStreamThatIsLeftAfterItsEnd: who stops reading when the model has finished has
// cancelled nothing, and later calls publish nothing more.
func TestStreamThatIsLeftAfterItsEnd(t *testing.T) {
	t.Parallel()
	client, published := wrapped(t, 200, asStream(pieces))
	stream, err := client.CreateChatCompletionStream(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	for range 5 { // up to the finish reason
		if _, err := stream.Recv(); err != nil {
			t.Fatal(err)
		}
	}
	_ = stream.Close()
	_ = stream.Close()
	_, _ = stream.Recv()
	if e := only(t, published); e.Status != "success" || e.ErrorType != "" || e.FinishReason != "tool_calls" {
		t.Errorf("%s, %q, %q", e.Status, e.ErrorType, e.FinishReason)
	}
}

// TestStreamThatCannotBeRead: a piece that is no JSON is the library's error, and the event's.
func TestStreamThatCannotBeRead(t *testing.T) {
	t.Parallel()
	client, published := wrapped(t, 200, asStream([]string{pieces[0], pieces[1], `{"choices":`}))
	stream, err := client.CreateChatCompletionStream(t.Context(), request)
	for err == nil {
		_, err = stream.Recv()
	}
	if errors.Is(err, io.EOF) {
		t.Error("no error")
	}
	_ = stream.Close()
	if e := only(t, published); e.Status != "error" || e.ErrorType == "cancelled" || e.Output.Reply() != "Look" {
		t.Errorf("%s, %q, %q", e.Status, e.ErrorType, e.Output.Reply())
	}
}

// TestStreamThatIsForgotten: a stream that is neither read to its end nor closed is published
// when its memory is collected.
func TestStreamThatIsForgotten(t *testing.T) {
	t.Parallel()
	client, _ := wrapped(t, 200, asStream(pieces))
	published := make(channel, 1)
	func() {
		stream, err := openai.Wrap(client.Client, published).CreateChatCompletionStream(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := stream.Recv(); err != nil {
				t.Fatal(err)
			}
		}
	}()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		runtime.GC()
		select {
		case e := <-published:
			if e.Output.Reply() != "Look" || e.ErrorType != "cancelled" {
				t.Errorf("%q, %q", e.Output.Reply(), e.ErrorType)
			}
			return
		default:
		}
	}
	t.Error("it is not published")
}

// again is a transport that tries a request again that is answered with 429.
type again struct{}

func (again) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	for {
		r.Body = io.NopCloser(bytes.NewReader(body))
		resp, err := http.DefaultTransport.RoundTrip(r)
		if err != nil || resp.StatusCode != http.StatusTooManyRequests {
			return resp, err
		}
		_ = resp.Body.Close()
	}
}

// TestRetries: attempts of the application's own HTTP client are counted.
func TestRetries(t *testing.T) {
	t.Parallel()
	tries := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if tries++; tries < 3 {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		_, _ = io.WriteString(w, whole)
	}))
	t.Cleanup(server.Close)
	cfg := goopenai.DefaultConfig("none")
	cfg.BaseURL, cfg.HTTPClient = server.URL, &http.Client{Transport: again{}}
	published := &events{}
	client := openai.Wrap(goopenai.NewClientWithConfig(cfg), published)
	for range 2 {
		if _, err := client.CreateChatCompletion(t.Context(), request); err != nil {
			t.Fatal(err)
		}
	}
	for i, want := range []int64{2, 0} {
		if got := (*published)[i].RetryCount; got == nil || *got != want {
			t.Errorf("request %d: retries %v, want %d", i, got, want)
		}
	}
}

// channel is an Emitter that another goroutine may use.
type channel chan event.Event

func (c channel) Emit(_ context.Context, e event.Event) error {
	c <- e
	return nil
}
