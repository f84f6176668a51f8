package conn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// ErrNoAccess matches every [AccessError] with errors.Is.
var ErrNoAccess = errors.New("not let in by Kafka")

// AccessError is the error of a connection or a request that fails until someone
// mends something: a password, a certificate, a permission. Trying again is harmless,
// and succeeds once that is done.
type AccessError struct {
	Broker  string // host:port; empty if it is not known
	Problem string // what failed, or is not allowed
	Remedy  string // what to look at
	Err     error  // of the broker or the library; never nil
}

// Error returns one line: broker, problem, cause, remedy.
func (r *AccessError) Error() string {
	at := ""
	if r.Broker != "" {
		at = "broker " + r.Broker + ": "
	}
	return fmt.Sprintf("%s%s: %v; %s", at, r.Problem, r.Err, r.Remedy)
}

// Unwrap returns the error of the broker or the library.
func (r *AccessError) Unwrap() error { return r.Err }

// Cause returns the problem: attempts that fail with it are one trouble, whichever
// broker they met.
func (r *AccessError) Cause() string { return r.Problem }

// Is reports whether target is ErrNoAccess.
func (r *AccessError) Is(target error) bool { return target == ErrNoAccess }

// AccessErrorIn returns the AccessError in an error's chain, or nil.
func AccessErrorIn(err error) *AccessError {
	var r *AccessError
	_ = errors.As(err, &r)
	return r
}

// brokerError is an error of the connection to a broker in words for an operator.
type brokerError struct {
	text  string
	err   error
	cause string // of a broker's answer; empty when there was none
}

func (b *brokerError) Error() string { return b.text }
func (b *brokerError) Unwrap() error { return b.err }

// Cause returns the problem that a broker has answered with. All that is wrong with a
// connection has one cause, because it varies with the broker that is tried.
func (b *brokerError) Cause() string { return b.cause }

// Explain returns an [AccessError] for an error with which a broker turns this client
// away. It unwraps an AccessError in the chain, because what the library adds around
// it says less, and returns any other error as it is.
func (c Config) Explain(err error) error {
	if r := AccessErrorIn(err); r != nil {
		return r
	}
	var code kafka.Error
	if errors.As(err, &code) {
		if a := c.answer(code); a.access {
			return &AccessError{Problem: a.problem, Remedy: a.mend, Err: &codeError{code}}
		}
	}
	return err
}

// WriteRefusal returns an [AccessError] that names the topic, for the code with which a
// broker refuses to let this client write to it, and any other error as it is.
func (c Config) WriteRefusal(topic string, err error) error {
	return c.Refusal(err, kafka.TopicAuthorizationFailed, "write to the topic "+topic, "grant it WRITE and DESCRIBE on that topic")
}

// ReadRefusal is WriteRefusal for reading the topic.
func (c Config) ReadRefusal(topic string, err error) error {
	return c.Refusal(err, kafka.TopicAuthorizationFailed, "read the topic "+topic, "grant it READ and DESCRIBE on that topic")
}

// Refusal returns an [AccessError] for one code of a broker, which says what this client
// may not do and what to grant, and any other error as it is.
func (c Config) Refusal(err error, code kafka.Error, do, grant string) error {
	if !errors.Is(err, code) || AccessErrorIn(err) != nil {
		return err
	}
	return &AccessError{Problem: "Kafka does not let " + c.SASL.identity() + " " + do, Remedy: grant, Err: &codeError{code}}
}

// handshakeError explains why a TLS handshake failed. It returns an AccessError,
// unless the cause may be a passing fault of the network.
func (c Config) handshakeError(addr string, certRequested bool, err error) error {
	r := &AccessError{Broker: addr, Err: err}
	var v *tls.CertificateVerificationError
	if errors.As(err, &v) {
		r.Err = v.Err
	}
	foreign := errors.As(err, new(x509.UnknownAuthorityError))
	misnamed := errors.As(err, new(x509.HostnameError))
	var invalid x509.CertificateInvalidError
	isInvalid := errors.As(err, &invalid)
	noTLS := errors.As(err, new(tls.RecordHeaderError))
	switch {
	case foreign && c.TLS.CAFile == "":
		r.Problem, r.Remedy = "its certificate is signed by an authority that this machine does not trust", "set tls.ca_file to the authority's certificate"
	case foreign:
		r.Problem, r.Remedy = "its certificate is not signed by an authority of "+c.TLS.CAFile, "put the authority's certificate into tls.ca_file; it is read again at each attempt"
	case misnamed:
		r.Problem, r.Remedy = "its certificate is for another name", "set tls.server_name to a name that it is for, or use such a name in brokers"
	case isInvalid:
		r.Problem, r.Remedy = invalidCertificate(invalid), "whoever runs the brokers has to renew it, unless this machine's clock is wrong"
	case noTLS:
		r.Problem, r.Remedy = "it does not speak TLS at this address", "set brokers to its TLS listener, or leave tls.enabled out"
	case remoteAlert(err):
		c.explainCertificate(r, certRequested)
	default:
		text := err.Error()
		if errors.Is(err, context.DeadlineExceeded) {
			text = "no answer in time"
		}
		return &brokerError{text: fmt.Sprintf("broker %s: TLS handshake: %s; is it a TLS listener?", addr, text), err: err}
	}
	return r
}

