package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// startSignal closes its channel when something is written.
type startSignal struct {
	bytes.Buffer
	first chan struct{}
}

func (s *startSignal) Write(b []byte) (int, error) {
	if s.Len() == 0 {
		close(s.first)
	}
	return s.Buffer.Write(b)
}

func embedded(t *testing.T) string {
	t.Helper()
	b, err := broker.Start(broker.Config{Topics: map[string]int32{topic: 2}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b.Addr()
}

// TestInterruptedSendSaysHowManyWereSent: an interrupt ends the command at once while a
// terminal or a pipe stays open.
func TestInterruptedSendSaysHowManyWereSent(t *testing.T) {
	t.Parallel()
	addr := embedded(t)
	in, typing := io.Pipe()
	t.Cleanup(func() { _ = typing.Close() })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stdout, stderr bytes.Buffer
	code := make(chan int, 1)
	go func() { code <- run(ctx, []string{"send", "--brokers", addr, "-"}, in, &stdout, &stderr) }()
	for _, id := range []string{"a", "b", "c"} {
		if _, err := io.WriteString(typing, `{"event":"llm_request_completed","request_id":"`+id+"\"}\n"); err != nil {
			t.Fatal(err)
		}
	}
	// The following lines are read only after the third was taken.
	if _, err := io.WriteString(typing, "{"); err != nil {
		t.Fatal(err)
	}
	cancel()
	if got := <-code; got != cli.ExitFailure {
		t.Errorf("exit code %d, want %d", got, cli.ExitFailure)
	}
	if !strings.Contains(stdout.String(), "sent ") || !strings.Contains(stderr.String(), "interrupted after line ") {
		t.Errorf("stdout %q, stderr %q, want how many were sent", &stdout, &stderr)
	}
}

// cancelReader ends a context while its second block is read; the blocks are small.
type cancelReader struct {
	io.Reader
	cancel context.CancelFunc
	blocks int
}

func (b *cancelReader) Read(into []byte) (int, error) {
	if b.blocks++; b.blocks == 2 {
		b.cancel()
	}
	return b.Reader.Read(into[:min(len(into), 1000)])
}

// TestAnInterruptedFileIsNoCompleteOne: an interrupt in the middle of a file, whether
// reading or sending notices it first.
func TestAnInterruptedFileIsNoCompleteOne(t *testing.T) {
	t.Parallel()
	addr := embedded(t)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		in := &cancelReader{Reader: strings.NewReader(strings.Repeat(oneEvent, 1000)), cancel: cancel}
		var stdout, stderr bytes.Buffer
		code := run(ctx, []string{"send", "--brokers", addr, "-"}, in, &stdout, &stderr)
		if code != cli.ExitFailure || !strings.Contains(stderr.String(), "interrupted after line ") {
			t.Errorf("exit code %d, stdout %q, stderr %q", code, &stdout, &stderr)
		}
	}
}

func TestLinesEndWithTheirContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	each, failed := streamLines(ctx, strings.NewReader(strings.Repeat("\n", 1000)), 20)
	n := 0
	for range each {
		n++
	}
	if n == 1000 || !errors.Is(*failed, context.Canceled) {
		t.Errorf("%d of 1000 lines, error %v", n, *failed)
	}
}

func TestInterruptedSimulation(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want int
	}{
		"without a limit it has ended":  {[]string{"--events", "0"}, cli.ExitOK},
		"with a limit something is due": {[]string{"--events", "1000000000"}, cli.ExitFailure},
		"while it waits for its pace":   {[]string{"--events", "0", "--rate", "0.0001"}, cli.ExitOK},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			stdout := &startSignal{first: make(chan struct{})}
			code := make(chan int, 1)
			go func() {
				code <- run(ctx, append([]string{"simulate", "--stdout"}, c.args...), strings.NewReader(""), stdout, io.Discard)
			}()
			<-stdout.first
			cancel()
			if got := <-code; got != c.want {
				t.Errorf("exit code %d, want %d", got, c.want)
			}
			if !bytes.HasSuffix(stdout.Bytes(), []byte("}\n")) {
				t.Error("the last line is cut off")
			}
		})
	}
}

func TestInterruptedSimulationToKafkaSaysHowManyWereSent(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var stdout bytes.Buffer
	code := run(ctx, []string{"simulate", "--brokers", embedded(t), "--events", "0"}, strings.NewReader(""), &stdout, io.Discard)
	if code != cli.ExitOK || !strings.HasPrefix(stdout.String(), "sent 0 events") {
		t.Errorf("exit code %d, stdout %q", code, &stdout)
	}
}

// TestInterruptedSimulationOfWhichNothingWasSent: an endless simulation may be
// interrupted, but sends the events that it has made.
func TestInterruptedSimulationOfWhichNothingWasSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		var stderr bytes.Buffer
		code := run(ctx, []string{"simulate", "--brokers", "127.0.0.1:1", "--events", "0", "--rate", "20"}, strings.NewReader(""), io.Discard, &stderr)
		if code != cli.ExitFailure || !strings.Contains(stderr.String(), " events could not be sent") {
			t.Errorf("exit code %d, stderr %q", code, &stderr)
		}
	})
}

