package conn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/segmentio/kafka-go"
)

// Refusal is the error of a connection that does not come about until somebody
// mends something: a password, a certificate, a permission. Trying again is
// harmless, and finds what was mended meanwhile.
type Refusal struct {
	Broker  string // host:port; empty where it is not known
	Problem string // who was refused what
	Mend    string // what to look at
	Err     error  // what the broker or the library said; never nil
}

// Error is one line: broker, problem, cause, mend.
func (r *Refusal) Error() string {
	at := ""
	if r.Broker != "" {
		at = "broker " + r.Broker + ": "
	}
	return fmt.Sprintf("%s%s: %v; %s", at, r.Problem, r.Err, r.Mend)
}

// Unwrap gives what the broker or the library said.
func (r *Refusal) Unwrap() error { return r.Err }

// Refused finds the Refusal in an error's chain; nil when there is none.
func Refused(err error) *Refusal {
	r, _ := errors.AsType[*Refusal](err)
	return r
}

// Explain makes a [Refusal] of an error with which a broker turns this client
// away, and gives any other error back as it is; one that has a Refusal in its
// chain is reduced to that, since what the library puts around it says less.
func (c Config) Explain(err error) error {
	if r := Refused(err); r != nil {
		return r
	}
	if code, ok := errors.AsType[kafka.Error](err); ok {
		problem, mend := c.refused(code)
		if problem == "" {
			return err
		}
		return &Refusal{Problem: problem, Mend: mend, Err: said(code)}
	}
	if !c.TLS.Enabled && c.SASL.Mechanism == "" && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return fmt.Errorf("the broker closes the connection without an answer (it may want TLS or a login: tls.enabled, sasl.mechanism): %w", err)
	}
	return err
}

func (c Config) refused(code kafka.Error) (problem, mend string) {
	switch code {
	case kafka.SASLAuthenticationFailed:
		return "Kafka refuses the login by " + c.SASL.who(), c.SASL.mend()
	case kafka.UnsupportedSASLMechanism:
		return "Kafka does not offer the login by " + c.SASL.Mechanism, "set sasl.mechanism to one that the brokers offer"
	case kafka.IllegalSASLState:
		if c.SASL.Mechanism == "" {
			return "Kafka wants a login", "set sasl.mechanism"
		}
		return "Kafka wants no login at this address", "set brokers to their SASL listener, or leave sasl.mechanism out"
	case kafka.TopicAuthorizationFailed:
		return "Kafka does not let " + c.SASL.who() + " use the topic", "grant it READ and DESCRIBE on the topic, WRITE on the topic of dead letters; for publishing, WRITE"
	case kafka.GroupAuthorizationFailed:
		return "Kafka does not let " + c.SASL.who() + " use the group", "grant it READ on the consumer group"
	case kafka.ClusterAuthorizationFailed:
		return "Kafka does not let " + c.SASL.who() + " do this", "grant it the operation on the cluster"
	}
	return "", ""
}

// said keeps a broker's code in the chain and its long description out of the
// text.
func said(code kafka.Error) error { return &coded{code} }

type coded struct{ code kafka.Error }

func (c *coded) Error() string {
	return fmt.Sprintf("%s (Kafka error %d)", c.code.Title(), int(c.code))
}
func (c *coded) Unwrap() error { return c.code }

// handshakeFailed explains why a TLS handshake failed. What may be a passing
// fault of the network is no Refusal.
func (c Config) handshakeFailed(addr string, asked bool, err error) error {
	r := &Refusal{Broker: addr, Err: err}
	if v, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		r.Err = v.Err
	}
	_, foreign := errors.AsType[x509.UnknownAuthorityError](err)
	_, misnamed := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case foreign && c.TLS.CAFile == "":
		r.Problem, r.Mend = "its certificate is signed by an authority that this machine does not trust", "set tls.ca_file to the authority's certificate"
	case foreign:
		r.Problem, r.Mend = "its certificate is not signed by an authority of "+c.TLS.CAFile, "put the authority's certificate into tls.ca_file; it is read again at each attempt"
	case misnamed:
		r.Problem, r.Mend = "its certificate is for another name", "set tls.server_name to a name that it is for, or use such a name in brokers"
	case invalid:
		r.Problem, r.Mend = "its certificate is not valid", "renew it, or mend this machine's clock"
	case noTLS:
		r.Problem, r.Mend = "it does not speak TLS at this address", "set brokers to its TLS listener, or leave tls.enabled out"
	case remoteAlert(err):
		c.certificateRefused(r, asked)
	default:
		said := err.Error()
		if errors.Is(err, context.DeadlineExceeded) {
			said = "no answer in time"
		}
		return &trouble{text: fmt.Sprintf("broker %s: TLS handshake: %s; is it a TLS listener?", addr, said), err: err}
	}
	return r
}

// certificateRefused says what the broker has against this client's certificate.
func (c Config) certificateRefused(r *Refusal, asked bool) {
	switch {
	case asked && c.TLS.CertFile == "":
		r.Problem, r.Mend = "it asks for a client certificate and there is none", "set tls.cert_file and tls.key_file"
	case asked:
		r.Problem, r.Mend = "it refuses the client certificate of "+c.TLS.CertFile, "use one that an authority of the brokers' has signed and that has not expired; it is read again at each attempt"
	default:
		r.Problem, r.Mend = "it refuses the TLS connection", "check the versions and ciphers of its TLS listener"
	}
}

// remoteAlert reports whether the far end ended a TLS connection with a reason.
func remoteAlert(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}
