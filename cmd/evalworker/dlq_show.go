package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/kafka/deadletter"
	"github.com/evalworker/evalworker/redact"
)

func newDLQShowCommand(g *globals) *cobra.Command {
	var asJSON, content, raw bool
	cmd := &cobra.Command{
		Use:   "show PARTITION:OFFSET",
		Short: "Show one dead letter: why it died, where, and what a redrive would do",
		Long: `Show one dead letter: why it died, where, and what a redrive would do.

Content is left out: the value, and headers that are not part of the envelope.
--content prints them redacted, as cases are. What is no event is redacted as
text, which finds less than among the fields of an event. --raw prints the value
alone, byte for byte and not redacted, to be kept away from logs and tickets.`,
		Example: `  evalworker dlq show 0:12
  evalworker dlq show 0:12 --content
  evalworker dlq show 0:12 --raw > letter.json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := deadletter.ParseID(args[0])
			if err != nil {
				return fault.List{{Problem: err.Error(), Expected: wantLetter}}
			}
			if raw && (asJSON || content) {
				return fault.List{{Path: "--raw", Problem: "goes with neither --json nor --content", Expected: "it prints the value alone"}}
			}
			q, cfg, err := openQueue(g)
			if err != nil {
				return err
			}
			defer q.Close()
			l, err := q.Letter(cmd.Context(), id)
			if err != nil {
				return err
			}
			if raw {
				_, err := g.stdout.Write(l.Value)
				return err
			}
			trace, err := q.OriginState(cmd.Context(), l)
			if err != nil {
				return err
			}
			v := letterView{letter: l, origin: trace, fate: q.WouldDie(l)}
			if content {
				if v.redactor, err = redact.New(cfg.Redaction); err != nil {
					return err
				}
			}
			if asJSON {
				return json.NewEncoder(g.stdout).Encode(v.json())
			}
			return v.print(g.stdout)
		},
	}
	cmd.Flags().BoolVar(&content, "content", false, "print value and headers too, redacted")
	cmd.Flags().BoolVar(&raw, "raw", false, "print the value alone, not redacted")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// letterView is a letter with what show prints about it.
type letterView struct {
	letter   *deadletter.Letter
	origin   deadletter.OriginState
	fate     string           // the error with which it would die again; "" if none is known
	redactor *redact.Redactor // nil: no content
}

// envelopeHeaders returns the headers whose values are ids and dimensions.
func envelopeHeaders() []string {
	return append(event.DimNames(), event.HeaderEvent, event.HeaderRequestID,
		event.HeaderTraceID, event.HeaderSpanID, event.HeaderTraceparent, event.HeaderDDTraceID, event.HeaderDDParentID, "b3", "x-b3-traceid", "x-b3-spanid")
}

// header returns a header's value if it is part of the envelope; otherwise its redacted
// value, or only its size without --content.
func (v *letterView) header(h event.Header) string {
	switch {
	case slices.Contains(envelopeHeaders(), h.Key) && utf8.Valid(h.Value):
		return string(h.Value)
	case v.redactor != nil && utf8.Valid(h.Value):
		return v.redactor.Text(string(h.Value))
	case v.redactor != nil:
		return strconv.Quote(v.redactor.Text(string(h.Value)))
	}
	return "(" + cli.Plural(len(h.Value), "byte") + ")"
}

// value returns the redacted value.
func (v *letterView) value() string {
	return v.redactor.Text(strings.ToValidUTF8(string(v.letter.Value), "\ufffd"))
}

// json returns the letter in the form of --json.
func (v *letterView) json() any {
	type pair struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	out := struct {
		letterJSON
		InOrigin deadletter.OriginState `json:"in_origin"`
		Hopeless string                 `json:"would_die_of,omitempty"`
		Headers  []pair                 `json:"headers"`
		Value    *string                `json:"value,omitempty"`
	}{letterJSON: newLetterJSON(v.letter), InOrigin: v.origin, Hopeless: v.fate, Headers: []pair{}}
	for _, h := range v.letter.Headers {
		out.Headers = append(out.Headers, pair{h.Key, v.header(h)})
	}
	if v.redactor != nil && v.letter.Value != nil {
		value := v.value()
		out.Value = &value
	}
	return out
}

func (v *letterView) print(w io.Writer) error {
	l := v.letter
	var b strings.Builder
	state := "waits"
	if l.Redriven {
		state = "was redriven"
	}
	fmt.Fprintf(&b, "letter %v (%s)\n", l.ID, state)
	reason := string(l.Reason)
	if reason == "" {
		reason = "none given"
	}
	fmt.Fprintf(&b, "reason: %s\n", reason)
	writeLine(&b, "error", l.Error)
	fmt.Fprintf(&b, "died: %s, after %s\n", l.Time.UTC().Format(time.RFC3339), cli.Plural(l.Attempts, "attempt"))
	fmt.Fprintf(&b, "origin: %v (%s)\n", l.Origin, originText(v.origin))
	fmt.Fprintf(&b, "redrives: %d before this death\n", l.Redrives)
	writeLine(&b, "key", strings.ToValidUTF8(string(l.Key), "\ufffd"))
	fmt.Fprintf(&b, "size: %s, of which the value has %s\n", cli.Plural(l.Bytes(), "byte"), valueSize(l))
	if v.fate != "" {
		fmt.Fprintf(&b, "a redrive would be refused: it would die again: %s\n", v.fate)
	}
	if len(l.Headers) > 0 {
		b.WriteString("\nheaders:\n")
	}
	for _, h := range l.Headers {
		fmt.Fprintf(&b, "  %s: %s\n", h.Key, v.header(h))
	}
	if v.redactor != nil && l.Value != nil {
		fmt.Fprintf(&b, "\nvalue, redacted:\n%s\n", v.value())
	}
	_, err := io.WriteString(w, printable(b.String()))
	return err
}

func valueSize(l *deadletter.Letter) string {
	switch {
	case l.Truncated != "":
		return "none: the whole was too large, and it goes without " + strings.ReplaceAll(l.Truncated, ",", " and ")
	case l.Value == nil:
		return "none: it is null"
	}
	return fmt.Sprint(len(l.Value))
}

func originText(t deadletter.OriginState) string {
	switch t {
	case deadletter.OriginPresent:
		return "still there"
	case deadletter.OriginDeleted:
		return "no longer there"
	case deadletter.OriginReplaced:
		return "another message is there now: the topic was recreated"
	case deadletter.OriginNoTopic:
		return "that topic or partition does not exist any more"
	}
	return "no worker wrote this letter"
}
