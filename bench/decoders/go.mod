module github.com/evalworker/evalworker/bench/decoders

go 1.26.0

require (
	github.com/bytedance/sonic v1.15.5
	github.com/evalworker/evalworker/event v0.0.0
	github.com/go-json-experiment/json v1.27.2
	github.com/goccy/go-json v0.12.0
)

require (
	github.com/bytedance/gopkg v0.1.3 // indirect
	github.com/bytedance/sonic/loader v0.5.3 // indirect
	github.com/cloudwego/base64x v0.1.6 // indirect
	github.com/evalworker/evalworker/internal/base v0.0.0 // indirect
	github.com/klauspost/cpuid/v2 v2.3.0 // indirect
	github.com/stretchr/testify v1.12.1 // indirect
	github.com/twitchyliquid64/golang-asm v0.15.1 // indirect
	golang.org/x/arch v0.0.0-20210923205945-b76863e36670 // indirect
	golang.org/x/sys v0.49.0 // indirect
)

replace github.com/evalworker/evalworker/event => ../../event

replace github.com/evalworker/evalworker/emitter => ../../emitter

replace github.com/evalworker/evalworker/internal/base => ../../internal/base

replace github.com/evalworker/evalworker/redact => ../../redact
