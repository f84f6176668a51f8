package sidecar

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/sidecar/spool"
)

// TestSource: what the publisher's configuration says about content is done before an
// event is in the spool, and /statusz counts what went without content.
func TestSource(t *testing.T) {
	t.Parallel()
	w := build(t, Config{MaxBodyBytes: 100_000}, spool.Config{MaxBytes: 1 << 20})
	var err error
	w.cluster.publisher, err = emitter.NewPublisher(emitter.Config{Brokers: []string{"127.0.0.1:1"}, MaxEventBytes: eventLimit, Prepare: func(e *event.Event) bool {
		if e.RequestID == "panics" {
			panic("canary")
		}
		e.Output = event.Text(strings.ReplaceAll(e.Output.Text(), "canary", "redacted"))
		return e.RequestID != "left-out"
	}})
	if err != nil {
		t.Fatal(err)
	}
	picture := base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("picture"), 5000))
	body := strings.Join([]string{
		`{"event":"llm_request_completed","request_id":"a","output":"a canary","mine":1}`,
		`{"event":"llm_request_completed","request_id":"left-out","output":"a canary"}`,
		`{"event":"llm_request_completed","request_id":"panics","output":"a canary"}`,
		`{"event":"llm_request_completed","request_id":"picture","input":"data:image/png;base64,` + picture + `"}`,
		`{"event":"llm_request_completed","request_id":"large","input":"` + strings.Repeat("word ", 5000) + `"}`,
	}, "\n")
	resp := request{body: body, header: asLines}.do(t, w.handler())
	var got answer
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if resp.Code != 202 || got.Accepted != 5 || len(got.Warnings) != 3 || got.Warnings[0].Problem != "unknown field: it is not published" || got.Warnings[1].Line != 3 || got.Warnings[2].Line != 5 {
		t.Errorf("%d %+v", resp.Code, got)
	}
	if st := w.Status(); st.Events.Withheld != 2 || st.Events.Warned != 1 || st.Events.Accepted != 4 {
		t.Errorf("%+v", st.Events)
	}
	batch, err := w.spool.Next(t.Context(), spool.Limits{Records: 100, Bytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	var kept []string
	for _, r := range batch.Records {
		e, err := event.Decode(r.Data)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(r.Data, []byte("canary")) {
			t.Errorf("in the spool: %s", r.Data)
		}
		kept = append(kept, string(e.RequestID)+" "+e.ContentWithheld+" "+e.Input.Text()+e.Output.Text())
	}
	if want := "a  a redacted,panics not_redacted ,picture  [image, 35 KB],large too_large "; strings.Join(kept, ",") != want {
		t.Errorf("%q, want %q", strings.Join(kept, ","), want)
	}
}

// TestWhatCameWithoutContent: an application that has withheld content itself is not warned
// of it, and what becomes of its own fields is told as it is.
func TestWhatCameWithoutContent(t *testing.T) {
	t.Parallel()
	w := build(t, Config{}, spool.Config{})
	h := w.handler()
	withheld := `"content_withheld":"` + event.WithheldTooLarge + `"`
	if a := posted(t, h, eventWith("a", withheld), 202); len(a.Warnings) != 0 {
		t.Errorf("%+v", a)
	}
	a := posted(t, h, eventWith("b", withheld+`,"mine":"`+strings.Repeat("word ", 1000)+`"`), 202)
	if len(a.Warnings) != 1 || a.Warnings[0].Problem != "unknown field: it is not published" {
		t.Errorf("%+v", a)
	}
	if st := w.Status(); st.Events.Withheld != 2 || st.Events.Warned != 1 {
		t.Errorf("%+v", st.Events)
	}
}
