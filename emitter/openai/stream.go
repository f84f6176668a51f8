package openai

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/sashabaranov/go-openai"
)

// Stream is a stream of go-openai that is published when it ends, fails or is closed.
type Stream struct {
	*openai.ChatCompletionStream
	call   *call
	answer openai.ChatCompletionResponse
	texts  []texts // of the answer's choices
	usage  *openai.Usage
}

// texts are the long texts of a choice so far. To join them as strings would copy the whole
// for each piece.
type texts struct{ content, refusal, reasoning []byte }

// errClosedEarly is the outcome of a stream that the application leaves.
var errClosedEarly = closedEarly{}

type closedEarly struct{}

func (closedEarly) Error() string { return "the stream was closed before its end" }

// Is makes it a cancellation.
func (closedEarly) Is(target error) bool { return target == context.Canceled }

// Recv is the library's method.
func (s *Stream) Recv() (openai.ChatCompletionStreamResponse, error) {
	piece, err := s.ChatCompletionStream.Recv()
	switch {
	case err == nil:
		s.add(&piece)
	case errors.Is(err, io.EOF):
		s.end(nil)
	default:
		s.end(err)
	}
	return piece, err
}

// Close is the library's method. A stream that is closed before its end is published as
// far as it came, as cancelled.
func (s *Stream) Close() error {
	s.end(errClosedEarly)
	return s.ChatCompletionStream.Close()
}

func (s *Stream) end(err error) {
	if !s.call.ended {
		for i := range s.texts {
			m, t := &s.answer.Choices[i].Message, &s.texts[i]
			m.Content, m.Refusal, m.ReasoningContent = string(t.content), string(t.refusal), string(t.reasoning)
		}
		s.call.answer(s.answer.Model, s.answer, s.usage)
		if len(s.answer.Choices) > 0 {
			s.call.event.FinishReason = string(s.answer.Choices[0].FinishReason)
		}
	}
	s.call.end(err)
}

// add joins a piece to the answer that the request would have had without streaming.
func (s *Stream) add(piece *openai.ChatCompletionStreamResponse) {
	s.answer.ID, s.answer.Model, s.answer.Created = piece.ID, piece.Model, piece.Created
	s.answer.Object, s.answer.SystemFingerprint = "chat.completion", piece.SystemFingerprint
	if piece.Usage != nil {
		s.usage = piece.Usage
		s.answer.Usage = *piece.Usage
	}
	for i := range piece.Choices {
		part := &piece.Choices[i]
		at := slices.IndexFunc(s.answer.Choices, func(c openai.ChatCompletionChoice) bool { return c.Index == part.Index })
		if at < 0 {
			at = len(s.answer.Choices)
			s.answer.Choices = append(s.answer.Choices, openai.ChatCompletionChoice{
				Index: part.Index, Message: openai.ChatCompletionMessage{Role: openai.ChatMessageRoleAssistant},
			})
			s.texts = append(s.texts, texts{})
		}
		choice := &s.answer.Choices[at]
		if part.FinishReason != "" {
			choice.FinishReason = part.FinishReason
		}
		m, d := &choice.Message, &part.Delta
		if s.call.event.FirstTokenLatencyMS == nil && (d.Content != "" || d.Refusal != "" || d.ReasoningContent != "" || len(d.ToolCalls) > 0 || d.FunctionCall != nil) {
			s.call.event.FirstTokenLatencyMS = new(s.call.elapsed())
		}
		t := &s.texts[at]
		t.content = append(t.content, d.Content...)
		t.refusal = append(t.refusal, d.Refusal...)
		t.reasoning = append(t.reasoning, d.ReasoningContent...)
		if d.FunctionCall != nil {
			if m.FunctionCall == nil {
				m.FunctionCall = &openai.FunctionCall{}
			}
			m.FunctionCall.Name += d.FunctionCall.Name
			m.FunctionCall.Arguments += d.FunctionCall.Arguments
		}
		for j := range d.ToolCalls {
			m.ToolCalls = addCall(m.ToolCalls, &d.ToolCalls[j])
		}
	}
}

// maxCalls bounds the calls of one answer; a stream cannot ask for more memory by an index.
const maxCalls = 1000

// addCall joins a piece of a call to those of the answer. A server that sends no index
// sends whole calls, or goes on with the last one.
func addCall(calls []openai.ToolCall, piece *openai.ToolCall) []openai.ToolCall {
	index := len(calls) - 1
	switch {
	case piece.Index != nil:
		index = *piece.Index
	case piece.ID != "" || index < 0:
		index = len(calls)
	}
	if index < 0 || index >= maxCalls {
		return calls
	}
	for len(calls) <= index {
		calls = append(calls, openai.ToolCall{Type: openai.ToolTypeFunction})
	}
	call := &calls[index]
	if piece.ID != "" {
		call.ID = piece.ID
	}
	if piece.Type != "" {
		call.Type = piece.Type
	}
	call.Function.Name += piece.Function.Name
	call.Function.Arguments += piece.Function.Arguments
	return calls
}
