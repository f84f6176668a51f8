module github.com/evalworker/evalworker/event

go 1.24.0

require github.com/evalworker/evalworker/internal/base v0.0.0

replace github.com/evalworker/evalworker/internal/base => ../internal/base

replace github.com/evalworker/evalworker/emitter => ../emitter

replace github.com/evalworker/evalworker/redact => ../redact
