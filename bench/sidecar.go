package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/evalworker/evalworker/event"
)

const (
	sidecarTopic  = "bench"
	sidecarWarmUp = 300 * time.Millisecond
	sidecarRun    = 2 * time.Second
)

// posted is what the clients of one run saw.
type posted struct {
	Events   int
	Wall     time.Duration
	P50, P99 time.Duration // of a request, from its first byte to the end of its answer
}

// sidecarFigures are the figures of one run of a sidecar, or medians of several.
type sidecarFigures struct {
	cpu, perSecond, p50, p99 float64 // nanoseconds an event; events; nanoseconds
	perSync                  float64 // events; zero: the program does not tell
}

// sidecarCost measures what a single event of 2 KB costs the process of emitter serve,
// with one client and with 64, each of which waits for its answer before the next
// request. The CPU time is that of the process from the first request until Kafka has
// the last event. With -before the other program takes turns with this one.
func sidecarCost(ctx context.Context, out io.Writer, opts options) (err error) {
	dir, err := os.MkdirTemp("", "evalworker-bench-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	program := filepath.Join(dir, "emitter")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, "./cmd/emitter")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build emitter, from the root of the module: %w", err)
	}
	names, programs := []string{""}, []string{program}
	if opts.before != "" {
		names, programs = []string{", before", ", after"}, []string{opts.before, program}
	}
	fmt.Fprintf(out, "\nsidecar: single events of 2 KB, median of %d runs of %v in turn\n", opts.pairs, sidecarRun)
	fmt.Fprintf(out, "%-24s %16s %10s %12s %10s %10s %12s\n", "", "CPU an event", "ratio", "events/s", "p50", "p99", "events/sync")
	for _, clients := range []int{1, 64} {
		runs := make([][]sidecarFigures, len(programs))
		for range opts.pairs {
			for i, path := range programs {
				f, err := runSidecar(ctx, dir, path, clients)
				if err != nil {
					return err
				}
				runs[i] = append(runs[i], f)
			}
		}
		base := medianFigures(runs[0])
		for i, name := range names {
			m := medianFigures(runs[i])
			perSync := "-"
			if m.perSync > 0 {
				perSync = fmt.Sprintf("%.1f", m.perSync)
			}
			fmt.Fprintf(out, "%-24s %16v %10.2f %12.0f %10v %10v %12s\n", fmt.Sprintf("clients: %d%s", clients, name), time.Duration(m.cpu).Round(100*time.Nanosecond),
				m.cpu/base.cpu, m.perSecond, time.Duration(m.p50).Round(10*time.Microsecond), time.Duration(m.p99).Round(10*time.Microsecond), perSync)
		}
	}
	return nil
}

// medianFigures returns the median of each figure by itself.
func medianFigures(runs []sidecarFigures) sidecarFigures {
	of := func(figure func(sidecarFigures) float64) float64 {
		all := make([]float64, len(runs))
		for i, f := range runs {
			all[i] = figure(f)
		}
		slices.Sort(all)
		return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
	}
	return sidecarFigures{
		cpu:       of(func(f sidecarFigures) float64 { return f.cpu }),
		perSecond: of(func(f sidecarFigures) float64 { return f.perSecond }),
		p50:       of(func(f sidecarFigures) float64 { return f.p50 }),
		p99:       of(func(f sidecarFigures) float64 { return f.p99 }),
		perSync:   of(func(f sidecarFigures) float64 { return f.perSync }),
	}
}

// runSidecar measures one sidecar that starts with an empty spool and an empty topic.
func runSidecar(ctx context.Context, dir, program string, clients int) (_ sidecarFigures, err error) {
	b, err := start(ctx, roleBroker, job{Topic: sidecarTopic})
	if err != nil {
		return sidecarFigures{}, err
	}
	defer func() { err = errors.Join(err, b.stop()) }()
	var addr string
	if err := json.NewDecoder(b.out).Decode(&addr); err != nil {
		return sidecarFigures{}, fmt.Errorf("broker: %w", err)
	}
	spool, err := os.MkdirTemp(dir, "spool-")
	if err != nil {
		return sidecarFigures{}, err
	}
	s, err := startSidecar(ctx, program, addr, spool)
	if err != nil {
		return sidecarFigures{}, err
	}
	defer func() { err = errors.Join(err, s.stop(), os.RemoveAll(spool)) }()
	if _, err := post(ctx, s.addr, clients, sidecarWarmUp); err != nil {
		return sidecarFigures{}, err
	}
	before, err := s.drained(ctx)
	if err != nil {
		return sidecarFigures{}, err
	}
	p, err := post(ctx, s.addr, clients, sidecarRun)
	if err != nil {
		return sidecarFigures{}, err
	}
	after, err := s.drained(ctx)
	if err != nil {
		return sidecarFigures{}, err
	}
	events := float64(p.Events)
	f := sidecarFigures{
		cpu: float64(after.cpu-before.cpu) / events, perSecond: events / p.Wall.Seconds(), p50: float64(p.P50), p99: float64(p.P99),
	}
	if syncs := after.syncs - before.syncs; syncs > 0 {
		f.perSync = events / float64(syncs)
	}
	return f, nil
}

