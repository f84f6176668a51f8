package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

const partitions = 8

// consume compares reading: a bare group Reader, a worker that samples one event
// in a hundred by its headers, and one that validates each event's output.
func consume(ctx context.Context, w *world, opts options) error {
	topic, err := w.topic(ctx, partitions)
	if err != nil {
		return err
	}
	if err := w.publish(ctx, topic, opts.events, 0, nil); err != nil {
		return err
	}
	const rate = "evaluators: [{name: reply_format, type: json_schema, schema: support_reply, rate: %s}]"
	kinds := []struct{ name, rate string }{{name: "bare group Reader"}, {"worker, samples 1 %", "0.01"}, {"worker, validates 100 %", "1"}}
	runs := make([][]figures, len(kinds))
	for pair := range opts.pairs {
		for i, k := range kinds {
			j, role := job{Brokers: w.brokers, Topic: topic, Events: int64(opts.events)}, roleReader
			if opts.profiles != "" {
				j.Profile = filepath.Join(opts.profiles, fmt.Sprintf("consume-%d.pprof", i))
			}
			if k.rate != "" {
				role = roleWorker
				// A new group each time, so that it reads from the beginning.
				if j.Config, err = w.configure(fmt.Sprintf("consume-%d-%d", i, pair), topic, "", fmt.Sprintf(rate, k.rate)); err != nil {
					return err
				}
			}
			f, err := runProcess(ctx, role, j)
			if err != nil {
				return fmt.Errorf("%s: %w", k.name, err)
			}
			runs[i] = append(runs[i], f)
		}
	}
	fmt.Fprintf(w.out, "\nconsume: %d events of 2 KB, %d partitions, median of %d runs in turn\n", opts.events, partitions, opts.pairs)
	fmt.Fprintf(w.out, "%-26s %14s %10s %12s %10s\n", "", "CPU an event", "ratio", "events/s", "peak RSS")
	base := median(runs[0], figures.cpuPerEvent)
	for i, k := range kinds {
		cpu := median(runs[i], figures.cpuPerEvent)
		fmt.Fprintf(w.out, "%-26s %14s %10.2f %12.0f %7.0f MB\n", k.name, cpu.Round(10*time.Nanosecond), float64(cpu)/float64(base),
			median(runs[i], figures.perSecond), float64(median(runs[i], func(f figures) int64 { return f.PeakRSS }))/1e6)
	}
	return nil
}

// median returns the middle value of a figure over runs; of an even number the
// lower of the two.
func median[T int64 | float64 | time.Duration](runs []figures, of func(figures) T) T {
	values := make([]T, len(runs))
	for i, f := range runs {
		values[i] = of(f)
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}
