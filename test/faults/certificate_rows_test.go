package faults

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/certs"
)

// certificateRows are about certificates of servers that end while workers run. What is
// connected stays connected, so each row also ends the connections once.
func certificateRows() []scenario {
	return []scenario{
		{name: "cert-broker", title: "the broker's certificate ends", group: groupNetwork, run: certBrokerRow},
		{name: "cert-model", title: "the certificate of the model's server ends", group: groupJudge, run: certModelRow},
	}
}

// lifetime of a certificate that is to end while its row runs: long enough for workers to
// join on a busy machine.
const lifetime = 25 * time.Second

// certificate is what a server shows; a row replaces it.
type certificate struct {
	ca    *certs.Authority
	now   chan tls.Certificate // capacity one
	until time.Time
}

func newCertificate(w *world) *certificate {
	w.t.Helper()
	c := &certificate{ca: certs.New(w.t), now: make(chan tls.Certificate, 1)}
	c.now <- tls.Certificate{}
	c.renew(w, lifetime)
	return c
}

// renew issues another certificate.
func (c *certificate) renew(w *world, valid time.Duration) {
	w.t.Helper()
	c.until = time.Now().Add(valid)
	pair := c.ca.Issue(w.t, valid, "127.0.0.1")
	<-c.now
	c.now <- pair.TLS
}

// server returns the configuration of a server that shows the certificate, whatever
// certificates are added to it.
func (c *certificate) server() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		pair := <-c.now
		c.now <- pair
		return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
	}}
}

// certBrokerRow lets the certificate of the broker end, and starts another worker, which
// is the first one to notice. Then the connections of all end, as when the broker is
// restarted. When it has another certificate, the new worker may get partitions whose
// owners could not commit what they had finished.
func certBrokerRow(w *world) {
	f := w.detour()
	cert := newCertificate(w)
	f.secure(cert.server())
	w.kafkaConfig(32, fmt.Sprintf("tls: {enabled: true, ca_file: %q}", cert.ca.File))
	w.allSound = true
	w.begin(8, "A", "B")
	w.publish(8000)
	w.answered(1000)
	w.lasting(time.Until(cert.until) + time.Second)
	w.publish(2000)
	w.tells(w.start("C"), certificateOver, certificateOver)
	ended := time.Now()
	f.reset()
	w.eventually("worker A is not let in", func() bool {
		text, _ := w.workers["A"].get("/readyz")
		return strings.Contains(string(text), certificateOver)
	})
	cert.renew(w, time.Hour)
	renewed := time.Now()
	w.row.recover = w.resumed(renewed)
	w.joined(8, "A", "B", "C")
	w.finish()
	stake := w.finished(ended.Add(-2*commitInterval), renewed.Add(revokeDrain), "A", "B")
	w.note("%d at stake", stake)
	w.bound(w.row.repeated <= stake, "%d repeated, more than the %d that could not be committed", w.row.repeated, stake)
	w.within(w.row.recover, backLimit, "consumed again after %.1f s")
}

// revokeDrain is the default of kafka.revoke_drain.
const revokeDrain = time.Second

// certificateOver is in what workers say of a broker's certificate that has ended.
const certificateOver = "certificate has expired"

// certModelRow lets the certificate of the model's server end. Its verdicts are errors
// meanwhile, because judges.when_down is error here.
func certModelRow(w *world) {
	cert := newCertificate(w)
	mux := http.NewServeMux()
	mux.HandleFunc("/w/{worker}/v1/", w.model.serve)
	server := httptest.NewUnstartedServer(mux)
	server.TLS = cert.server()
	server.StartTLS()
	w.t.Cleanup(server.Close)
	w.model.url = server.URL
	w.env = append(w.env, "SSL_CERT_FILE="+cert.ca.File)
	w.reportTo()
	w.allSound = true
	w.begin(8, "A")
	w.publish(200)
	w.settled()
	first := w.became(w.sound(0))
	w.bound(first["pass"] == len(w.sound(0)), "%s while all was well", tally(first))
	a := w.workers["A"]
	w.lasting(time.Until(cert.until) + time.Second)
	a.fault()
	server.CloseClientConnections()
	from := len(w.ledger.published)
	w.publish(200)
	w.settled()
	during := w.became(w.sound(from))
	w.note("meanwhile: %s", tally(during))
	for end, n := range during {
		w.bound(end == string(eval.ReasonUnavailable) || end == string(eval.ReasonBreakerOpen), "%d ended as %s", n, end)
	}
	w.tells(a, "200", "certificate expired on "+cert.until.UTC().Format("2006-01-02T15:04"))
	cert.renew(w, time.Hour)
	renewed := time.Now()
	w.row.recover = w.passes(renewed)
	w.balanced("A")
	w.finish()
	w.nothingRepeated()
	w.within(w.row.recover, breakerPause+10*time.Second, "passes again after %.1f s")
}
