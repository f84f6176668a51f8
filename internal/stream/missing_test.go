package stream

import (
	"context"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/eval"
)

// TestMissingTopic: a worker whose topic does not exist says so, and consumes
// the topic once it is made.
func TestMissingTopic(t *testing.T) {
	t.Parallel()
	b := newBench(t, 1, true)
	b.cfg.Topic += "-later"
	seen := make(chan string, 1)
	w := b.start(Deps{Handle: func(_ context.Context, m eval.Message) error { seen <- string(m.Value); return nil }})
	b.eventually("the missing topic named", func() bool {
		return strings.Contains(w.Status().Stalled, "does not exist")
	})
	b.createTopic(b.cfg.Topic, 1)
	b.publish(0, "first")
	if got := receive(t, seen); got != "first" {
		t.Errorf("consumed %q", got)
	}
	if s := w.Status().Stalled; s != "" {
		t.Errorf("stalled while it consumes: %s", s)
	}
}
