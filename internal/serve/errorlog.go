package serve

import (
	stdlog "log"
	"log/slog"
	"strings"

	"github.com/evalworker/evalworker/internal/outage"
)

// ErrorLog returns what an [http.Server] takes as its ErrorLog. Each line has a fixed
// message, and the server's own text as an attribute, at most once a minute. Of a panic
// in a handler it shows the stack and not the value, which may hold content. Without a
// log it discards everything.
func ErrorLog(log *slog.Logger) *stdlog.Logger {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return stdlog.New(&errorLog{log: log}, "", 0)
}

type errorLog struct {
	log    *slog.Logger
	failed outage.Limiter
	panics outage.Limiter
}

const maxErrorText = 200 // bytes of a line that are shown

// Write logs one message of the server.
func (l *errorLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	if strings.HasPrefix(text, "http: panic serving") {
		stack := "" // behind the value, which may look like one
		if i := strings.LastIndex(text, "\ngoroutine "); i >= 0 {
			stack = text[i+1:]
		}
		if seen, ok := l.panics.AllowCause(panicPlace(stack)); ok {
			seen.On(l.log).Error("a panic, which is a fault of this program: a request gets no answer", "stack", stack)
		}
		return len(line), nil
	}
	if seen, ok := l.failed.Allow(); ok {
		seen.On(l.log).Warn("HTTP server reports a problem", "problem", strings.ToValidUTF8(text[:min(len(text), maxErrorText)], ""))
	}
	return len(line), nil
}

// panicPlace returns the function in which the code of a stack panicked; "" if that cannot be
// read. Panics in other functions are other faults.
func panicPlace(stack string) string {
	panicked := false
	for line := range strings.Lines(stack) {
		switch {
		case strings.HasPrefix(line, "panic("):
			panicked = true
		case panicked && !strings.HasPrefix(line, "\t") && !strings.HasPrefix(line, "runtime."):
			if i := strings.LastIndexByte(line, '('); i > 0 {
				line = line[:i] // without the arguments
			}
			return line
		}
	}
	return ""
}
