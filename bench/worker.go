package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/config"
)

// lookEvery is how often a worker's counts are looked at. Events between the
// look and the moment are counted with the CPU time that they took.
const lookEvery = 20 * time.Millisecond

// beWorker runs the whole worker and tells its figures once it has consumed the
// events of the job, or when it is told to end.
func beWorker(ctx context.Context, j job) error {
	cfg, err := config.Load(j.Config, nil)
	if err != nil {
		return err
	}
	a, err := app.New(ctx, cfg, app.Deps{Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), Version: "bench"})
	if err != nil {
		return err
	}
	var running sync.WaitGroup
	var ran error
	running.Go(func() { ran = a.Run(ctx) })
	err = watch(ctx, a, j.Events)
	running.Wait()
	return errors.Join(err, ran)
}

func watch(ctx context.Context, a *app.App, events int64) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var began *meter
	for {
		ended := false
		select {
		case <-tick.C:
		case <-ctx.Done():
			ended = true
		}
		n := a.Status().Events.Consumed
		switch {
		case began == nil && (n > 0 || ended):
			m, err := newMeter(n)
			if err != nil {
				return err
			}
			began = &m
		case began != nil && (ended && events == 0 || events > 0 && n >= events):
			return began.tell(n)
		}
		if ended {
			return nil
		}
	}
}