// sidecarProcess is a running emitter serve.
type sidecarProcess struct {
	cmd  *exec.Cmd
	addr string
	logs sync.WaitGroup // the goroutine that reads its log
}

// startSidecar starts a program's emitter serve and waits until it has an address.
func startSidecar(ctx context.Context, program, brokers, spool string) (*sidecarProcess, error) {
	cmd := exec.CommandContext(ctx, program, "serve", "--brokers", brokers, "--topic", sidecarTopic, "--listen", "127.0.0.1:0", "--spool-dir", spool)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &sidecarProcess{cmd: cmd}
	lines := bufio.NewReader(stderr)
	for s.addr == "" {
		line, err := lines.ReadBytes('\n')
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s says no address: %w", program, err), cmd.Wait())
		}
		var entry struct{ Addr string }
		if json.Unmarshal(line, &entry) == nil {
			s.addr = entry.Addr
		}
	}
	s.logs.Go(func() { _, _ = io.Copy(io.Discard, lines) }) // ends with the process
	return s, nil
}

func (s *sidecarProcess) stop() error {
	err := s.cmd.Process.Signal(syscall.SIGTERM)
	s.logs.Wait()
	return errors.Join(err, s.cmd.Wait())
}

// sidecarState is what a sidecar has used and done so far.
type sidecarState struct {
	cpu   time.Duration
	syncs int64 // of segments
}

// drained waits until Kafka has every event, and returns the state then.
func (s *sidecarProcess) drained(ctx context.Context) (sidecarState, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var status struct {
			Events struct{ Accepted, Sent int64 }
			Spool  struct{ Syncs int64 }
		}
		if err := getJSON(ctx, "http://"+s.addr+"/statusz", &status); err != nil {
			return sidecarState{}, err
		}
		if status.Events.Sent == status.Events.Accepted {
			cpu, err := cpuOf(s.cmd.Process.Pid)
			return sidecarState{cpu, status.Spool.Syncs}, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return sidecarState{}, ctx.Err()
		}
	}
}

func getJSON(ctx context.Context, url string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	return errors.Join(json.NewDecoder(res.Body).Decode(into), res.Body.Close())
}

// post runs clients in a process of their own.
func post(ctx context.Context, addr string, clients int, length time.Duration) (p posted, err error) {
	proc, err := start(ctx, rolePoster, job{Addr: addr, Clients: clients, Length: length})
	if err != nil {
		return p, err
	}
	line, err := proc.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &p)
	}
	return p, errors.Join(err, proc.stop())
}

// runPoster is the clients: each keeps one connection and has one request at a time.
func runPoster(ctx context.Context, j job) error {
	took := make([][]time.Duration, j.Clients)
	errs := make([]error, j.Clients)
	began := time.Now()
	var running sync.WaitGroup
	for i := range j.Clients {
		running.Go(func() { took[i], errs[i] = postEvents(ctx, j.Addr, i, began.Add(j.Length)) })
	}
	running.Wait()
	all := slices.Concat(took...)
	if err := cmp.Or(errors.Join(errs...), ctx.Err()); err != nil {
		return err
	}
	slices.Sort(all)
	p := posted{Events: len(all), Wall: time.Since(began), P50: all[len(all)/2], P99: all[len(all)*99/100]}
	return json.NewEncoder(os.Stdout).Encode(p)
}

// postEvents posts events until a time, and returns how long each request took. It
// writes requests by itself: net/http's client costs more than the sidecar, on the same
// machine.
func postEvents(ctx context.Context, addr string, client int, until time.Time) (took []time.Duration, err error) {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	in := bufio.NewReader(conn)
	var request []byte
	for n := 0; time.Now().Before(until) && ctx.Err() == nil; n++ {
		ev := newEvent(client*1_000_000 + n)
		ev.Kind = event.KindRequestCompleted
		body, err := json.Marshal(ev)
		if err != nil {
			return took, err
		}
		request = fmt.Appendf(request[:0], "POST /v1/events HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: */*\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n", addr, len(body))
		request = append(request, body...)
		began := time.Now()
		if _, err := conn.Write(request); err != nil {
			return took, err
		}
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return took, err
		}
		answer, err := io.ReadAll(res.Body)
		if err = errors.Join(err, res.Body.Close()); err != nil {
			return took, err
		}
		if res.StatusCode != http.StatusAccepted {
			return took, fmt.Errorf("%s: %s", res.Status, answer)
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}
