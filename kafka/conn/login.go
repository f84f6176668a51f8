package conn

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"github.com/evalworker/evalworker/internal/config/secret"
)

// The rounds of hashing that a broker may ask for in SCRAM. Fewer would make the
// proof easy to guess the password from; more would let whoever answers in a
// broker's place keep this machine busy.
const (
	minRounds = 4096
	maxRounds = 1_000_000
)

// login is a mechanism that looks up its secret at each login.
type login struct {
	cfg       SASL
	encrypted bool
}

// mechanism gives what kafka-go logs in with; nil for no login.
func (c Config) mechanism() sasl.Mechanism {
	if c.SASL.Mechanism == "" {
		return nil // of the interface's type, as kafka-go compares it
	}
	return &login{cfg: c.SASL, encrypted: c.TLS.Enabled}
}

// Name is the mechanism's name on the wire.
func (l *login) Name() string { return l.cfg.Mechanism }

// Start begins one login.
func (l *login) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	host := ""
	if m := sasl.MetadataFromContext(ctx); m != nil {
		host = m.Host
	}
	session, first, err := l.begin(ctx, host)
	if err != nil {
		return nil, nil, l.refusal(err)
	}
	return &exchange{session, l}, first, nil
}

func (l *login) begin(ctx context.Context, host string) (sasl.StateMachine, []byte, error) {
	switch l.cfg.Mechanism {
	case AWSMSKIAM:
		if l.cfg.Sign == nil {
			return nil, nil, errors.New("this program has nothing to sign with")
		}
		signed, err := l.cfg.Sign(ctx, l.cfg.Region, host)
		return answered{}, signed, err
	case Plain:
		// The configuration was checked for the brokers that it names; those that
		// they name in turn may be elsewhere.
		if !l.encrypted && !loopback(host) {
			return nil, nil, fmt.Errorf("PLAIN without TLS would send the password readable to %s", host)
		}
		password, err := l.password()
		if err != nil {
			return nil, nil, err
		}
		return plain.Mechanism{Username: l.cfg.Username, Password: password.Reveal()}.Start(ctx)
	}
	password, err := l.password()
	if err != nil {
		return nil, nil, err
	}
	algorithm := scram.SHA256
	if l.cfg.Mechanism == ScramSHA512 {
		algorithm = scram.SHA512
	}
	m, err := scram.Mechanism(algorithm, l.cfg.Username, password.Reveal())
	if err != nil {
		return nil, nil, errors.New("user or password holds characters that SCRAM does not allow")
	}
	session, first, err := m.Start(ctx)
	return bounded{session}, first, err
}

func (l *login) password() (secret.String, error) {
	if l.cfg.PasswordFile == "" {
		return l.cfg.Password, nil
	}
	p, err := secret.FromFile(l.cfg.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("sasl.password_file: %w", err)
	}
	return p, nil
}

func (l *login) refusal(err error) error {
	return &Refusal{Problem: "cannot log in by " + l.cfg.who(), Mend: l.cfg.mend(), Err: err}
}

// exchange says of whose login an error is.
type exchange struct {
	sasl.StateMachine
	login *login
}

func (e *exchange) Next(ctx context.Context, challenge []byte) (bool, []byte, error) {
	done, response, err := e.StateMachine.Next(ctx, challenge)
	if err != nil {
		err = e.login.refusal(err)
	}
	return done, response, err
}

// answered is done with the broker's first answer: an identity that is not
// accepted is an error of the broker's.
type answered struct{}

func (answered) Next(context.Context, []byte) (bool, []byte, error) { return true, nil, nil }

// bounded is a SCRAM exchange that does not hash as often as it is told to.
type bounded struct{ sasl.StateMachine }

func (b bounded) Next(ctx context.Context, challenge []byte) (bool, []byte, error) {
	for attribute := range strings.SplitSeq(string(challenge), ",") {
		rounds, ok := strings.CutPrefix(attribute, "i=")
		if !ok {
			continue
		}
		if n, err := strconv.Atoi(rounds); err != nil || n < minRounds || n > maxRounds {
			return false, nil, fmt.Errorf("the broker asks for a number of SCRAM iterations outside of %d to %d", minRounds, maxRounds)
		}
	}
	return b.StateMachine.Next(ctx, challenge)
}
