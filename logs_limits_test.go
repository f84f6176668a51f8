package evalworker_test

import (
	"fmt"
	"go/ast"
	"go/types"
	"maps"
	"slices"
	"strings"
	"testing"
)

// linesOfTheirOwn are the messages at WARN and above that need no limit of package outage,
// with the reason why they cannot fill a log.
func linesOfTheirOwn() map[string]string {
	const (
		once     = "once a process"
		stop     = "once a process, when it stops"
		reload   = "once a reload, of which the log passes five a minute with one message"
		emitter  = "by emitter.notices, which counts and limits for a module that cannot import internal/outage"
		spooling = "the log of the spool passes one of each message a minute, with count and since (cmd/emitter, spoolLog)"
	)
	return map[string]string{
		"worker does not start": "once a process, with at most five lines",
		"a second signal: the worker ends at once; who takes its partitions over repeats what was not committed": stop,
		"worker ended with an error":                                    stop,
		"a part did not close in good order":                            "once a part, when the process stops",
		"a login without TLS":                                           once,
		"health server has ended: probes get no answer until a restart": once,
		"store migrated: programs that know only older versions of its tables may be refused":                          once,
		"old failures not deleted: the store grows, and it is tried again in an hour":                                  "once an hour",
		"new configuration refused, the old one stays in use":                                                          reload,
		"changed keys are ignored until a restart":                                                                     reload,
		"folder is not watched: send SIGHUP after a change":                                                            reload,
		"files are not watched: send SIGHUP to load them again":                                                        once,
		"files may have changed unseen: send SIGHUP to load them again":                                                "the log passes five a minute with one message",
		"files of the configuration are still being read, which the stop does not wait for: look at their file system": stop,
		"configuration is no longer watched: restart to load a new one":                                                once,
		"the sample cannot be trusted":                                                                                 "once a rate, when it begins; what begins together for one cause is one line",
		"the broker refused this much commit metadata; writing less":                                                   "it is halved each time, so twelve times a process at most",
		"answer format is not supported: a looser one is used, and this one is tried again later":                      "a format is tried again after ten minutes only",
		"price table is old: set models.NAME.price, or read costs with care":                                           "once a model that a revision of the policy adds",
		"spans and metrics are lost":                                                                                   "once a minute by telemetry.losses, with since and a count for each sink and reason",
		"metric tag has too many values: more become other":                                                            "once an hour a tag, with the count",
		"metric has too many series: tags of more become other":                                                        "once an hour a metric, with the count",

		"sidecar does not start":      "once a process, with at most five lines",
		"sidecar ended with an error": stop,
		"a second signal: the sidecar ends at once; what is spooled is sent after the next start": stop,
		"sidecar: requests are cut off": stop,
		"sidecar: what could not be sent stays in the spool, and is sent after the next start": stop,
		"sidecar: connections are cut off": stop,

		"spool: the file of a segment cannot be closed; nothing is lost":                                                  spooling,
		"spool: a segment that is done cannot be deleted":                                                                 spooling,
		"spool: the rest of a failed write stays in its segment":                                                          spooling,
		"spool: a segment cannot be read and was moved aside":                                                             spooling,
		"spool: the disk is full: the room of the reserve is used":                                                        spooling,
		"spool: the reserve cannot be filled: with a full disk, records that cannot be sent would stop those behind them": spooling,
		"spool: a segment is gone, and its records with it":                                                               spooling,
		"spool: a damaged part of a segment was moved aside":                                                              spooling,
		"spool: the torn end of the last segment stays where it is":                                                       spooling,
		"spool: the torn end of the last segment was moved aside":                                                         spooling,
		"spool: other users could write to the folder: its mode was changed":                                              once,
		"spool: other users can write to the folder, and delete what is in it: give this process one of its own":          once,

		"events are not written to Kafka":                    emitter,
		"events were given up":                               emitter,
		"events are dropped: the emitter's buffer is full":   emitter,
		"events are refused by the emitter":                  emitter,
		"a function of the emitter's configuration panicked": emitter,
	}
}

// TestTroubleIsALineAMinute: each call that writes a line at WARN or above passes on what a
// limiter of internal/outage has counted, so that a trouble is one line a minute with count
// and since, or stands in linesOfTheirOwn with the reason why it need not.
func TestTroubleIsALineAMinute(t *testing.T) {
	t.Parallel()
	own, used := linesOfTheirOwn(), map[string]bool{}
	limited := 0
	for _, p := range typedPackages(t, "./cmd/evalworker", "./cmd/emitter") {
		if strings.HasPrefix(p.path, module+"/internal/demo") {
			continue
		}
		for _, call := range p.troubles() {
			_, exempt := own[call.message]
			switch {
			case call.counted && exempt:
				t.Errorf("%s: %q is limited, and stands in linesOfTheirOwn: remove it there", call.at, call.message)
			case call.counted:
				limited++
			case !exempt:
				t.Errorf("%s: %q can be written any number of times: ask an outage.Limiter or outage.Outage, and write the line with On or Attr of its tally", call.at, call.message)
			}
			used[call.message] = true
		}
	}
	if limited < 30 {
		t.Errorf("only %d limited lines found: this test no longer sees how they are written", limited)
	}
	for _, msg := range slices.Sorted(maps.Keys(own)) {
		if !used[msg] {
			t.Errorf("no call writes %q: remove it from linesOfTheirOwn", msg)
		}
	}
}

// trouble is a call that writes a line at WARN or above.
type trouble struct {
	message string
	at      string
	counted bool // it has the attributes of an outage.Tally
}

// troubles returns the calls of a package that write lines at WARN or above. A level that
// varies counts when it is above INFO at times.
func (p typedPackage) troubles() (calls []trouble) {
	for call, fn := range p.slogCalls() {
		if level, message, err := p.logCall(fn, call); err == nil && level != "" && level != levelInfo {
			at := p.fset.Position(call.Pos())
			calls = append(calls, trouble{message, fmt.Sprintf("%s:%d", at.Filename, at.Line), p.counts(call)})
		}
	}
	return calls
}

// counts reports whether an expression has the attributes of an outage.Tally.
func (p typedPackage) counts(e ast.Expr) (found bool) {
	ast.Inspect(e, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if fn, ok := p.info.Uses[sel.Sel].(*types.Func); ok {
				name, of := strings.CutPrefix(fn.FullName(), "("+module+"/internal/outage.Tally).")
				found = found || of && (name == "Attr" || name == "On")
			}
		}
		return !found
	})
	return found
}
