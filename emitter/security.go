package emitter

import (
	"context"
	"errors"
	"fmt"

	"github.com/segmentio/kafka-go"

	"github.com/evalworker/evalworker/internal/config/fault"
	"github.com/evalworker/evalworker/internal/config/secret"
	"github.com/evalworker/evalworker/kafka/conn"
)

// Secret is a password. It prints as [REDACTED]; a string converts to it.
type Secret = secret.String

// TLS says how connections are encrypted. Files are PEM and are read anew for
// each connection, so that a rotated one needs no restart. The broker's
// certificate is always verified.
type TLS struct {
	// Enabled encrypts every connection with TLS 1.2 or later.
	Enabled bool
	// CAFile holds the authorities that the brokers' certificates may be signed
	// by; empty stands for those of the system.
	CAFile string
	// CertFile and KeyFile are this application's own, for brokers that ask.
	CertFile, KeyFile string
	// ServerName is what the brokers' certificates have to be for; empty stands
	// for the host of each broker's address.
	ServerName string
}

// SASL says how the application logs in.
type SASL struct {
	// Mechanism is PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or AWS_MSK_IAM; empty: no
	// login. PLAIN wants TLS, unless the brokers are on this machine.
	Mechanism string
	// Username, and the password or a file that holds it alone, which is read
	// anew for each login; for PLAIN and SCRAM.
	Username     string
	Password     Secret
	PasswordFile string
	// Region of the cluster, for AWS_MSK_IAM; empty: that of the surroundings.
	Region string
	// Sign signs the login of AWS_MSK_IAM: set it to the method Sign of what
	// [github.com/evalworker/evalworker/emitter/mskiam] makes. It stands outside
	// so that an application without it does not carry the AWS SDK.
	Sign func(ctx context.Context, region, host string) ([]byte, error)
}

func (c Config) validateSecurity(faults *fault.List) {
	if c.SASL.Mechanism == conn.AWSMSKIAM && c.SASL.Sign == nil {
		faults.Add("sasl.sign", "missing: AWS_MSK_IAM signs its logins", "mskiam.New().Sign of the package emitter/mskiam")
	}
}

// explain marks what the brokers refuse as ErrRefused, and reduces it to what that
// means. A refusal is tried again like a fault of the network: a rotated secret
// heals it.
func (c Config) explain(err error) error {
	nc := c.conn()
	if code, ok := errors.AsType[kafka.Error](err); ok && conn.Refused(err) == nil {
		// Looked at alone: of what stands around it nothing else may be explained.
		if r := conn.Refused(nc.Explain(code)); r != nil {
			err = r
		}
	}
	if r := conn.Refused(err); r != nil {
		return accessError{r}
	}
	return err
}

// described gives an error of a request as an operator should read it: which
// broker it is about and what is wrong with the connection. A broker's answer
// stays as it is.
func describe(nc conn.Config, err error) error {
	if _, answered := errors.AsType[kafka.Error](err); answered {
		return conn.Bare(err)
	}
	return nc.Describe(nc.Explain(err))
}

// refused marks an error as ErrRefused, whose text would only repeat its own.
type accessError struct{ error }

func (r accessError) Is(target error) bool { return target == ErrNoAccess }
func (r accessError) Unwrap() error        { return r.error }

// Connect finds out whether the cluster can be reached and lets this
// application in, which New leaves open. Nobody has to call it; a program that
// would rather fail at its start than count unsent events can. The error is
// [ErrRefused] when the cluster, or this side, does not let the connection come
// about until somebody mends something: a password, a certificate, a permission.
// Any other error may pass.
func (e *Emitter) Connect(ctx context.Context) error {
	if err := e.topic.ping(ctx); err != nil {
		return fmt.Errorf("connect to Kafka: %w", e.cfg.explain(err))
	}
	return nil
}
