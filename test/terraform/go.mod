module github.com/evalworker/evalworker/test/terraform

go 1.26.0

require (
	github.com/evalworker/evalworker v0.0.0
	github.com/hashicorp/hcl/v2 v2.25.0
	github.com/zclconf/go-cty v1.20.0
)

require (
	github.com/DataDog/datadog-api-client-go/v2 v2.67.0 // indirect
	github.com/DataDog/zstd v1.5.8-0.20260421145859-31a7e515a571 // indirect
	github.com/agext/levenshtein v1.2.1 // indirect
	github.com/apparentlymart/go-textseg/v15 v15.0.0 // indirect
	github.com/apparentlymart/go-textseg/v17 v17.0.1 // indirect
	github.com/evalworker/evalworker/event v0.0.0 // indirect
	github.com/evalworker/evalworker/internal/base v0.0.0 // indirect
	github.com/goccy/go-json v0.10.2 // indirect
	github.com/google/uuid v1.6.0 // indirect
	github.com/mitchellh/go-wordwrap v1.0.1 // indirect
	golang.org/x/mod v0.42.0 // indirect
	golang.org/x/oauth2 v0.36.0 // indirect
	golang.org/x/sync v0.24.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	golang.org/x/tools v0.52.0 // indirect
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
