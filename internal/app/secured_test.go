package app_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/evalworker/evalworker/emitter"
	"github.com/evalworker/evalworker/internal/base/certs"
	"github.com/evalworker/evalworker/internal/demo/broker"
)

// TestSecured: a worker and an application, configured by file, on a cluster that
// requires a login. /readyz reports a wrong password, without showing it, and
// the worker recovers once the file is fixed.
func TestSecured(t *testing.T) {
	t.Parallel()
	w := newWorld(t, passing)
	ca := certs.New(t)
	broker, err := broker.Start(broker.Config{
		Topics: map[string]int32{topic: partitions, deadLetters: 1}, TLS: ca.Server(t, nil),
		Users: []broker.User{{Mechanism: "SCRAM-SHA-512", Name: "worker", Password: "right"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(broker.Close)
	w.broker = broker
	wrong := strings.Repeat("canary", 3)
	w.file("password", wrong)
	plain, err := os.ReadFile(w.configure(rulePolicy))
	if err != nil {
		t.Fatal(err)
	}
	cfg := w.load(w.file("evalworker.yaml", strings.Replace(string(plain), "kafka: {",
		"kafka: {tls: {enabled: true, ca_file: '"+ca.File+"'}, sasl: {mechanism: SCRAM-SHA-512, username: worker, password_file: password}, ", 1)))
	k := w.start(cfg)
	k.ready(http.StatusServiceUnavailable, "kafka: not let in since ")
	_, body := k.get("/readyz")
	for _, want := range []string{`SCRAM-SHA-512 as user "worker"`, filepath.Join(w.dir, "password"), "sasl.username"} {
		if !strings.Contains(body, want) {
			t.Errorf("/readyz = %q, want %q in it", body, want)
		}
	}
	_, status := k.get("/statusz")
	if strings.Contains(body+status+w.log.text(), wrong) {
		t.Error("the password is shown")
	}
	w.file("password", "right")
	k.ready(http.StatusOK, "ok")

	em, err := emitter.New(emitter.Config{
		Brokers: []string{broker.Addr()}, TLS: emitter.TLS{Enabled: true, CAFile: ca.File},
		SASL: emitter.SASL{Mechanism: "SCRAM-SHA-512", Username: "worker", PasswordFile: filepath.Join(w.dir, "password")},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range numbered("event", 3, "this is wrong") {
		if err := em.Emit(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	if err := em.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.consumed(3)
	k.halt()
}
