package emitter_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
)

func TestUnsentErrorCounts(t *testing.T) {
	t.Parallel()
	away, long := errors.New("away"), strings.Repeat("id", 1000)
	for want, u := range map[string]emitter.UnsentError{
		"1 event not sent, a: away":                  {Count: 1, RequestIDs: []event.RequestID{"a"}, Err: away},
		"2 events not sent, the first is a: away":    {Count: 2, RequestIDs: []event.RequestID{"a", "b"}, Err: away},
		"1 event not sent, " + long[:100] + ": away": {Count: 1, RequestIDs: []event.RequestID{event.RequestID(long)}, Err: away},
		"3 events not sent: away":                    {Count: 3, Err: away},
	} {
		if got := u.Error(); got != want || !errors.Is(&u, away) {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
