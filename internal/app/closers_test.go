package app

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestClosers: last in, first out, all of them, whatever an earlier one returns.
func TestClosers(t *testing.T) {
	t.Parallel()
	var order []string
	var log strings.Builder
	c := closers{log: slog.New(slog.NewJSONHandler(&log, nil))}
	broken := errors.New("broken")
	for _, name := range []string{"store", "telemetry", "models"} {
		c.add(name, func(ctx context.Context) error {
			if _, limited := ctx.Deadline(); !limited {
				t.Errorf("%s is closed without a limit", name)
			}
			order = append(order, name)
			if name == "telemetry" {
				return broken
			}
			return nil
		})
	}
	err := c.close(time.Minute)
	if want := []string{"models", "telemetry", "store"}; !slices.Equal(order, want) {
		t.Errorf("closed %v, want %v", order, want)
	}
	if !errors.Is(err, broken) || err.Error() != "close telemetry: broken" {
		t.Errorf("error %v, want the step's name and its error", err)
	}
	if !strings.Contains(log.String(), `"component":"telemetry","error":"broken"`) {
		t.Errorf("log %s", log.String())
	}
	if err := c.close(time.Minute); err != nil || len(order) != 3 {
		t.Errorf("closed again: %v, %v", err, order)
	}
}

// TestClosersShareTheTime: a step that hangs uses up the limit, but not closeMin of
// the others.
func TestClosersShareTheTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := closers{log: slog.New(slog.DiscardHandler)}
		closed := false
		release := make(chan struct{})
		c.add("store", bounded(func() error { closed = true; return nil }))
		c.add("disk", bounded(func() error { <-release; return nil }))
		began := time.Now()
		err := c.close(10 * time.Second)
		if !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "close disk: ") {
			t.Errorf("error %v, want that of the step that hangs", err)
		}
		if took := time.Since(began); !closed || took != 10*time.Second {
			t.Errorf("after %v, the step behind it closed: %v", took, closed)
		}
		close(release)
	})
}
