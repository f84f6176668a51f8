package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// closers are the named steps that undo a New, last in, first out.
type closers struct {
	steps []closer
	log   *slog.Logger
}

type closer struct {
	name  string
	close func(context.Context) error
}

func (c *closers) add(name string, fn func(context.Context) error) {
	c.steps = append(c.steps, closer{name, fn})
}

// closeWithin runs close under a time limit of its own: the contexts of whoever
// is closed have ended by then.
func (c *closers) closeWithin(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return c.close(ctx)
}

// close runs every step, the later even when an earlier one failed, and joins
// their errors. Called again it does nothing.
func (c *closers) close(ctx context.Context) error {
	var errs []error
	for _, s := range slices.Backward(c.steps) {
		started := time.Now()
		if err := s.close(ctx); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", s.name, err))
			c.log.Error("close", slog.String(keyComponent, s.name), slog.Any(keyError, err))
			continue
		}
		c.log.Debug("closed", slog.String(keyComponent, s.name), slog.Duration("after", time.Since(started)))
	}
	c.steps = nil
	return errors.Join(errs...)
}

// Keys of log attributes.
const (
	keyComponent = "component"
	keyError     = "error"
)
