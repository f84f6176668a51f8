package faults

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var keepFlag = flag.String("faults.keep", "", "folder that gets what the workers said during each fault: log, /readyz, /statusz, /metrics")

// told is what a worker says of a fault while it lasts: what somebody sees who is
// called.
type told struct {
	title string
	ready string // status and text of /readyz
	line  string // the first line of the log above INFO since the fault began
}

// process is a process that a row watches while a fault lasts: a worker or a sidecar.
type process struct {
	t              *testing.T
	log            string // file with its output
	starts, health string // message of the line of the log with the health server's address, and its key
	saidBefore     int    // bytes of the log when the fault began
}

// speaker is what tells asks: a worker or a sidecar.
type speaker interface {
	get(path string) (body []byte, code int)
	firstAboveInfo(letters bool) string
	logFile() string
}

func (k *process) logFile() string { return k.log }

// fault marks the beginning of a fault at a process: what its log says before is not
// about it.
func (k *process) fault() {
	k.t.Helper()
	text, err := os.ReadFile(k.log)
	if err != nil {
		k.t.Fatal(err)
	}
	k.saidBefore = len(text)
}

// tells waits until a process says what is wrong, and records it for the table. Ready
// matches a part of the text of /readyz, after "200" where the process stays ready; line
// one of the first line above INFO since fault, or it is "" where the log rightly has
// none. Both are regular expressions, and must name the cause; a first line about something
// else breaks a bound.
func (w *world) tells(k speaker, ready, line string) {
	w.t.Helper()
	answer := ""
	part, stays := strings.CutPrefix(ready, "200")
	w.eventually(fmt.Sprintf("/readyz says %q", ready), func() bool {
		text, code := k.get("/readyz")
		answer = fmt.Sprintf("%d %s", code, bytes.TrimSpace(text))
		return matches(strings.TrimSpace(part), answer) && (code == http.StatusOK) == stays
	})
	first, letters := "", strings.Contains(line, putAside)
	if line != "" {
		w.eventually("the log says something", func() bool {
			first = k.firstAboveInfo(letters)
			return first != ""
		})
		w.bound(matches(line, first), "the first line of the log is %s; want one with %q", first, line)
	} else {
		first = k.firstAboveInfo(letters)
		w.bound(first == "", "the log says %s", first)
	}
	w.told = append(w.told, told{title: w.row.title, ready: answer, line: first})
	if *keepFlag != "" {
		w.keep(k, answer)
	}
}

// putAside is a part of the messages about dead letters.
const putAside = "put aside as "

// matches reports whether a text has a part that a regular expression describes.
func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }

// noAnswerOf matches what is said of a broker that does not answer: a connection to it, a
// new one, or a request that any broker of the list may serve.
func noAnswerOf(addr string) string {
	return regexp.QuoteMeta(addr) + "(, [0-9.:]+)*( cannot be reached)?: " + noAnswer
}

// firstAboveInfo returns the first line since fault that wants somebody's attention:
// its level, message and what it says of the cause; "" while there is none. Lines about dead
// letters count only on request, because all rows publish a few broken events.
func (k *process) firstAboveInfo(letters bool) string {
	text, err := os.ReadFile(k.log)
	if err != nil || len(text) <= k.saidBefore {
		return ""
	}
	for text := range bytes.Lines(text[k.saidBefore:]) {
		var line struct {
			Level, Msg, Error, Reason string
			Lost                      map[string]int // of spans and metrics, by sink and reason
		}
		if json.Unmarshal(text, &line) != nil || line.Level != "WARN" && line.Level != "ERROR" {
			continue
		}
		if !letters && strings.Contains(line.Msg, putAside) {
			continue
		}
		if cause := cmp.Or(line.Error, line.Reason, tally(line.Lost)); cause != "" {
			return line.Level + " " + line.Msg + ": " + cause
		}
		return line.Level + " " + line.Msg
	}
	return ""
}

// keep copies what the worker says now into a folder of the row.
func (w *world) keep(k speaker, ready string) {
	w.t.Helper()
	dir := filepath.Join(*keepFlag, strings.TrimPrefix(w.topic, "faults."))
	w.must(os.MkdirAll(dir, 0o750))
	log, err := os.ReadFile(k.logFile())
	w.must(err)
	files := map[string][]byte{"log": log, "readyz": []byte(ready + "\n")}
	for _, path := range []string{"statusz", "metrics"} {
		files[path], _ = k.get("/" + path)
	}
	for name, text := range files {
		w.must(os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
}

// The marks between which a document has what workers say.
var toldMarks = marks{
	begin: "<!-- faults told: written by make faults, not by hand -->\n",
	end:   "<!-- faults told: end -->\n",
}

// toldColumns are those of the table of what workers say.
var toldColumns = []string{"scenario", "`/readyz`", "first line of the log"}

func (t told) cells() []string {
	said := t.line
	if said == "" {
		said = "(none above INFO)"
	}
	return []string{t.title, code(t.ready), code(said)}
}

// code formats a text as code in a cell of a table.
func code(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	return "`" + strings.NewReplacer("`", "'", "|", `\|`).Replace(text) + "`"
}
