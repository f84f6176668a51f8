package upgrade

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"testing"
)

// spooled is how many events a sidecar keeps for the next one.
const spooled = 200

// spool lets one program's sidecar take events that it cannot send, kills it, and lets
// the other's send them.
func spool(t *testing.T, w *world, first, second program) {
	t.Helper()
	dir := filepath.Join(w.dir, "spool")
	serve := func(p program, name, brokers string) (*process, string) {
		t.Helper()
		k := w.start(name, p.emitter(), "serve", "--brokers", brokers, "--topic", w.topic, "--listen", "127.0.0.1:0", "--spool-dir", dir)
		return k, fmt.Sprintf("http://%s", k.logged("sidecar starts")["addr"])
	}
	k, url := serve(first, "first", nobody(t))
	var body bytes.Buffer
	for n := range spooled {
		fmt.Fprintf(&body, `{"event":"llm_request_completed","request_id":%q,"feature":"support_agent","status":"success","output":%q}`+"\n", idOf(n), outputOf(n))
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/events", &body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	resp, err := client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		t.Fatalf("%s answers %d", first.name, resp.StatusCode)
	}
	k.kill()
	k, url = serve(second, "second", w.addr)
	eventually(t, "the spool is sent", func() bool {
		var s struct{ Spool struct{ Events int } }
		return getJSON(t, url+"/statusz", &s) && s.Spool.Events == 0 && total(w.ends()) >= spooled
	})
	k.stop()
	ids := w.places()
	for n := range spooled {
		if len(ids[idOf(n)]) != 1 {
			t.Errorf("%s is in the topic %d times", idOf(n), len(ids[idOf(n)]))
		}
	}
	t.Logf("%d events spooled by %s, sent by %s", len(ids), first.name, second.name)
}

// nobody returns an address at which nobody listens.
func nobody(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
