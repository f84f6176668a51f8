module github.com/evalworker/evalworker/test/datadog

go 1.26.0

require (
	github.com/DataDog/datadog-api-client-go/v2 v2.67.0
	github.com/evalworker/evalworker v0.0.0-00010101000000-000000000000
	github.com/google/go-cmp v0.7.0
)

require (
	github.com/DataDog/zstd v1.5.8-0.20260421145859-31a7e515a571 // indirect
	github.com/evalworker/evalworker/event v0.0.0 // indirect
	github.com/evalworker/evalworker/internal/base v0.0.0 // indirect
	github.com/goccy/go-json v0.10.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	golang.org/x/oauth2 v0.36.0 // indirect
)

replace github.com/evalworker/evalworker => ../..

replace github.com/evalworker/evalworker/event => ../../event

replace github.com/evalworker/evalworker/emitter => ../../emitter

replace github.com/evalworker/evalworker/emitter/mskiam => ../../emitter/mskiam

replace github.com/evalworker/evalworker/emitter/ddtrace => ../../emitter/ddtrace

replace github.com/evalworker/evalworker/internal/base => ../../internal/base

replace github.com/evalworker/evalworker/redact => ../../redact

replace github.com/evalworker/evalworker/emitter/openai => ../../emitter/openai

replace github.com/evalworker/evalworker/emitter/otel => ../../emitter/otel
