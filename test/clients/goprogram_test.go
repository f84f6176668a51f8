package clients

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	goopenai "github.com/sashabaranov/go-openai"
	"go.opentelemetry.io/otel/trace"

	"github.com/evalworker/evalworker/emitter"        // publishing
	"github.com/evalworker/evalworker/emitter/openai" // publishing
	"github.com/evalworker/evalworker/emitter/otel"   // publishing
	"github.com/evalworker/evalworker/event"
)

// envGoProgram makes this test's binary the program in Go.
const envGoProgram = "EVALWORKER_TEST_GO_PROGRAM"

// goSidecar is the name of the program in Go that publishes through the sidecar.
const goSidecar = "go-openai-sidecar"

// goProgram is an application with go-openai and spans of OpenTelemetry. It returns its exit code.
func goProgram() int {
	if err := goProgramRun(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// goConfig returns where the program's emitter sends events: to Kafka, or to the sidecar.
func goConfig() emitter.Config {
	if os.Getenv("PROGRAM") == goSidecar {
		return emitter.Config{Sidecar: os.Getenv("EVALWORKER_URL"), SidecarToken: emitter.Secret(os.Getenv("EVALWORKER_TOKEN")), TraceContext: otel.FromContext}
	}
	return emitter.Config{Brokers: []string{os.Getenv("KAFKA_BROKERS")}, TraceContext: otel.FromContext}
}

func goProgramRun() error {
	em, err := emitter.New(goConfig()) // publishing
	if err != nil {                    // publishing
		return err // publishing
	}
	cfg := goopenai.DefaultConfig("none")
	cfg.BaseURL, cfg.HTTPClient = os.Getenv("MODEL_URL")+"/v1", &http.Client{Transport: retrying{}}
	fields := func(e *event.Event) {
		e.Feature, e.PromptName, e.PromptVersion = "parcels", os.Getenv("PROGRAM"), "v1"
		e.UserIDHash = openai.UserIDHash(user)
	}
	client := openai.Wrap(goopenai.NewClientWithConfig(cfg), em, fields) // publishing

	var jobs []job
	text, err := os.ReadFile(os.Getenv("JOBS"))
	if err == nil {
		err = json.Unmarshal(text, &jobs)
	}
	waiting, failed := make(chan job, len(jobs)), make(chan error, len(jobs)+1)
	failed <- err
	for _, j := range jobs {
		waiting <- j
	}
	close(waiting)
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for j := range waiting {
				if err := ask(client, j); err != nil {
					failed <- fmt.Errorf("%s: %w", j.Question, err)
				}
			}
		})
	}
	work.Wait()
	close(failed)
	err = em.Close(context.Background()) // publishing
	for one := range failed {
		err = errors.Join(err, one)
	}
	return err
}

// spanContext returns a context with the span of a request, as a tracer of OpenTelemetry makes one.
func spanContext(traceparent string) (context.Context, error) {
	parts := strings.Split(traceparent, "-")
	if len(parts) != 4 {
		return nil, fmt.Errorf("traceparent %q", traceparent)
	}
	traceID, err := trace.TraceIDFromHex(parts[1])
	if err != nil {
		return nil, err
	}
	spanID, err := trace.SpanIDFromHex(parts[2])
	if err != nil {
		return nil, err
	}
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: traceID, SpanID: spanID, TraceFlags: trace.FlagsSampled})
	return trace.ContextWithSpanContext(context.Background(), span), nil
}

// ask makes one request.
func ask(client *openai.Client, j job) error {
	ctx, err := spanContext(j.Traceparent)
	if err != nil {
		return err
	}
	request := goopenai.ChatCompletionRequest{
		Model: "small", Messages: []goopenai.ChatCompletionMessage{{Role: "user", Content: j.Question}},
	}
	if strings.HasSuffix(string(j.Kind), "tools") {
		request.Tools = []goopenai.Tool{{Type: "function", Function: &goopenai.FunctionDefinition{Name: lookup, Parameters: map[string]string{"type": "object"}}}}
	}
	switch j.Kind {
	case streamed, streamedTools:
		stream, err := client.CreateChatCompletionStream(ctx, request)
		var last, piece goopenai.ChatCompletionStreamResponse
		for err == nil {
			last = piece
			piece, err = stream.Recv()
		}
		if !errors.Is(err, io.EOF) || last.Usage == nil {
			return fmt.Errorf("no end, or no usage: %w", err)
		}
		return stream.Close()
	case cancelled:
		ctx, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		if _, err := client.CreateChatCompletion(ctx, request); !errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("not cancelled: %w", err)
		}
		return nil
	case failing:
		if _, err := client.CreateChatCompletion(ctx, request); err == nil {
			return errors.New("no error")
		}
		return nil
	case rated:
		ctx = openai.With(ctx, func(e *event.Event) { e.SessionID = "s1" }) // rating
		if _, err := client.CreateChatCompletion(ctx, request); err != nil {
			return err
		}
		return client.Feedback(ctx, openai.LastRequestID(ctx), event.RatingUp) // rating
	}
	_, err = client.CreateChatCompletion(ctx, request)
	return err
}

// retrying is a transport that tries again after 429, which go-openai leaves to its HTTP client.
type retrying struct{}

func (retrying) RoundTrip(r *http.Request) (*http.Response, error) {
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
