package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/evalworker/evalworker/event"
)

const (
	// scrapeEvents are the events that fill the table of metrics, of scrapeDims combinations
	// of dimensions.
	scrapeEvents = 4000
	scrapeDims   = 200
	scrapeWindow = 5 * time.Second
	// scrapeEvery is far shorter than in use, so that the difference of CPU can be measured.
	scrapeEvery = 50 * time.Millisecond
	// clockTick is the unit of times in /proc, see proc_pid_stat(5).
	clockTick = 10 * time.Millisecond
)

// telemetryCost measures what an agent that hangs costs, and what it costs to be asked for
// metrics.
func telemetryCost(ctx context.Context, w *world, opts options) error {
	return errors.Join(hung(ctx, w, opts), scraped(ctx, w, opts))
}

// hung compares a worker whose agent takes everything with one whose trace agent hangs and
// whose DogStatsD socket is full, because nobody reads it. They take turns.
func hung(ctx context.Context, w *world, opts options) error {
	topic, err := w.topic(ctx, partitions)
	if err != nil {
		return err
	}
	if err := w.publish(ctx, topic, opts.events, 0, nil); err != nil {
		return err
	}
	var arms [2]string // the section datadog of a worker with an agent that is well, and with one that hangs
	for i, hangs := range []bool{false, true} {
		agent, err := w.serve(ctx, traceAgent(hangs))
		if err != nil {
			return err
		}
		socket := filepath.Join(w.dir, fmt.Sprint("dsd", i))
		if err := w.listenStatsD(ctx, socket, !hangs); err != nil {
			return err
		}
		arms[i] = fmt.Sprintf("datadog: {agent_url: %q, dogstatsd_url: %q}", agent, "unix://"+socket)
	}
	const policy = "evaluators: [{name: reply_format, type: json_schema, schema: support_reply, rate: 1}]"
	var runs [len(arms)][]figures
	for pair := range opts.pairs {
		for turn := range arms {
			i := (turn + pair) % len(arms) // who goes first takes turns too
			path, err := w.configure(fmt.Sprintf("hung-%d-%d", i, pair), topic, "", policy, settings{datadog: arms[i]})
			if err != nil {
				return err
			}
			p, err := start(ctx, roleWorker, job{Config: path, Topic: topic, Events: int64(opts.events)})
			if err != nil {
				return err
			}
			f, err := p.figures()
			stopped := p.stop()
			if err != nil {
				return err
			}
			if stopped != nil && i == 0 { // the other one says that it abandoned traces
				return stopped
			}
			runs[i] = append(runs[i], f)
		}
	}
	fmt.Fprintf(w.out, "\nhung: %d events, all validated; %d runs in turn, each beside the one before it\n", opts.events, opts.pairs)
	fmt.Fprintf(w.out, "%-26s %14s %12s %10s\n", "", "CPU an event", "events/s", "peak RSS")
	for i, name := range []string{"agent and DogStatsD read", "both hang"} {
		fmt.Fprintf(w.out, "%-26s %14s %12.0f %7.0f MB\n", name, median(runs[i], figures.cpuPerEvent).Round(10*time.Nanosecond),
			median(runs[i], figures.perSecond), float64(median(runs[i], func(f figures) int64 { return f.PeakRSS }))/1e6)
	}
	w.printRatios("events/s", runs, figures.perSecond)
	w.printRatios("CPU an event", runs, func(f figures) float64 { return float64(f.cpuPerEvent()) })
	return nil
}

// printRatios prints a figure of the second arm over that of the first, run by run: their
// spread says how much the machine had to do besides.
func (w *world) printRatios(name string, runs [2][]figures, of func(figures) float64) {
	ratios := make([]float64, len(runs[0]))
	fmt.Fprintf(w.out, "%s of the second to the first:", name)
	for i := range ratios {
		ratios[i] = of(runs[1][i]) / of(runs[0][i])
		fmt.Fprintf(w.out, " %.3f", ratios[i])
	}
	slices.Sort(ratios)
	fmt.Fprintf(w.out, "; median %.3f\n", ratios[(len(ratios)-1)/2])
}

// traceAgent discards traces, or takes them and never answers.
func traceAgent(hangs bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/info" {
			_, _ = io.Copy(io.Discard, r.Body)
			if hangs {
				<-r.Context().Done()
				return
			}
		}
		_, _ = io.WriteString(w, `{"endpoints":["/v0.4/traces","/v0.6/stats"],"client_drop_p0s":true}`)
	})
}

// listenStatsD opens a socket for DogStatsD until the world is closed. Its datagrams are
// discarded, or not even read.
func (w *world) listenStatsD(ctx context.Context, path string, read bool) error {
	var lc net.ListenConfig
	conn, err := lc.ListenPacket(ctx, "unixgram", path)
	if err != nil {
		return err
	}
	w.sockets = append(w.sockets, conn)
	if !read {
		return nil
	}
	w.serving.Go(func() { // ends with close
		buf := make([]byte, 1<<16)
		for {
			if _, _, err := conn.ReadFrom(buf); err != nil {
				return
			}
		}
	})
	return nil
}

