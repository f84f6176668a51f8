package cli_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/internal/cli"
)

// limitedLine is a line of a log that is limited.
type limitedLine struct {
	Level, Msg, Part string
	I                int
	Left_Out, Count  int //nolint:revive,staticcheck // as JSON has it
	Since            time.Time
}

func limitedLines(t *testing.T, text *bytes.Buffer) (lines []limitedLine) {
	t.Helper()
	for dec := json.NewDecoder(text); dec.More(); {
		var l limitedLine
		if err := dec.Decode(&l); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, l)
	}
	return lines
}

// TestALogIsBounded: a rebalance every second is five lines a minute, and no line is lost from
// the count; what is rare, and what is at DEBUG, passes.
func TestALogIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		log := cli.NewLog(&text, false, slog.LevelDebug)
		of := log.With("part", "consumer")
		const minutes = 10
		for i := range minutes * 60 {
			of.Info("partitions assigned", "i", i)
			of.Info("generation ended", "i", i)
			of.Debug("each time")
			if i%60 == 30 {
				log.Warn("something else", "count", 7)
			}
			<-time.After(time.Second)
		}
		assigned, leftOut, others, debug := 0, 0, 0, 0
		for _, l := range limitedLines(t, &text) {
			switch l.Msg {
			case "partitions assigned":
				assigned++
				leftOut += l.Left_Out
				if l.Part != "consumer" {
					t.Errorf("lost its attributes: %+v", l)
				}
			case "something else":
				others++
			case "each time":
				debug++
			}
		}
		if assigned != 5*minutes || leftOut != (minutes-1)*55 || others != minutes || debug != minutes*60 {
			t.Errorf("%d lines, %d left out, %d others, %d at DEBUG", assigned, leftOut, others, debug)
		}
	})
}

// TestALimitedPartCountsItsTroubles: what is limited to one line a minute says how often and
// since when, as the rest of the log does.
func TestALimitedPartCountsItsTroubles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		log := cli.LimitLines(slog.New(slog.NewJSONHandler(&text, nil)), 1)
		began := time.Now()
		for range 121 {
			log.Error("cannot be deleted")
			<-time.After(time.Second)
		}
		lines := limitedLines(t, &text)
		if len(lines) != 3 || lines[0].Count != 1 || lines[1].Count != 60 || lines[2].Count != 60 || !lines[0].Since.Equal(began) {
			t.Errorf("%+v", lines)
		}
	})
}

// TestCountedLinesPass: what counts itself is a line a minute for each cause, so that the sixth
// cause of a minute is not hidden, and has one count, wherever that stands.
func TestCountedLinesPass(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var text bytes.Buffer
		log := cli.NewLog(&text, false, slog.LevelInfo)
		began := time.Now()
		const causes = 8
		for i := range causes {
			log.With("count", 3, "since", began).Error("fails", "i", i)
			log.Error("fails", "i", i, slog.Group("", "count", 3, "since", began)) // stands by itself
		}
		if n := strings.Count(text.String(), `"count":`); n != 2*causes {
			t.Errorf("%d counts in\n%s", n, &text)
		}
		for i, l := range limitedLines(t, &text) {
			if l.I != i/2 || l.Count != 3 || !l.Since.Equal(began) || l.Left_Out != 0 {
				t.Errorf("line %d: %+v", i, l)
			}
		}
	})
}
