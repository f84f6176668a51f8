package main

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/kafka/conn"
)

// commitEvery is how many events a bare Reader takes for one commit. Each commit
// passes through its own goroutine, so this is kind to it.
const commitEvery = 100

// beReader is what there is to compare with: kafka-go's group Reader, tuned for
// this, which does nothing with what it reads.
func beReader(ctx context.Context, j job) error {
	cfg := conn.DefaultConfig()
	cfg.Brokers = j.Brokers
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers: j.Brokers, Dialer: conn.NewBufferedDialer(cfg, 256<<10), GroupID: rand.Text(), Topic: j.Topic, StartOffset: kafka.FirstOffset,
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
	if err := began.tell(j.Events); err != nil {
		return err
	}
	return r.Close()
}