// scraped measures a worker whose table of metrics is full, while it is asked for its
// metrics and while it is not, in turn. It is one process, without events, so that the
// difference is what asking costs.
func scraped(ctx context.Context, w *world, opts options) error {
	topic, err := w.topic(ctx, partitions)
	if err != nil {
		return err
	}
	if err := w.publish(ctx, topic, scrapeEvents, 0, fullEvent); err != nil {
		return err
	}
	addr, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	path, err := w.configure("scraped", topic, "",
		"evaluators:\n  - {name: reply_format, type: json_schema, schema: support_reply}\n"+
			"  - {name: second_look, type: json_schema, schema: support_reply}\n  - {name: third_look, type: json_schema, schema: support_reply}",
		settings{datadog: fmt.Sprintf("datadog: {agent_url: %q, request_metrics: true}", w.agent.URL), health: fmt.Sprintf("health: {listen: %q}", addr)})
	if err != nil {
		return err
	}
	p, err := start(ctx, roleWorker, job{Config: path, Topic: topic})
	if err != nil {
		return err
	}
	url := "http://" + addr + "/metrics"
	size, err := fullPage(ctx, url)
	if err == nil {
		err = compareScrapes(ctx, w, opts, p.cmd.Process.Pid, url, size)
	}
	return errors.Join(err, p.stop())
}

// fullEvent fills the n-th event with everything that metrics are made of.
func fullEvent(n int, e *event.Event) {
	of := n % scrapeDims
	e.Feature, e.PromptName, e.PromptVersion = fmt.Sprint("feature_", of%10), fmt.Sprint("prompt_", of%10), fmt.Sprint("2026-06-01.", of/20)
	e.Model = fmt.Sprint("model-", of/10%2)
	e.InputTokens, e.OutputTokens, e.RetryCount, e.TaskCompleted = new(int64(900)), new(int64(100)), new(int64(1)), new(n%3 > 0)
	e.LatencyMS, e.FirstTokenLatencyMS, e.EstimatedCostUSD = new(float64(n)), new(float64(n)/10), new(0.0001*float64(n%100))
	e.Retrieval = &event.Retrieval{Index: "help_center", TopScore: new(float64(n%10) / 10), HitCount: new(int64(n % 12))}
	e.ToolCalls = []event.ToolCall{{Name: "track_parcel", Status: "success"}}
	if n%7 == 0 {
		e.Status, e.ErrorType, e.Output = "error", "timeout", event.Text("no answer")
	}
}

// fullPage waits until the worker has evaluated all events, and returns the size of its
// page.
func fullPage(ctx context.Context, url string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	want := fmt.Appendf(nil, "evalworker_events_total{outcome=\"evaluated\",reason=\"\"} %d\n", scrapeEvents)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		page, err := get(ctx, url)
		if err == nil && bytes.Contains(page, want) {
			return len(page), nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("the table of metrics does not fill: %w", errors.Join(err, ctx.Err()))
		}
	}
}

// compareScrapes measures the process in windows with and without scrapes.
func compareScrapes(ctx context.Context, w *world, opts options, pid int, url string, size int) error {
	var perPage []figures
	var quiet []figures
	for range opts.pairs {
		for _, every := range []time.Duration{0, scrapeEvery} {
			before, err := cpuOf(pid)
			if err != nil {
				return err
			}
			pages, err := window(ctx, url, every)
			if err != nil {
				return err
			}
			after, err := cpuOf(pid)
			if err != nil {
				return err
			}
			f := figures{Events: int64(pages), CPU: after - before, Wall: scrapeWindow}
			if every == 0 {
				quiet = append(quiet, f)
				continue
			}
			f.CPU -= quiet[len(quiet)-1].CPU
			perPage = append(perPage, f)
		}
	}
	fmt.Fprintf(w.out, "\nscraped: a page of %.1f MB, %d combinations of dimensions; %d windows of %v in turn, a page every %v\n",
		float64(size)/1e6, scrapeDims, 2*opts.pairs, scrapeWindow, scrapeEvery)
	fmt.Fprint(w.out, "CPU a page:")
	for _, f := range perPage {
		fmt.Fprintf(w.out, " %v", f.cpuPerEvent().Round(10*time.Microsecond))
	}
	page := median(perPage, figures.cpuPerEvent)
	fmt.Fprintf(w.out, "; median %v: asked each second %.2f %% of one core, every 15 s %.3f %%\n",
		page.Round(10*time.Microsecond), 100*page.Seconds(), 100*page.Seconds()/15)
	return nil
}

// window asks for pages for the time of a window, and returns their number; 0 asks for
// none.
func window(ctx context.Context, url string, every time.Duration) (pages int, err error) {
	end := time.NewTimer(scrapeWindow)
	defer end.Stop()
	var ticks <-chan time.Time
	if every > 0 {
		tick := time.NewTicker(every)
		defer tick.Stop()
		ticks = tick.C
	}
	for {
		select {
		case <-ticks:
			if _, err := get(ctx, url); err != nil {
				return pages, err
			}
			pages++
		case <-end.C:
			return pages, nil
		case <-ctx.Done():
			return pages, ctx.Err()
		}
	}
}

// get returns what a worker answers to Prometheus.
func get(ctx context.Context, url string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/openmetrics-text;version=1.0.0;q=0.2,text/plain;version=0.0.4;q=0.5")
	req.Header.Set("Accept-Encoding", "gzip")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	return io.ReadAll(resp.Body)
}

// freeAddress returns an address on which nothing listens.
func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// cpuOf returns the user and system time of a process so far.
func cpuOf(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// The name of the program, in parentheses, may hold anything; the fields after it begin
	// with the third.
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	var sum time.Duration
	for _, field := range []int{14, 15} {
		n, err := strconv.ParseInt(string(fields[field-3]), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/%d/stat: %w", pid, err)
		}
		sum += time.Duration(n) * clockTick
	}
	return sum, nil
}
