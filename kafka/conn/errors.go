package conn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

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

// Is reports whether target is ErrNoAccess.
func (r *AccessError) Is(target error) bool { return target == ErrNoAccess }

// AccessErrorIn returns the AccessError in an error's chain, or nil.
func AccessErrorIn(err error) *AccessError {
	r, _ := errors.AsType[*AccessError](err)
	return r
}

// codeError is a broker's code without the library's long description of it.
type codeError struct{ code kafka.Error }

func (c *codeError) Error() string {
	if c.code.Title() == "" { // the library does not know every code
		return fmt.Sprintf("Kafka error %d", int(c.code))
	}
	return fmt.Sprintf("%s (Kafka error %d)", c.code.Title(), int(c.code))
}
func (c *codeError) Unwrap() error { return c.code }

// brokerError is an error of the connection to a broker in words for an operator.
type brokerError struct {
	text string
	err  error
}

func (b *brokerError) Error() string { return b.text }
func (b *brokerError) Unwrap() error { return b.err }

// Explain returns an [AccessError] for an error with which a broker turns this client
// away. It unwraps an AccessError in the chain, because what the library adds around
// it says less, and returns any other error as it is.
func (c Config) Explain(err error) error {
	if r := AccessErrorIn(err); r != nil {
		return r
	}
	if code, ok := errors.AsType[kafka.Error](err); ok {
		problem, remedy := c.accessProblem(code)
		if problem == "" {
			return err
		}
		return &AccessError{Problem: problem, Remedy: remedy, Err: &codeError{code}}
	}
	if !c.TLS.Enabled && c.SASL.Mechanism == "" && (errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)) {
		return fmt.Errorf("the broker closes the connection without an answer (it may want TLS or a login: tls.enabled, sasl.mechanism): %w", err)
	}
	return err
}

// WriteRefusal returns an [AccessError] that names the topic, for the code with which a
// broker refuses to let this client write to it, and any other error as it is.
func (c Config) WriteRefusal(topic string, err error) error {
	code := kafka.TopicAuthorizationFailed
	if !errors.Is(err, code) {
		return err
	}
	return &AccessError{
		Problem: "Kafka does not let " + c.SASL.identity() + " write to the topic " + topic,
		Remedy:  "grant it WRITE and DESCRIBE on that topic",
		Err:     &codeError{code},
	}
}

func (c Config) accessProblem(code kafka.Error) (problem, remedy string) {
	switch code {
	case kafka.SASLAuthenticationFailed:
		return "Kafka refuses the login by " + c.SASL.identity(), c.SASL.remedy()
	case kafka.UnsupportedSASLMechanism:
		return "Kafka does not offer the login by " + c.SASL.Mechanism, "set sasl.mechanism to one that the brokers offer"
	case kafka.IllegalSASLState:
		if c.SASL.Mechanism == "" {
			return "Kafka wants a login", "set sasl.mechanism"
		}
		return "Kafka wants no login at this address", "set brokers to their SASL listener, or leave sasl.mechanism out"
	case kafka.TopicAuthorizationFailed:
		return "Kafka does not let " + c.SASL.identity() + " use the topic", "grant it READ and DESCRIBE on the topic, WRITE on the topic of dead letters; for publishing, WRITE"
	case kafka.GroupAuthorizationFailed:
		return "Kafka does not let " + c.SASL.identity() + " use the group", "grant it READ on the consumer group"
	case kafka.ClusterAuthorizationFailed:
		return "Kafka does not let " + c.SASL.identity() + " do this", "grant it the operation on the cluster"
	case kafka.GroupMaxSizeReached:
		return "the consumer group is full", "run fewer workers, or raise group.max.size on the brokers"
	case kafka.InconsistentGroupProtocol:
		return "another program is in the consumer group, with an assignment of its own", "give evalworker a group that nothing else uses (kafka.group)"
	}
	return "", ""
}

// handshakeError explains why a TLS handshake failed. It returns an AccessError,
// unless the cause may be a passing fault of the network.
func (c Config) handshakeError(addr string, certRequested bool, err error) error {
	r := &AccessError{Broker: addr, Err: err}
	if v, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		r.Err = v.Err
	}
	_, foreign := errors.AsType[x509.UnknownAuthorityError](err)
	_, misnamed := errors.AsType[x509.HostnameError](err)
	_, invalid := errors.AsType[x509.CertificateInvalidError](err)
	_, noTLS := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case foreign && c.TLS.CAFile == "":
		r.Problem, r.Remedy = "its certificate is signed by an authority that this machine does not trust", "set tls.ca_file to the authority's certificate"
	case foreign:
		r.Problem, r.Remedy = "its certificate is not signed by an authority of "+c.TLS.CAFile, "put the authority's certificate into tls.ca_file; it is read again at each attempt"
	case misnamed:
		r.Problem, r.Remedy = "its certificate is for another name", "set tls.server_name to a name that it is for, or use such a name in brokers"
	case invalid:
		r.Problem, r.Remedy = "its certificate is not valid", "renew it, or mend this machine's clock"
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
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "remote error"
}

// Describe rewrites an error for an operator: an [AccessError] if it is one, else
// without the names of the library's functions and with the broker that it is about,
// or the configured ones if that is not known. err stays in the chain.
//
// It does not explain why a connection was closed. For the first request on a
// connection, call [Config.Explain] before it.
func (c Config) Describe(err error) error {
	if err == nil {
		return nil
	}
	if r := AccessErrorIn(c.Explain(err)); r != nil {
		return r
	}
	if b, ok := errors.AsType[*brokerError](err); ok {
		return b // described already, closer to the connection
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return &brokerError{text: networkProblem(op), err: err}
	}
	text := TrimMethod(err).Error()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		text = "no answer in time"
	case errors.Is(err, io.ErrNoProgress): // kafka-go's error for an answer that it cannot parse
		text = "what it answers is not Kafka; is the port right?"
	}
	noun := "broker "
	if len(c.Brokers) > 1 {
		noun = "brokers "
	}
	return &brokerError{text: noun + strings.Join(c.Brokers, ", ") + ": " + text, err: err}
}

// networkProblem says what failed between this machine and a broker.
func networkProblem(op *net.OpError) string {
	switch {
	case op.Addr == nil: // the name has no address; the error contains it
		return fmt.Sprintf("broker cannot be reached: %v", op.Err)
	case op.Op == "dial":
		return fmt.Sprintf("broker %s cannot be reached: %v", op.Addr, op.Err)
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
