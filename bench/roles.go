package main

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/base/conn"
	"github.com/evalworker/evalworker/internal/config"
)

// commitEvery is the number of events for which a bare Reader commits once. Each
// commit passes through a goroutine of the Reader, so fewer flatter it.
const commitEvery = 100

// runReader is the baseline: kafka-go's group Reader, tuned for this, which does
// nothing with what it reads.
func runReader(ctx context.Context, j job) error {
	cfg := conn.DefaultConfig()
	cfg.Brokers = j.Brokers
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: j.Brokers, Dialer: conn.NewConnector(cfg).BufferedDialer(256 << 10), GroupID: rand.Text(), Topic: j.Topic, StartOffset: kafka.FirstOffset,
		QueueCapacity: 1000, MinBytes: 1, MaxBytes: 10 << 20, MaxWait: 250 * time.Millisecond, CommitInterval: 100 * time.Millisecond,
	})
	var began meter
	for n := range j.Events {
		m, err := r.FetchMessage(ctx)
		if err != nil {
			return err
		}
		if n == 0 {
			if began, err = newMeter(1); err != nil {
				return err
			}
		}
		if n%commitEvery == 0 {
			if err := r.CommitMessages(ctx, m); err != nil {
				return err
			}
		}
	}
	if err := began.print(j.Events); err != nil {
		return err
	}
	return r.Close()
}

// pollEvery is how often a worker's counts are read. Events beyond those of the job
// are counted until then, as is their CPU time.
const pollEvery = 20 * time.Millisecond

// runWorker runs the whole worker and prints its figures once it has consumed the
// events of the job, or when stdin ends.
func runWorker(ctx context.Context, j job) error {
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
	err = measureWorker(ctx, a, j.Events)
	running.Wait()
	return errors.Join(err, ran)
}

func measureWorker(ctx context.Context, a *app.App, events int64) error {
	tick := time.NewTicker(pollEvery)
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
			return began.print(n)
		}
		if ended {
			return nil
		}
	}
}
