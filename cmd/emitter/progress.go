package main

import (
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress is a bar on a terminal, and nothing anywhere else. The zero value is
// one that shows nothing.
type progress struct{ bar *progressbar.ProgressBar }

// newProgress makes a bar of total steps, or one without an end for total < 0.
func newProgress(w io.Writer, total int64, what string, asBytes bool) progress {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return progress{}
	}
	return progress{progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(asBytes),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)}
}

func (p progress) add(n int) {
	if p.bar != nil {
		_ = p.bar.Add(n) // a bar that cannot be drawn stops nothing
	}
}

// clear takes the bar away, so that a line can be written in its place.
func (p progress) clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}
