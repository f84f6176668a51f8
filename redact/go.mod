module github.com/evalworker/evalworker/redact

go 1.24.0

require (
	github.com/evalworker/evalworker/event v0.0.0
	github.com/evalworker/evalworker/internal/base v0.0.0
	golang.org/x/net v0.38.0
	golang.org/x/text v0.23.0
)

replace github.com/evalworker/evalworker/event => ../event

replace github.com/evalworker/evalworker/internal/base => ../internal/base

replace github.com/evalworker/evalworker/emitter => ../emitter
