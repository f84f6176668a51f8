package telemetry

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/DataDog/dd-trace-go/v2/ddtrace/tracer"
)

// TestTracerLogIsLimited: the tracer's complaints about an agent that is down do
// not flood the log, which says how many lines were suppressed.
func TestTracerLogIsLimited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := &tracerLog{out: slog.New(slog.NewTextHandler(&out, nil))}
		for range 100 {
			l.log(3, "lost 1 traces")
		}
		if got := strings.Count(out.String(), "lost 1 traces"); got != tracerLines {
			t.Errorf("%d lines, want %d", got, tracerLines)
		}
		<-time.After(time.Minute)
		l.log(3, "again")
		if !strings.Contains(out.String(), "message=again suppressed=94") {
			t.Errorf("the log does not say what it left out:\n%s", out.String())
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
