package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the flags.
type options struct {
	only   string
	events int
	pairs  int
	soak   time.Duration
	cases  int

	before   string // another program emitter
	profiles string // folder for a CPU profile of each kind of reader
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if role := os.Getenv(envRole); role != "" {
		return runRole(ctx, role)
	}
	var opts options
	flag.StringVar(&opts.only, "only", "consume,judges,latency,stuck", "measurements to make: consume, judges, latency, stuck, telemetry, soak; or one of sidecar, emit and store, alone, which need no broker")
	flag.IntVar(&opts.events, "events", 500_000, "events of the consuming measurements")
	flag.IntVar(&opts.pairs, "pairs", 4, "times that each reader reads all of them, in turn")
	flag.DurationVar(&opts.soak, "soak", 10*time.Minute, "length of the soak")
	flag.IntVar(&opts.cases, "cases", 200_000, "cases of -only store")
	flag.StringVar(&opts.before, "before", "", "program emitter of another version, to compare with -only sidecar")
	flag.StringVar(&opts.profiles, "profiles", "", "folder that takes CPU profiles of the consuming measurements; they cost some CPU themselves")
	flag.Parse()
	if opts.only == "sidecar" { // it has a broker of its own
		return sidecarCost(ctx, os.Stdout, opts)
	}

	if opts.only == "emit" {
		return emitting(ctx, os.Stdout, opts)
	}

	if opts.only == "store" { // it has databases in place of a broker
		return storeCost(ctx, os.Stdout, opts)
	}
	w, err := newWorld(ctx)
	if err != nil {
		return err
	}
	return errors.Join(measure(ctx, w, opts), w.close())
}

// measure makes the measurements of -only, in order.
func measure(ctx context.Context, w *world, opts options) error {
	type measurement struct {
		name string
		make func(context.Context, *world, options) error
	}
	all := []measurement{
		{"consume", consume},
		{"judges", judging},
		{"latency", latency},
		{"stuck", stuck},
		{"telemetry", telemetryCost},
		{"soak", soak},
	}
	wanted := strings.Split(opts.only, ",")
	for _, name := range wanted {
		if !slices.ContainsFunc(all, func(m measurement) bool { return m.name == name }) {
			return fmt.Errorf("-only: no measurement %q", name)
		}
	}
	for _, m := range all {
		if !slices.Contains(wanted, m.name) {
			continue
		}
		if err := m.make(ctx, w, opts); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}
