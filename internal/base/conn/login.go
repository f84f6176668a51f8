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

	"github.com/evalworker/evalworker/internal/base/secret"
)

// The rounds of hashing that a broker may ask for in SCRAM. With fewer, the proof
// would make the password easy to guess; with more, a broker's impostor could keep
// this machine busy.
const (
	minRounds = 4096
	maxRounds = 1_000_000
)

// login is a mechanism that reads its secret at each login.
type login struct {
	cfg       SASL
	encrypted bool
}

// mechanism returns the mechanism for kafka-go; nil for no login.
func (c Config) mechanism() sasl.Mechanism {
	if c.SASL.Mechanism == "" {
		return nil // not a nil *login: kafka-go compares the interface with nil
	}
	return &login{cfg: c.SASL, encrypted: c.TLS.Enabled}
}

// Name is the mechanism's name on the wire.
func (l *login) Name() string { return l.cfg.Mechanism }

// Start begins a login.
func (l *login) Start(ctx context.Context) (sasl.StateMachine, []byte, error) {
	host := ""
	if m := sasl.MetadataFromContext(ctx); m != nil {
		host = m.Host
	}
	session, first, err := l.begin(ctx, host)
	if err != nil {
		return nil, nil, l.accessError(err)
	}
	return &exchange{session, l}, first, nil
}

func (l *login) begin(ctx context.Context, host string) (sasl.StateMachine, []byte, error) {
	switch l.cfg.Mechanism {
	case AWSMSKIAM:
		if l.cfg.Sign == nil {
			return nil, nil, errors.New("this program cannot sign logins")
		}
		signed, err := l.cfg.Sign(ctx, l.cfg.Region, host)
		return singleStep{}, signed, err
	case Plain:
		// Validate checked the configured brokers, but these may name remote ones.
		if !l.encrypted && !secret.Loopback(host) {
			return nil, nil, fmt.Errorf("PLAIN without TLS would send the password readable to %s", host)
		}
	}
	password, err := l.password()
	if err != nil {
		return nil, nil, err
	}
	if l.cfg.Mechanism == Plain {
		return plain.Mechanism{Username: l.cfg.Username, Password: password.Reveal()}.Start(ctx)
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
	return boundedScram{session}, first, err
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

func (l *login) accessError(err error) error {
	return &AccessError{Problem: "cannot log in by " + l.cfg.identity(), Remedy: l.cfg.remedy(), Err: err}
}

// exchange turns the errors of a login into an AccessError.
type exchange struct {
	sasl.StateMachine
	login *login
}

func (e *exchange) Next(ctx context.Context, challenge []byte) (bool, []byte, error) {
	done, response, err := e.StateMachine.Next(ctx, challenge)
	if err != nil {
		err = e.login.accessError(err)
	}
	return done, response, err
}

// singleStep is an exchange that ends with the broker's first answer. The broker
// reports an identity that it does not accept as an error.
type singleStep struct{}

func (singleStep) Next(context.Context, []byte) (bool, []byte, error) { return true, nil, nil }

// boundedScram is a SCRAM exchange that bounds the rounds of hashing.
type boundedScram struct{ sasl.StateMachine }

func (b boundedScram) Next(ctx context.Context, challenge []byte) (bool, []byte, error) {
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
