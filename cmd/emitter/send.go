package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/cli"
)

// sendCommand is one run of the command send.
type sendCommand struct {
	target target
	strict bool
	asJSON bool

	name       string // of the file, in messages
	sum        summary
	noProgress bool // the cluster accepted nothing for the whole timeout
	warned     cli.WarningCounts
}

// summary counts the lines of a file by their outcome.
type summary struct {
	File        string `json:"file"`
	Lines       int    `json:"lines"`
	Blank       int    `json:"blank"`
	Sent        int    `json:"sent"`
	Bad         int    `json:"bad"`
	Unsent      int    `json:"unsent"`
	Withheld    int    `json:"withheld"` // of those that were sent or not, without their content
	Interrupted bool   `json:"interrupted"`
	// Faults are the first bad lines.
	Faults []lineFault `json:"faults"`
	// Warnings are members that are published and not read, those of most events first.
	Warnings []cli.WarningCount `json:"warnings"`
}

type lineFault struct {
	Line    int    `json:"line"`
	Problem string `json:"problem"`
}

// maxFaults bounds the faults of a summary. Stderr lists all.
const maxFaults = 100

func newSend() *cobra.Command {
	s := &sendCommand{}
	cmd := &cobra.Command{
		Use:   "send FILE|-",
		Short: "Publish the events of a file, one JSON object a line",
		Long: `send publishes each line of FILE (or of the standard input) as one event. The line
is published as it is, fields that evalworker does not know included; its envelope
goes into the headers.

Pictures and files are replaced by their digest, type and size, and an event that is
too large goes without its content. --redact takes secrets and personal data out first;
then fields that evalworker does not know are left out, because nobody has read them.

Members of events that are not read are named with the number of events that have
them; what a provider gave (usage, a response, its members) is read as it is.

A line that is no event is reported with its number and what is wrong with it, and
the others go on. The exit code is 1 when there was such a line or when something
could not be sent.`,
		Example: `  emitter send events.ndjson
  emitter simulate --stdout --events 100 | emitter send -
  emitter send --strict --json --brokers kafka-1:9092,kafka-2:9092 events.ndjson`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: cli.FileArgument("ndjson", "jsonl", "json"),
		RunE:              func(cmd *cobra.Command, args []string) error { return s.run(cmd, args[0]) },
	}
	s.target.flags(cmd)
	s.target.content.flags(cmd)
	cmd.Flags().BoolVar(&s.strict, "strict", false, "refuse events with fields that evalworker does not know or cannot read")
	cmd.Flags().BoolVar(&s.asJSON, "json", false, "print the summary as JSON")
	return cmd
}

func (s *sendCommand) run(cmd *cobra.Command, file string) error {
	in, size := cmd.InOrStdin(), int64(-1)
	s.name = "stdin"
	if file != "-" {
		f, n, err := cli.Open(cmd.Context(), file)
		switch {
		case errors.Is(err, syscall.EISDIR):
			return fmt.Errorf("%s is a folder, want a file of events", file)
		case errors.Is(err, context.Canceled):
			return &failure{errors.New("interrupted before a program wrote to " + file)}
		case err != nil:
			return err // a wrong file is wrong use
		}
		defer func() { _ = f.Close() }() // it was only read
		in, size, s.name = f, n, file
	}
	em, err := s.target.open(cmd)
	if err != nil {
		return err
	}
	bar := cli.NewProgress(cmd.ErrOrStderr(), size, "sending", true)
	readErr := s.read(cmd.Context(), em, in, bar, cmd.ErrOrStderr())
	bar.Clear()
	s.sum.File = s.name
	s.sum.Unsent = s.target.finish(cmd.Context(), em, cmd.ErrOrStderr())
	s.sum.Sent, s.sum.Withheld = int(em.Stats().Sent), int(em.Stats().Withheld)
	s.warned.Print(cmd.ErrOrStderr())
	if err := s.print(cmd.OutOrStdout()); err != nil {
		return &failure{err}
	}
	return s.result(readErr)
}

