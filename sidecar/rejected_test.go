package sidecar

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/sidecar/spool"
)

// TestRejectedRequestsAreCounted: by status, and logged in one line a minute that
// holds only numbers.
func TestRejectedRequestsAreCounted(t *testing.T) {
	t.Parallel()
	w := build(t, Config{Token: "0123456789abcdef", MaxBodyBytes: 10_000}, spool.Config{})
	bearing := func(more ...string) map[string]string {
		h := map[string]string{"Authorization": "Bearer 0123456789abcdef"}
		for i := 0; i < len(more); i += 2 {
			h[more[i]] = more[i+1]
		}
		return h
	}
	for _, c := range []struct {
		times, status int
		req           request
	}{
		{2, 400, request{body: "private", header: bearing()}},
		{3, 401, request{body: newEvent("private")}},
		{4, 403, request{body: newEvent("private"), header: map[string]string{"Sec-Fetch-Site": "cross-site"}}},
		{5, 413, request{body: strings.Repeat(newEvent("private"), 1000), header: bearing()}},
		{6, 415, request{body: newEvent("private"), header: bearing("Content-Type", "text/plain")}},
		{7, 202, request{body: newEvent("a"), header: bearing()}},
	} {
		for range c.times {
			if resp := c.req.do(t, w.handler()); resp.Code != c.status {
				t.Fatalf("%d, want %d", resp.Code, c.status)
			}
		}
	}
	got := w.Status().Requests
	if got.Bad != 2 || got.Unauthorized != 3 || got.Forbidden != 4 || got.TooLarge != 5 || got.Unsupported != 6 {
		t.Errorf("%+v", got)
	}
	w.logLateRejection(true)
	w.logLateRejection(true) // there is nothing more to log
	type line struct {
		Msg                                                  string
		Bad, Unauthorized, Forbidden, Too_Large, Unsupported int //nolint:revive,staticcheck // as JSON has it
		Count                                                int
	}
	var logged []line
	for text := range strings.Lines(w.logs.String()) {
		var l line
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(l.Msg, "refused") {
			logged = append(logged, l)
		}
	}
	const msg = "requests are refused: the answers say why"
	if diff := cmp.Diff([]line{{msg, 1, 0, 0, 0, 0, 1}, {msg, 1, 3, 4, 5, 6, 19}}, logged); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	if strings.Contains(w.logs.String(), "private") {
		t.Error("the log shows content")
	}
}

// TestRejectionsAreLoggedOnceAMinute: also those that no request follows.
func TestRejectionsAreLoggedOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &Sidecar{log: slog.New(slog.NewJSONHandler(&log, nil))}
		ctx, cancel := context.WithCancel(t.Context())
		var logging sync.WaitGroup
		logging.Go(func() { s.logLateRejections(ctx) })
		begin := time.Now()
		for second := range 200 {
			if second < 50 {
				s.counts.add(&answer{Status: http.StatusBadRequest})
				s.logRejection()
			}
			<-time.After(time.Second)
		}
		s.counts.add(&answer{Status: http.StatusBadRequest})
		s.logRejection()
		cancel() // logs the last one
		logging.Wait()
		type line struct {
			Time, Since time.Time
			Bad, Count  int
		}
		var got []line
		for dec := json.NewDecoder(&log); dec.More(); {
			var l line
			if err := dec.Decode(&l); err != nil {
				t.Fatal(err)
			}
			got = append(got, l)
		}
		if len(got) != 3 || got[0].Bad != 1 || got[1].Bad != 49 || got[2].Bad != 1 {
			t.Fatalf("logged %+v", got)
		}
		for i, since := range []time.Time{begin, begin, begin.Add(200 * time.Second)} {
			if l := got[i]; l.Count != l.Bad || !l.Since.Equal(since) {
				t.Errorf("line %d: %+v, want as many since %v", i, l, since)
			}
		}
		if first, second := got[0].Time.Sub(begin), got[1].Time.Sub(begin); first != 0 || second != time.Minute {
			t.Errorf("logged after %v and %v", first, second)
		}
	})
}
