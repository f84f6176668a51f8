package telemetry

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestLossesAreLogged: the first loss at once, then one line a minute with what was lost
// in it, and one when it is over.
func TestLossesAreLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		l := &losses{log: slog.New(slog.NewTextHandler(&text, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}}))}
		wait := func(d time.Duration, lost ...Drop) {
			t.Helper()
			for range d / flushEvery {
				l.note(lost)
				<-time.After(flushEvery)
			}
		}
		wait(time.Minute)
		began := time.Now().UTC().Format("2006-01-02T15:04:05.000Z")
		wait(90*time.Second, Drop{SinkTraces, "send_failed", 2}, Drop{SinkDogStatsD, "queue_full", 1}, Drop{SinkLLMObs, "unreachable", 1})
		wait(3 * time.Minute)
		l.note([]Drop{{SinkTraces, "send_failed", 1}})
		l.note([]Drop{{SinkTraces, "send_failed", 4}})
		l.end()
		again := strings.Count(text.String(), "since=")
		want := `level=WARN msg="spans and metrics are lost" lost.traces.send_failed=2 lost.dogstatsd.queue_full=1 since=` + began + `
level=WARN msg="spans and metrics are lost" lost.traces.send_failed=120 lost.dogstatsd.queue_full=60 since=` + began + `
level=WARN msg="spans and metrics are lost" lost.traces.send_failed=58 lost.dogstatsd.queue_full=29 since=` + began + `
level=INFO msg="spans and metrics are complete again" after=1m29s
level=WARN msg="spans and metrics are lost" lost.traces.send_failed=1 since=`
		if got := text.String(); !strings.HasPrefix(got, want) || again != 5 {
			t.Errorf("%s\nwant\n%s", got, want)
		}
	})
}
