package app_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/evalworker/evalworker/internal/app"
	"github.com/evalworker/evalworker/internal/config"
)

// troubleLine is what the log says of a trouble.
type troubleLine struct {
	Msg, Error, Mend string
	Since            time.Time
}

// line waits for a line of the log and returns the last one with that message.
func (w *world) line(t *testing.T, msg string) (last troubleLine) {
	t.Helper()
	eventually(t, "a line "+msg, func() bool {
		found := false
		for text := range strings.Lines(w.log.text()) {
			var l troubleLine
			if err := json.Unmarshal([]byte(text), &l); err == nil && l.Msg == msg {
				last, found = l, true
			}
		}
		return found
	})
	return last
}

// agree checks that the log, the status page and /readyz say the same.
func (k *worker) agree(said troubleLine, statusError string, since time.Time, ready int) {
	k.t.Helper()
	if !strings.HasSuffix(said.Error, statusError) || statusError == "" {
		k.t.Errorf("the log says %q, the status page %q", said.Error, statusError)
	}
	if !since.IsZero() && !said.Since.Equal(since) {
		k.t.Errorf("%s: since %v by the log, since %v by the status page", said.Msg, said.Since, since)
	}
	k.ready(ready, strings.ReplaceAll(statusError, "\n", "; "))
	if said.Mend != "" {
		k.ready(ready, said.Mend)
	}
}

// TestOneTroubleHasOneText: the log, the status page and /readyz name the same cause, since the
// same time.
func TestOneTroubleHasOneText(t *testing.T) {
	t.Run("store", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, passing)
		w.storeTimeout = "1s"
		k := w.start(w.load(w.configure(rulePolicy)))
		unlock := lock(t, w.store())
		w.emit(t.Context(), numbered("bad", 1, "this is wrong")...)
		said := w.line(t, "store is down: failing events wait and intake stalls")
		s := k.Status().Store
		k.agree(said, s.Error, s.DownSince, http.StatusServiceUnavailable)
		unlock()
		k.halt()
	})
	t.Run("kafka", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, passing)
		cfg := w.load(w.configure(rulePolicy))
		cfg.Kafka.Brokers = []string{freePort(t)}
		k := w.start(cfg)
		said := w.line(t, "group not joined; trying again")
		s := k.Status().Consumer
		k.agree(said, s.Error, s.DownSince, http.StatusServiceUnavailable)
		k.halt()
	})
	t.Run("model", func(t *testing.T) {
		t.Parallel()
		w, up := outage(t)
		k := w.start(w.load(w.configure(holdPolicy)))
		w.emit(t.Context(), numbered("event", 20, "an answer")...)
		said := w.line(t, "model is down: events that need it wait, up to judges.max_wait")
		m := k.Status().Models[0]
		if said.Mend != m.Mend || m.Mend == "" {
			t.Errorf("to mend %q by the log, %q by the status page", said.Mend, m.Mend)
		}
		k.agree(said, m.Error, m.FailingSince, http.StatusOK)
		up()
		k.halt()
	})
	t.Run("configuration", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, passing)
		path := w.configure(rulePolicy)
		watcher, err := config.NewWatcher(path, nil, nil, w.logger())
		if err != nil {
			t.Fatal(err)
		}
		k := w.start(w.load(path), func(d *app.Deps) { d.Watcher = watcher })
		w.configure(strings.Replace(rulePolicy, "none:", "nonne:", 1) + "shutdown: {clos: 9s}\n")
		said := w.line(t, "new configuration refused, the old one stays in use")
		k.agree(said, k.Status().Policy.Reloads.Error, time.Time{}, http.StatusOK)
		w.configure(rulePolicy)
		eventually(t, "mended", func() bool { _, body := k.get("/readyz"); return body == "ok\n" })
		k.halt()
	})
}
