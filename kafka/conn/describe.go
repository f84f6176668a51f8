package conn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
)

// trouble is an error of the connection to a broker, told to an operator.
type trouble struct {
	text string
	err  error
}

func (t *trouble) Error() string { return t.text }
func (t *trouble) Unwrap() error { return t.err }

// Describe gives an error as an operator should read it: a [Refusal] where it is
// one, else without the names of the library's functions, and with the broker
// that it is about. Where that is not known it names the configured ones. What
// err stands for is still in the chain.
//
// Of a connection that ends it says no more. At the first one, [Config.Explain]
// before it tells what that may mean.
func (c Config) Describe(err error) error {
	if err == nil {
		return nil
	}
	if r := Refused(c.Explain(err)); r != nil {
		return r
	}
	if t, ok := errors.AsType[*trouble](err); ok {
		return t // nearer to the connection the broker was known
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return &trouble{text: onNetwork(op), err: err}
	}
	said := Bare(err).Error()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		said = "no answer in time"
	case errors.Is(err, io.ErrNoProgress): // of kafka-go, when it cannot make sense of an answer
		said = "what it answers is not Kafka; is the port right?"
	}
	broker := "broker "
	if len(c.Brokers) > 1 {
		broker = "brokers "
	}
	return &trouble{text: broker + strings.Join(c.Brokers, ", ") + ": " + said, err: err}
}

// onNetwork says what failed between this machine and a broker.
func onNetwork(op *net.OpError) string {
	switch {
	case op.Addr == nil: // a name that means nothing; the error has it
		return fmt.Sprintf("broker cannot be reached: %v", op.Err)
	case op.Op == "dial":
		return fmt.Sprintf("broker %s cannot be reached: %v", op.Addr, op.Err)
	}
	return fmt.Sprintf("broker %s: %s: %v", op.Addr, op.Op, op.Err)
}

// Bare gives an error of a kafka.Client without the name of the method that the
// library puts before it. Nothing is decided by the text.
func Bare(err error) error {
	for err != nil && strings.HasPrefix(err.Error(), "kafka.(*Client).") {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
	return err
}
