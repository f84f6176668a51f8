package consumer

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/event"
)

// TestMissingTopic: a worker whose topic does not exist says so, and consumes
// the topic once it is made.
func TestMissingTopic(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1, true)
	b.cfg.Topic += "-later"
	seen := make(chan string, 1)
	w := b.start(Deps{Handle: func(_ context.Context, m event.Message) error { seen <- string(m.Value); return nil }})
	b.eventually("the missing topic named", func() bool {
		return strings.Contains(w.Status().Stalled, "does not exist; create it, or correct kafka.topic")
	})
	if since := w.Status().StalledSince; time.Since(since) > patience {
		t.Errorf("stalled since %v", since)
	}
	b.createTopic(b.cfg.Topic, 1)
	b.publish(0, "first")
	if got := receive(t, seen); got != "first" {
		t.Errorf("consumed %q", got)
	}
	if s := w.Status().Stalled; s != "" {
		t.Errorf("stalled while it consumes: %s", s)
	}
}

// TestMissingTopicShowsAtOnce: a worker, also one that does not lead the group, is not
// well before it is known that there is a topic. A worker without partitions because
// others have them all is well.
func TestMissingTopicShowsAtOnce(t *testing.T) {
	t.Parallel()
	b := newTestbed(t, 1, true)
	there := *b
	b.cfg.Topic += "-later"
	for _, tt := range []struct {
		name  string
		b     *testbed
		group string
		want  bool
	}{{"missing", b, "-missing", true}, {"there", &there, "-there", false}} {
		tt.b.cfg.Group += tt.group
		tt.b.cfg.PartitionWatch = time.Hour // no second look
		workers := []*worker{tt.b.start(Deps{Handle: new(notebook).Handle}), tt.b.start(Deps{Handle: new(notebook).Handle})}
		tt.b.eventually("both joined one generation", func() bool {
			one, two := workers[0].Status(), workers[1].Status()
			return one.Joined && two.Joined && one.Generation == two.Generation
		})
		for i, w := range workers {
			st := w.Status()
			if got := strings.Contains(st.Stalled, "does not exist"); got != tt.want || got == st.StalledSince.IsZero() {
				t.Errorf("topic %s, worker %d: stalled %q since %v", tt.name, i, st.Stalled, st.StalledSince)
			}
		}
	}
}