func TestAnInputThatBreaksOffIsAFailure(t *testing.T) {
	t.Parallel()
	in := io.MultiReader(strings.NewReader(`{"event":"llm_request_completed","request_id":"a"}`+"\n"), iotest.ErrReader(errors.New("disk on fire")))
	var stdout, stderr bytes.Buffer
	code := run(t.Context(), []string{"send", "--brokers", embedded(t), "-"}, in, &stdout, &stderr)
	if code != cli.ExitFailure || !strings.Contains(stderr.String(), "after line 1: disk on fire") || !strings.Contains(stdout.String(), "sent 1 of 1 line") {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, &stdout, &stderr)
	}
}

func TestAnOutputThatCannotBeWrittenIsAFailure(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"simulate", "--stdout", "--events", "3"},
		{"simulate", "--events", "3", "--rate", "0", "--brokers", embedded(t)},
		{"send", "-", "--brokers", embedded(t)},
		{"version"},
	} {
		if code := run(t.Context(), args, strings.NewReader(""), brokenPipe{}, io.Discard); code != cli.ExitFailure {
			t.Errorf("%v: exit code %d, want %d", args, code, cli.ExitFailure)
		}
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestReadLines(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in   string
		want []string // "-" for a line that is too long
	}{
		"nothing":          {"", nil},
		"one":              {"ab\n", []string{"ab"}},
		"no end":           {"ab", []string{"ab"}},
		"carriage returns": {"ab\r\ncd\r\n", []string{"ab", "cd"}},
		"byte order mark":  {"\ufeff" + strings.Repeat("x", 20) + "\r\n\ufeffb\n", []string{strings.Repeat("x", 20), "\ufeffb"}},
		"a mark alone":     {"\ufeff", []string{""}},
		"blank":            {"\n\na\n", []string{"", "", "a"}},
		"at the limit":     {strings.Repeat("x", 20) + "\r\nb", []string{strings.Repeat("x", 20), "b"}},
		"above the limit":  {strings.Repeat("x", 21) + "\nb\n", []string{"-", "b"}},
		"far above":        {strings.Repeat("x", 5000) + "\nb\n" + strings.Repeat("y", 100), []string{"-", "b", "-"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for wrap, in := range map[string]io.Reader{
				"whole":       strings.NewReader(c.in),
				"byte a time": iotest.OneByteReader(strings.NewReader(c.in)),
			} {
				var got []string
				size := 0
				err := readLines(in, 20, func(l line) error {
					if l.number != len(got)+1 || l.tooLong != (l.data == nil) {
						t.Errorf("%s: line %d: number %d, too long %t", wrap, len(got)+1, l.number, l.tooLong)
					}
					size += l.size
					if l.tooLong {
						got = append(got, "-")
					} else {
						got = append(got, string(l.data))
					}
					return nil
				})
				if diff := cmp.Diff(c.want, got); err != nil || diff != "" || size != len(c.in) {
					t.Errorf("%s: error %v, %d of %d bytes, lines (-want +got):\n%s", wrap, err, size, len(c.in), diff)
				}
			}
		})
	}
}

func FuzzReadLines(f *testing.F) {
	f.Add([]byte("a\nb\r\n\n"), 10)
	f.Add([]byte("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\nb"), 3)
	f.Fuzz(func(t *testing.T, in []byte, limit int) {
		limit = 16 + limit&0xff // bufio holds no fewer than 16 bytes
		size, n := 0, 0
		err := readLines(bytes.NewReader(in), limit, func(l line) error {
			size, n = size+l.size, n+1
			if l.number != n || len(l.data) > limit || bytes.ContainsRune(l.data, '\n') {
				t.Errorf("line %d of %d bytes, the limit is %d", l.number, len(l.data), limit)
			}
			return nil
		})
		if err != nil || size != len(in) {
			t.Errorf("%d of %d bytes, error %v", size, len(in), err)
		}
	})
}

// TestIDsAndNamesDoNothingToATerminal: those of a file are not the user's own.
func TestIDsAndNamesDoNothingToATerminal(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("i", 2000)
	in := `{"event":"llm_request_completed","request_id":"a\u001b[2J\nall is well ` + long + `","x\u001b[2J\nsent 9 of 9 lines":1}
{"event":"llm_request_completed","request_id":"b\u001b[2J` + strings.Repeat(long, 1000) + `"}
`
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"send", "--brokers", "127.0.0.1:1", "--timeout", "300ms", "-"}, strings.NewReader(in), &stdout, &stderr); code != cli.ExitFailure {
		t.Errorf("exit code %d", code)
	}
	if got := stderr.String(); strings.Contains(got, "\x1b") || strings.Contains(got, "\nall is well") || strings.Contains(got, "\nsent 9") || !strings.Contains(got, "all is well") || !strings.Contains(got, "sent 9") || len(got) > 2000 {
		t.Errorf("%d bytes: %.2000q", len(got), got)
	}
}
