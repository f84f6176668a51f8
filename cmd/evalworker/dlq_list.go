package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/cli"
	"github.com/evalworker/evalworker/kafka/deadletter"
)

func newDLQListCommand(g *globals) *cobra.Command {
	var f letterFlags
	var asJSON, count, redriven bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the dead letters that nobody has redriven yet",
		Long: `List the dead letters that nobody has redriven yet, by partition and offset, and
how many there are of each reason. It reads up to the end that the topic has when
it begins. It never prints content; keys and errors hold ids and names.`,
		Example: `  evalworker dlq list --since 24h
  evalworker dlq list --reason malformed --limit 20
  evalworker dlq list --count --json
  evalworker dlq list --redriven --json | jq -r .id`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := f.filter(nil, time.Now())
			if err != nil {
				return err
			}
			q, cfg, err := openQueue(g)
			if err != nil {
				return err
			}
			defer q.Close()
			if err := f.matchEvaluator(&filter, cfg); err != nil {
				return err
			}
			bar, step := letterProgress(g, "offsets")
			t := &letterTable{w: g.stdout, json: asJSON}
			sum, err := q.List(cmd.Context(), filter, redriven, step, func(l *deadletter.Letter) error {
				if count {
					return nil
				}
				bar.Clear()
				return t.add(l)
			})
			bar.Finish()
			if errors.Is(err, deadletter.ErrEmpty) {
				if count && asJSON {
					if err := json.NewEncoder(g.stdout).Encode(newSummaryJSON(sum)); err != nil {
						return err
					}
				}
				return printEmpty(g, err)
			}
			if err != nil {
				return err
			}
			switch {
			case count && asJSON:
				return json.NewEncoder(g.stdout).Encode(newSummaryJSON(sum))
			case count:
				return printCounts(g.stdout, sum)
			case asJSON:
				return nil
			}
			return t.end(sum, redriven)
		},
	}
	f.add(cmd, g)
	cmd.Flags().BoolVar(&redriven, "redriven", false, "also list letters that were redriven")
	cmd.Flags().BoolVar(&count, "count", false, "print only how many letters there are of each reason; with --redriven, count redriven ones too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

// letterJSON is a letter as JSON. It has no content.
type letterJSON struct {
	ID        string      `json:"id"`
	Time      time.Time   `json:"time"`
	Reason    eval.Reason `json:"reason"`
	Error     string      `json:"error"`
	Key       string      `json:"key"`
	Origin    *originJSON `json:"origin"` // null when the letter names none
	Attempts  int         `json:"attempts"`
	Redrives  int         `json:"redrives"`
	Redriven  bool        `json:"redriven"`
	Truncated string      `json:"truncated,omitempty"`
	Bytes     int         `json:"bytes"`
}

type originJSON struct {
	Topic     string `json:"topic"`
	Partition int    `json:"partition"`
	Offset    int64  `json:"offset"`
}

func newLetterJSON(l *deadletter.Letter) letterJSON {
	out := letterJSON{
		ID: l.ID.String(), Time: l.Time.UTC(), Reason: l.Reason, Error: l.Error, Key: strings.ToValidUTF8(string(l.Key), "\ufffd"),
		Attempts: l.Attempts, Redrives: l.Redrives, Redriven: l.Redriven, Truncated: l.Truncated, Bytes: l.Bytes(),
	}
	if l.Origin.Topic != "" {
		out.Origin = &originJSON{l.Origin.Topic, l.Origin.Partition, l.Origin.Offset}
	}
	return out
}

type summaryJSON struct {
	Letters  int         `json:"letters"`
	Redriven int         `json:"redriven"`
	Reasons  []countJSON `json:"reasons"`
}

type countJSON struct {
	Reason  eval.Reason `json:"reason"`
	Letters int         `json:"letters"`
	Oldest  time.Time   `json:"oldest"`
	Newest  time.Time   `json:"newest"`
}

func newSummaryJSON(s deadletter.Summary) summaryJSON {
	out := summaryJSON{Letters: s.Letters, Redriven: s.Redriven, Reasons: []countJSON{}}
	for _, c := range s.Reasons {
		out.Reasons = append(out.Reasons, countJSON{c.Reason, c.Letters, c.Oldest.UTC(), c.Newest.UTC()})
	}
	return out
}

func printCounts(w io.Writer, s deadletter.Summary) error {
	if s.Letters == 0 {
		_, err := fmt.Fprintln(w, headline(s))
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "reason\tletters\toldest\tnewest")
	for _, c := range s.Reasons {
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\n", reasonCell(c.Reason, 40), c.Letters, c.Oldest.UTC().Format(time.RFC3339), c.Newest.UTC().Format(time.RFC3339))
	}
	return t.Flush()
}

func reasonCell(r eval.Reason, width int) string {
	if r == "" {
		return "(none)"
	}
	return cell(string(r), width)
}

// letterTable prints letters as they come, in columns of a fixed width, because their
// number has no bound.
type letterTable struct {
	w     io.Writer
	json  bool
	lines int
}

// tableWidth is the widest line of a table.
const tableWidth = 100

func (t *letterTable) add(l *deadletter.Letter) error {
	if t.json {
		t.lines++
		return json.NewEncoder(t.w).Encode(newLetterJSON(l))
	}
	if t.lines == 0 {
		if err := t.row("letter", "died", "reason", "origin", "redrives", "key", "error"); err != nil {
			return err
		}
	}
	t.lines++
	origin := "unknown"
	if l.Origin.Topic != "" {
		origin = deadletter.ID{Partition: l.Origin.Partition, Offset: l.Origin.Offset}.String()
	}
	redrives := fmt.Sprint(l.Redrives)
	if l.Redriven {
		redrives += " done"
	}
	// The error begins with the reason, which has a column of its own.
	text := strings.TrimPrefix(l.Error, string(l.Reason)+": ")
	return t.row(l.ID.String(), l.Time.UTC().Format("01-02 15:04"), reasonCell(l.Reason, 13), origin, redrives, cell(string(l.Key), 8), text)
}

func (t *letterTable) row(letter, died, reason, origin, redrives, key, text string) error {
	line := fmt.Sprintf("%-9s %-11s  %-13s  %-9s  %-8s  %-8s  ", letter, died, reason, origin, redrives, key)
	if room := tableWidth - utf8.RuneCountInString(line); room > 1 {
		line += cell(text, room)
	}
	_, err := fmt.Fprintln(t.w, strings.TrimRight(line, " "))
	return err
}

// end prints how many letters there are, and which were not shown.
func (t *letterTable) end(s deadletter.Summary, redriven bool) error {
	var b strings.Builder
	if t.lines > 0 {
		b.WriteString("\n")
	}
	b.WriteString(headline(s) + "\n")
	if t.lines < s.Letters {
		fmt.Fprintf(&b, "%d of them shown\n", t.lines)
	}
	switch {
	case s.Redriven == 0:
	case redriven:
		fmt.Fprintf(&b, "%d of them %s redriven: marked done\n", s.Redriven, cli.Were(s.Redriven))
	default:
		fmt.Fprintf(&b, "%d more %s redriven; --redriven lists %s too\n", s.Redriven, cli.Were(s.Redriven), cli.Choose(s.Redriven, "it", "them"))
	}
	_, err := io.WriteString(t.w, b.String())
	return err
}

func headline(s deadletter.Summary) string {
	if s.Letters == 0 {
		return "no dead letters"
	}
	var parts []string
	for _, c := range s.Reasons {
		parts = append(parts, fmt.Sprintf("%d %s", c.Letters, reasonCell(c.Reason, 40)))
	}
	return cli.Plural(s.Letters, "dead letter") + ": " + strings.Join(parts, ", ")
}
