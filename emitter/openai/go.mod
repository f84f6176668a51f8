module github.com/evalworker/evalworker/emitter/openai

go 1.24.0

require (
	github.com/evalworker/evalworker/event v0.0.0
	github.com/google/go-cmp v0.7.0
	github.com/sashabaranov/go-openai v1.43.0
)

require github.com/evalworker/evalworker/internal/base v0.0.0 // indirect

replace github.com/evalworker/evalworker/emitter => ..

replace github.com/evalworker/evalworker/event => ../../event

replace github.com/evalworker/evalworker/internal/base => ../../internal/base
