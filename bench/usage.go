package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

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
