package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// IsTerminal reports whether a person sees what is written to w.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) //nolint:gosec // a file descriptor fits
}

// Color reports whether colours may be written: to a terminal that has them, unless the
// user set NO_COLOR.
func Color(w io.Writer, getenv func(string) string) bool {
	return IsTerminal(w) && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
}

// StartLines writes a line of progress after each interval, for a standard error that is
// no terminal, such as a log of CI. The function that it returns ends them and waits
// until no more is written; it may be called more than once.
func StartLines(w io.Writer, every time.Duration, line func() string) (stop func()) {
	end := make(chan struct{})
	var writing sync.WaitGroup
	writing.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				fmt.Fprintln(w, line())
			case <-end:
				return
			}
		}
	})
	return sync.OnceFunc(func() {
		close(end)
		writing.Wait()
	})
}

// Shared returns a writer for several goroutines: it passes on one Write at a time.
func Shared(w io.Writer) io.Writer { return &shared{w: w} }

type shared struct {
	mu sync.Mutex
	w  io.Writer // guarded by mu
}

func (s *shared) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(p)
}
