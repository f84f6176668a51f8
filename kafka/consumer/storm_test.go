package consumer

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/conn"
)

// TestRefusedInTurn: brokers of which one lets this worker in and another does not are a line a
// minute, however often the two take turns.
func TestRefusedInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var r refusalState
		lines := 0
		for range 600 {
			if _, ok := r.add(&conn.AccessError{Problem: "the login is refused", Err: os.ErrPermission}, false); ok {
				lines++
			}
			<-time.After(time.Second)
			r.end()
		}
		if lines < 10 || lines > 11 {
			t.Errorf("%d lines in ten minutes", lines)
		}
	})
}

// TestHeldUpInTurn: handlers that wait for a dependency now and then are a line a minute, and
// one that it is over.
func TestHeldUpInTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		log := slog.New(slog.NewTextHandler(&out, nil))
		cfg := DefaultConfig()
		cfg.RetryMin, cfg.RetryMax = time.Millisecond, time.Millisecond
		c, err := New(cfg, Deps{Handle: new(notebook).Handle, Log: log})
		if err != nil {
			t.Fatal(err)
		}
		for range 600 {
			leave := c.handlerRetries.enter(c.log)
			c.waitRetry(t.Context(), &c.handlerRetries, &event.Message{}, 1, errors.New("the store is away"))
			leave()
			<-time.After(time.Second)
		}
		held, over := strings.Count(out.String(), `level=WARN msg="messages in flight are held up`), strings.Count(out.String(), `level=INFO msg="messages in flight are no longer held up"`)
		if held < 10 || held > 11 || over > held {
			t.Errorf("%d lines that they are held up, %d that it is over:\n%s", held, over, out.String())
		}
	})
}

// TestForeignTopicsOfARollout: topics that join the group one after the other are a line a
// minute, and the last of them is in one.
func TestForeignTopicsOfARollout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		c, err := New(DefaultConfig(), Deps{Handle: new(notebook).Handle, Log: slog.New(slog.NewTextHandler(&out, nil))})
		if err != nil {
			t.Fatal(err)
		}
		for _, others := range [][]string{{"a"}, {"a", "b"}, {"a", "b"}, {"a", "b"}} { // by generation
			c.assignor.mu.Lock()
			c.assignor.foreign = others
			c.assignor.mu.Unlock()
			c.noteForeign()
			<-time.After(31 * time.Second)
		}
		if text := out.String(); strings.Count(text, "\n") != 2 || !strings.Contains(text, "other_topics=[a]\n") || !strings.HasSuffix(text, "other_topics=\"[a b]\"\n") {
			t.Errorf("log:\n%s", text)
		}
	})
}
