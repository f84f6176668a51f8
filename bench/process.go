package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A process that this program started finds its role and its job in the
// environment.
const (
	envRole = "EVALWORKER_BENCH_ROLE"
	envJob  = "EVALWORKER_BENCH_JOB"
)

// The roles.
const (
	roleReader = "reader" // a bare group Reader of kafka-go
	roleWorker = "worker" // the whole worker

	roleBroker   = "broker"   // an embedded broker
	roleEmitter  = "emitter"  // an application with the emitter
	roleProducer = "producer" // one with franz-go's producer
	rolePoster   = "poster"   // clients of the sidecar, one event a request
)

// job is the task of a process.
type job struct {
	Config  string   // of a worker
	Brokers []string // of a reader
	Topic   string
	Profile string // file for a CPU profile; empty for none
	Events  int64  // to read before the figures are printed; 0: until stdin ends
	Addr    string // of the sidecar, for its clients
	Clients int
	Length  time.Duration // of the clients' run
}

// figures are a process's measurements of itself.
type figures struct {
	Events  int64         // from the first that was seen to the last
	CPU     time.Duration // user and system time between the two
	Wall    time.Duration
	RSS     int64 // resident bytes at the end
	PeakRSS int64 // the most there ever was
}

func (f figures) cpuPerEvent() time.Duration { return f.CPU / time.Duration(max(f.Events, 1)) }

func (f figures) perSecond() float64 { return float64(f.Events) / max(f.Wall.Seconds(), 1e-9) }

// process is a process that this program started.
type process struct {
	cmd   *exec.Cmd
	stdin io.Closer
	out   *bufio.Reader
}

// start runs this program once more, in a role.
func start(ctx context.Context, role string, j job) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), envRole+"="+role, envJob+"="+string(text))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &process{cmd: cmd, stdin: stdin, out: bufio.NewReader(stdout)}, nil
}

// stop tells the process to end and waits for it.
func (p *process) stop() error { return errors.Join(p.stdin.Close(), p.cmd.Wait()) }

// figures waits for the figures of the process.
func (p *process) figures() (figures, error) {
	var f figures
	line, err := p.out.ReadBytes('\n')
	if err != nil {
		return f, fmt.Errorf("no figures: %w", err)
	}
	return f, json.Unmarshal(line, &f)
}

// runProcess runs a process until it has printed its figures and ended.
func runProcess(ctx context.Context, role string, j job) (figures, error) {
	p, err := start(ctx, role, j)
	if err != nil {
		return figures{}, err
	}
	f, err := p.figures()
	return f, errors.Join(err, p.stop())
}

// runRole does the work of a process in a role.
func runRole(ctx context.Context, role string) error {
	var j job
	if err := json.Unmarshal([]byte(os.Getenv(envJob)), &j); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() { // ends with the process: it reads stdin to its end
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	switch role {
	case roleReader:
		return withProfile(j.Profile, func() error { return runReader(ctx, j) })
	case roleWorker:
		return withProfile(j.Profile, func() error { return runWorker(ctx, j) })
	case roleBroker:
		return runBroker(ctx, j)
	case rolePoster:
		return runPoster(ctx, j)
	case roleEmitter:
		return withProfile(j.Profile, func() error { return runEmitter(ctx, j) })
	case roleProducer:
		return withProfile(j.Profile, func() error { return runProducer(ctx, j) })
	}
	return fmt.Errorf("no role %q", role)
}

// withProfile runs fn and writes its CPU profile.
func withProfile(path string, fn func() error) error {
	if path == "" {
		return fn()
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return errors.Join(err, f.Close())
	}
	err = fn()
	pprof.StopCPUProfile()
	return errors.Join(err, f.Close())
}

// meter measures this process between two moments.
type meter struct {
	events int64
	cpu    time.Duration
	at     time.Time
}

func newMeter(events int64) (meter, error) {
	cpu, err := cpuTime()
	return meter{events: events, cpu: cpu, at: time.Now()}, err
}

// print prints the figures since the meter was made, as one line.
func (m meter) print(events int64) error {
	end, err := newMeter(events)
	if err != nil {
		return err
	}
	f := figures{Events: end.events - m.events, CPU: end.cpu - m.cpu, Wall: end.at.Sub(m.at)}
	if f.RSS, f.PeakRSS, err = resident(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(f)
}

// cpuTime returns the user and system time of this process so far.
func cpuTime() (time.Duration, error) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}

// resident returns the resident memory of this process, now and at its peak, in
// bytes; see proc_pid_status(5).
func resident() (now, peak int64, err error) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(text)) {
		name, rest, _ := strings.Cut(line, ":")
		if name != "VmRSS" && name != "VmHWM" {
			continue
		}
		kib, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
		if err != nil {
			return 0, 0, fmt.Errorf("/proc/self/status: %s: %w", name, err)
		}
		if name == "VmRSS" {
			now = kib << 10
		} else {
			peak = kib << 10
		}
	}
	return now, peak, nil
}
