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

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/emitter/openai"
	"github.com/evalworker/evalworker/event"
)

// envGoProgram makes this test's binary the program in Go.
const envGoProgram = "EVALWORKER_TEST_GO_PROGRAM"

// traceKey holds the traceparent of a request, as a tracer's span would be held.
type traceKey struct{}

func traceContext(ctx context.Context) map[string]string {
	traceparent, _ := ctx.Value(traceKey{}).(string)
	return map[string]string{"traceparent": traceparent}
}

// goProgram is an application with go-openai and an emitter that writes to Kafka. It returns
// its exit code.
func goProgram() int {
	em, err := emitter.New(emitter.Config{Brokers: []string{os.Getenv("KAFKA_BROKERS")}, TraceContext: traceContext}) // publishing
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
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
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// ask makes one request.
func ask(client *openai.Client, j job) error {
	ctx := context.WithValue(context.Background(), traceKey{}, j.Traceparent)
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
		ctx = openai.With(ctx, func(e *event.Event) { e.SessionID = "s1" }) // publishing
		if _, err := client.CreateChatCompletion(ctx, request); err != nil {
			return err
		}
		return client.Feedback(ctx, openai.LastRequestID(ctx), event.RatingUp) // publishing
	}
	_, err := client.CreateChatCompletion(ctx, request)
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
