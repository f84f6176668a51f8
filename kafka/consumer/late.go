package consumer

import (
	"context"
	"sync"
	"time"
)

// lateShare is the part of the commit interval after which late commits are made:
// which of them is the last nobody knows before, and what finishes after it is
// done again.
const trailingShare = 5

// lateCommits goes on committing for a generation that this member has let go
// of, while the group waits for its other members to do the same. The broker
// takes such commits until the next generation is made, so what finishes
// meanwhile on a partition that moves away is not done again.
//
// It never meets the commits of another generation: the next session stops it
// before it begins, and a commit that is under way then is refused by the
// broker, because it names the old generation.
type trailingCommits struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

func (s *generation) startTrailing() *trailingCommits {
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.app))
	l := &trailingCommits{cancel: cancel}
	l.done.Go(func() {
		tick := time.NewTicker(s.c.cfg.CommitInterval / trailingShare)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			// The first refusal means that the next generation is there, or
			// that there is nobody to take a commit.
			if s.c.commit(ctx, s.membership(), s.parts) != nil {
				return
			}
		}
	})
	return l
}

// stop ends it and waits for that. A nil one is none.
func (l *trailingCommits) stop() {
	if l == nil {
		return
	}
	l.cancel()
	l.done.Wait()
}
