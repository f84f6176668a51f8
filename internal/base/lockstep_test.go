package base_test

import (
	_ "github.com/evalworker/evalworker/emitter" // makes go.mod require the others, see the package's comment
	_ "github.com/evalworker/evalworker/event"
	_ "github.com/evalworker/evalworker/redact"
)
