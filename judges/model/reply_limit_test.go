package model

import (
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/evalworker/evalworker/eval"
)

// TestReplyLimit sends replies of all sizes: the longest answer within max_tokens must
// arrive, even in the longest characters; a longer one must not be kept in memory,
// whatever its length and with or without a Content-Length.
func TestReplyLimit(t *testing.T) {
	t.Parallel()
	limit := replyLimit(DefaultConfig())
	longest := said(strings.Repeat(`☃☃☃☃`, DefaultConfig().MaxTokens))
	tests := map[string]struct {
		size   int64 // of white space before the reply
		length bool
		ok     bool
	}{
		"the longest answer":            {0, false, true},
		"the longest answer, length":    {0, true, true},
		"up to the bound":               {limit - int64(len(longest)), false, true},
		"up to the bound, length":       {limit - int64(len(longest)), true, true},
		"a byte above":                  {limit - int64(len(longest)) + 1, false, false},
		"a byte above, length":          {limit - int64(len(longest)) + 1, true, false},
		"32 MB":                         {32 << 20, false, false},
		"32 MB, length":                 {32 << 20, true, false},
		"a gigabyte by its own account": {1 << 30, true, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var taken atomic.Int64
			done := make(chan struct{})
			m := endpoint(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				defer close(done)
				if tt.length {
					w.Header().Set("Content-Length", strconv.FormatInt(tt.size+int64(len(longest)), 10))
				}
				blank := []byte(strings.Repeat(" ", 1<<16))
				for left := tt.size; left > 0; {
					n, err := w.Write(blank[:min(left, int64(len(blank)))])
					if err != nil {
						return
					}
					taken.Add(int64(n))
					left -= int64(n)
				}
				_, _ = io.WriteString(w, longest)
			}), nil)
			_, err := m.Complete(t.Context(), ask())
			<-done
			switch reason := eval.ReasonOf(err); {
			case tt.ok && err != nil:
				t.Errorf("refused: %v", err)
			case !tt.ok && reason != eval.ReasonUnparsable:
				t.Errorf("reason = %q (%v); want %q", reason, err, eval.ReasonUnparsable)
			}
			// What lies in buffers of the kernel is no memory of ours.
			if most := limit + maxDrain + 16<<20; taken.Load() > most {
				t.Errorf("took %d bytes, of which %d were allowed", taken.Load(), most)
			}
		})
	}
}

// TestReplyLimitOfThinking: the limit of a reasoning model includes its thinking.
func TestReplyLimitOfThinking(t *testing.T) {
	t.Parallel()
	plain, thinks := DefaultConfig(), DefaultConfig()
	thinks.Model = "o4-mini"
	if a, b := replyLimit(plain), replyLimit(thinks); b-a != thinkingTokens*tokenBytes {
		t.Errorf("limits %d and %d", a, b)
	}
}