// read passes every line to the emitter.
func (s *sendCommand) read(ctx context.Context, em *emitter.Emitter, in io.Reader, bar cli.Progress, stderr io.Writer) error {
	each, failed := streamLines(ctx, in, s.maxLine())
	for {
		select {
		case l, ok := <-each:
			var err error
			if ok {
				err = s.sendLine(ctx, em, l)
			} else {
				err = *failed
			}
			switch {
			case interrupted(ctx, err):
				s.sum.Interrupted = true
				return nil
			case !ok:
				return err
			case errors.Is(err, errNoProgress):
				s.noProgress = true
				return nil
			case err != nil:
				bar.Clear()
				s.reportBad(l.number, err, stderr)
			}
			bar.Add(l.size)
		case <-ctx.Done():
			s.sum.Interrupted = true
			return nil
		}
	}
}

// maxLine returns the length of the longest line that is read: an event that is too large
// may be sent without its content.
func (s *sendCommand) maxLine() int { return max(longestLine, s.target.maxEventBytes) }

// longestLine has room for a picture of several megabytes.
const longestLine = 16 << 20

// sendLine passes one line to the emitter.
func (s *sendCommand) sendLine(ctx context.Context, em *emitter.Emitter, l line) error {
	s.sum.Lines++
	switch {
	case l.tooLong:
		return fmt.Errorf("longer than %s", cli.Plural(s.maxLine(), "byte"))
	case len(bytes.TrimSpace(l.data)) == 0:
		s.sum.Blank++
		return nil
	}
	e, err := s.decode(l.data)
	if err != nil {
		return err
	}
	return s.target.submit(ctx, func(ctx context.Context) error { return em.Forward(ctx, e, l.data) })
}

// decode reads a line, and counts what of it is not read.
func (s *sendCommand) decode(data []byte) (*event.Event, error) {
	if s.strict {
		return event.DecodeStrict(data)
	}
	e, warned, err := event.DecodeWithWarnings(data)
	if err == nil {
		s.warned.Add(warned)
	}
	return e, err
}

func (s *sendCommand) reportBad(number int, err error, stderr io.Writer) {
	s.sum.Bad++
	if len(s.sum.Faults) < maxFaults {
		s.sum.Faults = append(s.sum.Faults, lineFault{number, err.Error()})
	}
	fmt.Fprintf(stderr, "%s:%d: %s\n", s.name, number, shown(err.Error()))
}

func (s *sendCommand) print(stdout io.Writer) error {
	if s.asJSON {
		if s.sum.Faults == nil {
			s.sum.Faults = []lineFault{}
		}
		s.sum.Warnings, _ = s.warned.List()
		return json.NewEncoder(stdout).Encode(s.sum)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "sent %d of %s to %s", s.sum.Sent, cli.Plural(s.sum.Lines-s.sum.Blank, "line"), s.target.topic)
	for _, n := range []struct {
		count int
		what  string
	}{{s.sum.Bad, "bad"}, {s.sum.Unsent, "not sent"}, {s.sum.Withheld, "without content"}} {
		if n.count > 0 {
			fmt.Fprintf(&text, ", %d %s", n.count, n.what)
		}
	}
	if s.sum.Blank > 0 { // not in the total: there was nothing to send
		fmt.Fprintf(&text, " (and %d blank)", s.sum.Blank)
	}
	_, err := fmt.Fprintln(stdout, &text)
	return err
}

// result returns the error that decides the exit code.
func (s *sendCommand) result(readErr error) error {
	switch {
	case readErr != nil:
		return &failure{fmt.Errorf("read %s after line %d: %w", s.name, s.sum.Lines, readErr)}
	case s.noProgress:
		return s.target.givenUp(fmt.Sprintf("at line %d, with %s sent", s.sum.Lines, cli.Plural(s.sum.Sent, "event")))
	case s.sum.Interrupted:
		return &failure{fmt.Errorf("interrupted after line %d, with %s sent", s.sum.Lines, cli.Plural(s.sum.Sent, "event"))}
	}
	if left := s.sum.Bad + s.sum.Unsent; left > 0 {
		return &failure{fmt.Errorf("%d of %s %s not sent", left, cli.Plural(s.sum.Lines-s.sum.Blank, "line"), cli.Were(left))}
	}
	return nil
}
