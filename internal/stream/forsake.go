package stream

import (
	"context"
	"errors"
	"sync"

	"github.com/segmentio/kafka-go"
)

// forsaken signs off a member that kafka-go has given up. After it failed to
// reach the coordinator, kafka-go joins as a new member, and the group would
// wait for the old one until its session has timed out: seven seconds in which
// nobody consumes, after a broker that was away is back.
type forsaken struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// forsake goes on until the coordinator has heard it, or until stop.
func (c *Consumer) forsake(member string) *forsaken {
	ctx, cancel := context.WithCancel(context.Background())
	f := &forsaken{cancel: cancel}
	f.done.Go(func() {
		for {
			if c.signOff(ctx, member) == nil || pause(ctx, joinBackoff) != nil {
				return
			}
		}
	})
	return f
}

func (c *Consumer) signOff(ctx context.Context, member string) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	res, err := c.client.LeaveGroup(ctx, &kafka.LeaveGroupRequest{
		GroupID: c.cfg.Group,
		Members: []kafka.LeaveGroupRequestMember{{ID: member}},
	})
	if err != nil {
		return err
	}
	err = res.Error
	for _, m := range res.Members {
		err = errors.Join(err, m.Error)
	}
	if errors.Is(err, kafka.UnknownMemberId) {
		return nil // it is not there any more
	}
	return err
}

// stop ends it and waits for that. A nil one is none.
func (f *forsaken) stop() {
	if f == nil {
		return
	}
	f.cancel()
	f.done.Wait()
}