// invalidCertificate says why a broker's certificate does not count today.
func invalidCertificate(err x509.CertificateInvalidError) string {
	switch {
	case err.Reason != x509.Expired || err.Cert == nil:
		return "its certificate is not valid"
	case err.Cert.NotBefore.After(time.Now()):
		return "its certificate is valid only from " + err.Cert.NotBefore.UTC().Format(time.RFC3339) + " on"
	}
	return "its certificate expired on " + err.Cert.NotAfter.UTC().Format(time.RFC3339)
}

// explainCertificate fills in why the broker does not accept this client's
// certificate.
func (c Config) explainCertificate(r *AccessError, certRequested bool) {
	switch {
	case certRequested && c.TLS.CertFile == "":
		r.Problem, r.Remedy = "it asks for a client certificate and there is none", "set tls.cert_file and tls.key_file"
	case certRequested:
		r.Problem, r.Remedy = "it refuses the client certificate of "+c.TLS.CertFile, "use one that an authority of the brokers' has signed and that has not expired; it is read again at each attempt"
	default:
		r.Problem, r.Remedy = "it refuses the TLS connection", "check the versions and ciphers of its TLS listener"
	}
}

// remoteAlert reports whether the far end ended a TLS connection with a reason.
func remoteAlert(err error) bool {
	var op *net.OpError
	ok := errors.As(err, &op)
	return ok && op.Op == "remote error"
}

// Describe rewrites an error for an operator: an [AccessError] if it is one, else
// without the names of the library's functions and with the broker that it is about,
// or the configured ones if that is not known. The code of a broker's answer becomes
// words: what is wrong, the code's name, and what to do. err stays in the chain.
func (c Config) Describe(err error) error {
	if err == nil {
		return nil
	}
	if r := AccessErrorIn(c.Explain(err)); r != nil {
		return r
	}
	var b *brokerError
	if errors.As(err, &b) {
		return b // described already, closer to the connection
	}
	var code kafka.Error
	answered := errors.As(err, &code)
	var op *net.OpError
	if errors.As(err, &op) && !answered {
		return &brokerError{text: networkProblem(op), err: err}
	}
	text, cause := TrimMethod(err).Error(), ""
	switch {
	case answered:
		text, cause = c.inWords(text, err), c.answer(code).problem
	case errors.Is(err, context.DeadlineExceeded):
		text = "no answer in time"
	case errors.Is(err, io.ErrNoProgress): // kafka-go's error for an answer that it cannot parse
		text = "what it answers is not Kafka; is the port right?"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		text = "the connection has ended in the middle of an answer; the next attempt makes a new one"
	}
	noun := "broker "
	if len(c.Brokers) > 1 {
		noun = "brokers "
	}
	return &brokerError{text: noun + strings.Join(c.Brokers, ", ") + ": " + text, err: err, cause: cause}
}

// inWords replaces the library's text of each code in the text of an error. Errors that
// were joined have a line each; they are put into one.
func (c Config) inWords(text string, err error) string {
	codes := codesIn(err)
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		for _, code := range codes {
			if before, after, found := strings.Cut(line, code.Error()); found {
				a := c.answer(code)
				lines[i] = before + a.problem + ": " + (&codeError{code}).Error() + after + "; " + a.mend
				break
			}
		}
	}
	return strings.Join(slices.Compact(lines), "; ")
}

// codesIn returns the codes of brokers in the tree of an error.
func codesIn(err error) []kafka.Error {
	if code, ok := err.(kafka.Error); ok { //nolint:errorlint // the tree is walked here
		return []kafka.Error{code}
	}
	switch e := err.(type) { //nolint:errorlint // as above
	case interface{ Unwrap() error }:
		return codesIn(e.Unwrap())
	case interface{ Unwrap() []error }:
		var out []kafka.Error
		for _, inner := range e.Unwrap() {
			out = append(out, codesIn(inner)...)
		}
		return out
	}
	return nil
}

// networkProblem says what failed between this machine and a broker.
func networkProblem(op *net.OpError) string {
	switch {
	case op.Addr == nil: // the name has no address; the error contains it
		return fmt.Sprintf("broker cannot be reached: %v", op.Err)
	case op.Op == "dial" && op.Timeout():
		return fmt.Sprintf("broker %s cannot be reached: no answer in time", op.Addr)
	case op.Op == "dial":
		return fmt.Sprintf("broker %s cannot be reached: %v", op.Addr, op.Err)
	case op.Timeout():
		return fmt.Sprintf("broker %s: no answer in time", op.Addr)
	}
	return fmt.Sprintf("broker %s: %s: %v", op.Addr, op.Op, op.Err)
}

// TrimMethod returns an error of a kafka.Client without the method's name that the
// library puts before it. It affects only what is printed.
func TrimMethod(err error) error {
	for err != nil && strings.HasPrefix(err.Error(), "kafka.(*Client).") {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
	return err
}
