package telemetry

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
)

// rfc3339Millis is how slog's text handler writes a time.
const rfc3339Millis = "2006-01-02T15:04:05.000Z07:00"

// TestTracerLogIsLimited: the tracer's complaints about an agent that is down do
// not flood the log: each kind is a line a minute, without the level that the tracer gives
// it, and with the count of those since the last line.
func TestTracerLogIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := &tracerLog{out: slog.New(slog.NewTextHandler(&out, nil))}
		began := time.Now()
		for i := range 100 {
			l.log(3, fmt.Sprintf("Datadog Tracer v2.12.0 ERROR: lost %d traces: agent %d is away", i, i))
		}
		l.log(3, "Datadog Tracer v2.12.0 WARN: another trouble")
		<-time.After(time.Minute)
		l.log(3, "Datadog Tracer v2.12.0 ERROR: lost 7 traces: agent 7 is away")
		want := []string{
			`message="lost 0 traces: agent 0 is away" count=1 since=` + began.Format(rfc3339Millis),
			`message="another trouble" count=100 since=` + began.Format(rfc3339Millis),
			`message="lost 7 traces: agent 7 is away" count=1 since=` + began.Format(rfc3339Millis),
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if len(lines) != len(want) {
			t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), out.String())
		}
		for i, line := range lines {
			if !strings.Contains(line, `level=WARN msg="tracer reports" `) || !strings.HasSuffix(line, want[i]) {
				t.Errorf("line %d: %s\nwant %s", i, line, want[i])
			}
		}
		l.silence()
		l.log(3, "after the end")
		if strings.Contains(out.String(), "after the end") {
			t.Error("a stopped log writes")
		}
	})
}

func TestTracerLogLevels(t *testing.T) {
	t.Parallel()
	for level, want := range map[tracer.LogLevel]string{0: "DEBUG", 1: "INFO", 2: "WARN", 3: "WARN", 99: "WARN", -1: "WARN"} {
		var out bytes.Buffer
		l := tracerLog{out: slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))}
		l.log(level, "m")
		if !strings.Contains(out.String(), "level="+want) {
			t.Errorf("level %d: %q, want %s", level, out.String(), want)
		}
	}
}
