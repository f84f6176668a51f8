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

// moment is what a step may take when the steps before it have used up the time:
// one that hung must not keep the others from what they do in milliseconds.
const moment = time.Second

// close runs every step, the later even when an earlier one failed, and joins
// their errors. The limit is that of all steps together, and starts now: the
// contexts of whoever is closed have ended by then. Called again it does nothing.
func (c *closers) close(limit time.Duration) error {
	deadline := time.Now().Add(limit)
	var errs []error
	for _, s := range slices.Backward(c.steps) {
		started := time.Now()
		if err := s.within(max(time.Until(deadline), moment)); err != nil {
			errs = append(errs, fmt.Errorf("close %s: %w", s.name, err))
			c.log.Error("close", slog.String(keyComponent, s.name), slog.Any(keyError, err))
			continue
		}
		c.log.Debug("closed", slog.String(keyComponent, s.name), slog.Duration("after", time.Since(started)))
	}
	c.steps = nil
	return errors.Join(errs...)
}

func (s closer) within(limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return s.close(ctx)
}

// bounded makes a step of a close that knows no context. When the time is up it
// is left behind: the process is about to end.
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
