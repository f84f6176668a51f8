package stream

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/segmentio/kafka-go"
)

// TestSilence: only a request that nobody answered speaks of an outage.
func TestSilence(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"no error":         {nil, false},
		"a broker's error": {fmt.Errorf("commit: %w", kafka.NotCoordinatorForGroup), false},
		"given up by us":   {fmt.Errorf("commit: %w", context.Canceled), false},
		"no answer":        {fmt.Errorf("commit: %w", context.DeadlineExceeded), true},
		"connection lost":  {fmt.Errorf("commit: %w", io.ErrUnexpectedEOF), true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var s silence
				s.note(c.err)
				<-time.After(10 * time.Second)
				if got := s.within(10 * time.Second); got != c.want {
					t.Errorf("silence within 10 s: %v, want %v", got, c.want)
				}
				<-time.After(time.Second)
				if s.within(10 * time.Second) {
					t.Error("a silence 11 s ago counts as one within 10 s")
				}
			})
		})
	}
}
