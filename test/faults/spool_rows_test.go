package faults

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/evalworker/evalworker/internal/testkit/containers"
)

// spoolRows are about the disk under a sidecar's spool.
func spoolRows() []scenario {
	return []scenario{
		{name: "spool-write", title: "writes to the sidecar's spool fail with EIO for 10 s", group: groupSpool, run: func(w *world) { spoolRow(w, "write") }},
		{name: "spool-sync", title: "syncs of the sidecar's spool fail with EIO for 10 s", group: groupSpool, ci: true, run: func(w *world) { spoolRow(w, "fsync") }},
	}
}

// spoolRow lets a system call on the segments of a spool fail while applications send.
func spoolRow(w *world, call string) {
	const lasts = 10 * time.Second
	if _, err := exec.LookPath("strace"); err != nil {
		containers.Need(w.t, fmt.Errorf("needs strace, to let system calls fail: %w", err))
	}
	w.begin(8, "A")
	s := w.sidecar()
	c := w.send(s, 4)
	before := func() bool { n, _ := c.since(time.Time{}); return n >= 200 }
	w.eventually("200 events accepted", before)

	s.fault()
	mend := w.eio(s, call)
	began := time.Now()
	w.tells(s, "cannot be written: input/output error", "spool cannot be written")
	told := time.Now()
	w.lasting(lasts - time.Since(began))
	during, _ := c.since(told)
	mend()
	back := time.Now()
	w.eventually("events are accepted", func() bool { n, _ := c.since(back); return n >= 200 })
	_, first := c.since(back)
	w.row.recover = first.Sub(back)
	w.eventually("the sidecar is ready", s.ready)
	c.end()

	w.note("%s", tally(c.refused))
	w.bound(during == 0, "%d events accepted that could not be written", during)
	for why := range c.refused {
		w.bound(strings.HasPrefix(why, "Service Unavailable: the spool cannot be written: input/output error"), "refused with %s", why)
	}
	w.bound(len(c.refused) > 0, "nothing was refused")
	w.within(w.row.recover, spoolLimit, "accepted again after %.1f s")
	w.finish()
	w.nothingRepeated()
	// A refused event may have been kept all the same, and the next attempt too.
	twice := 0
	for _, n := range w.ledger.copies {
		twice += n - 1
	}
	w.note("%d events twice on the topic", twice)
	w.bound(twice == 0, "%d events twice on the topic", twice)
}

// spoolLimit is how soon events must be accepted once the disk works: clients try again
// within a moment.
const spoolLimit = 5 * time.Second

// eio lets a system call on the segments of a spool fail, for all threads of the sidecar,
// until the returned function is called.
func (w *world) eio(s *sidecar, call string) (mend func()) {
	w.t.Helper()
	args := []string{"-f", "-p", strconv.Itoa(s.cmd.Process.Pid), "-o", filepath.Join(w.dir, "trace"), "-e", "trace=" + call, "-e", "inject=" + call + ":error=EIO"}
	names, err := filepath.Glob(filepath.Join(s.spool, "*.seg"))
	w.must(err)
	last := strings.TrimSuffix(filepath.Base(slices.Max(names)), ".seg")
	number, err := strconv.Atoi(last)
	w.must(err)
	// Each failed write begins another segment.
	for n := range 1000 {
		args = append(args, "-P", filepath.Join(s.spool, fmt.Sprintf("%0*d.seg", len(last), number+n)))
	}
	said := &bytes.Buffer{}
	tracer := exec.CommandContext(context.WithoutCancel(w.t.Context()), "strace", args...)
	tracer.Stderr = said
	w.must(tracer.Start())
	ended := false
	mend = func() {
		if ended {
			return
		}
		ended = true
		_ = tracer.Process.Signal(syscall.SIGINT) // it lets go of the sidecar
		_ = tracer.Wait()                         // ends as the signal says
		trace, err := os.ReadFile(filepath.Join(w.dir, "trace"))
		w.must(err)
		w.bound(bytes.Contains(trace, []byte("(INJECTED)")), "no call failed; strace says %s", said)
	}
	w.t.Cleanup(mend)
	return mend
}
