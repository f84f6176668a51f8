package cli

import (
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress is a bar on a terminal. The zero value shows nothing. An error of
// drawing the bar is ignored: it must not stop the work.
type Progress struct{ bar *progressbar.ProgressBar }

// NewProgress returns a bar of total steps, or one without an end for a total of
// -1. It shows nothing when w is not a terminal.
func NewProgress(w io.Writer, total int64, description string, bytes bool) Progress {
	if !IsTerminal(w) {
		return Progress{} // even a silent bar without an end has a goroutine
	}
	return Progress{progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription(description),
		progressbar.OptionSetWidth(30),
		progressbar.OptionShowBytes(bytes),
		progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
	)}
}

// Add moves the bar on by n steps.
func (p Progress) Add(n int) {
	if p.bar != nil {
		_ = p.bar.Add(n)
	}
}

// Set moves the bar to done steps.
func (p Progress) Set(done int64) {
	if p.bar != nil {
		_ = p.bar.Set64(done)
	}
}

// SetTotal changes the number of steps.
func (p Progress) SetTotal(total int64) {
	if p.bar != nil {
		p.bar.ChangeMax64(total)
	}
}

// Clear removes the bar, so that a line can be written in its place. The next step
// draws it again.
func (p Progress) Clear() {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
}

// Finish removes the bar for good.
func (p Progress) Finish() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
