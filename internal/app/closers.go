package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"
)

// closers are the named steps that close what New opened, last in, first out.
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

// closeMin is the time that a step gets even when earlier steps used up the limit,
// because a hanging step must not prevent others that take milliseconds.
const closeMin = time.Second

// close runs every step, even after one that failed, and joins their errors. The
// limit is for all steps together and starts now, because the contexts of the
// parts have already ended. A second call does nothing.
func (c *closers) close(limit time.Duration) error {
	deadline := time.Now().Add(limit)
	var errs []error
	for _, s := range slices.Backward(c.steps) {
		started := time.Now()
		if err := s.run(max(time.Until(deadline), closeMin)); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", s.name, err))
			c.log.Error("a part did not close in good order", slog.String(keyComponent, s.name), slog.Any(keyError, err))
			continue
		}
		c.log.Debug("closed", slog.String(keyComponent, s.name), slog.Duration("after", time.Since(started)))
	}
	c.steps = nil
	return errors.Join(errs...)
}

func (s closer) run(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return s.close(ctx)
}

// bounded turns a close function without a context into a step. When the time is up
// the function is abandoned, because the process is about to end.
func bounded(fn func() error) func(context.Context) error {
	return func(ctx context.Context) error {
		done := make(chan error, 1)
		go func() { done <- fn() }()
		select {
		case err := <-done:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Keys of log attributes.
const (
	keyComponent = "component"
	keyError     = "error"
)
