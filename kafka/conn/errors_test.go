package conn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/segmentio/kafka-go"
)

// TestDescribe: an error names a broker, says what failed, hides the library's names,
// and keeps its cause in the chain.
func TestDescribe(t *testing.T) {
	t.Parallel()
	one := Config{Brokers: []string{"kafka:9092"}}
	two := Config{Brokers: []string{"a:9092", "b:9092"}}
	addr := &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 9092}
	method := func(err error) error { return fmt.Errorf("kafka.(*Client).Metadata: %w", err) }
	refused := errors.New("connect: connection refused")
	for _, tt := range []struct {
		cfg  Config
		err  error
		want string
	}{
		{one, method(fmt.Errorf("failed to dial: %w", &net.OpError{Op: "dial", Net: "tcp", Addr: addr, Err: refused})), "broker 127.0.0.1:9092 cannot be reached: connect: connection refused"},
		{one, method(&net.OpError{Op: "read", Net: "tcp", Addr: addr, Err: errors.New("connection reset by peer")}), "broker 127.0.0.1:9092: read: connection reset by peer"},
		{one, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "kafka", Err: "no such host"}}, "broker cannot be reached: lookup kafka: no such host"},
		{two, method(context.DeadlineExceeded), "brokers a:9092, b:9092: no answer in time"},
		{one, io.ErrNoProgress, "broker kafka:9092: what it answers is not Kafka; is the port right?"},
		{two, method(errors.New("other")), "brokers a:9092, b:9092: other"},
	} {
		got := tt.cfg.Describe(tt.err)
		if got.Error() != tt.want {
			t.Errorf("Describe(%v) = %q, want %q", tt.err, got, tt.want)
		}
		if !errors.Is(got, tt.err) {
			t.Errorf("%q has lost %v", got, tt.err)
		}
	}
	if got := one.Describe(one.Explain(io.ErrUnexpectedEOF)); !strings.HasPrefix(got.Error(), "broker kafka:9092: the broker closes the connection without an answer") {
		t.Errorf("an end of the first connection: %v", got)
	}
	if again := one.Describe(two.Describe(io.EOF)); again.Error() != "brokers a:9092, b:9092: EOF" {
		t.Errorf("described twice: %v", again)
	}
	if got := one.Describe(kafka.TopicAuthorizationFailed); AccessErrorIn(got) == nil {
		t.Errorf("an answer about access: %v", got)
	}
	for code, want := range map[kafka.Error]string{
		kafka.GroupMaxSizeReached:       "the consumer group is full: Kafka error 81; run fewer workers, or raise group.max.size on the brokers",
		kafka.InconsistentGroupProtocol: "another program is in the consumer group, with an assignment of its own: Inconsistent Group Protocol (Kafka error 23); give evalworker a group that nothing else uses (kafka.group)",
	} {
		if got := one.Describe(code); got.Error() != want {
			t.Errorf("%d: %q, want %q", int(code), got, want)
		}
	}
	denied := one.Describe(fmt.Errorf("publish: %w", one.WriteRefusal("events.dlq", kafka.TopicAuthorizationFailed)))
	if want := `Kafka does not let a client without a login write to the topic events.dlq: Topic Authorization Failed (Kafka error 29); grant it WRITE and DESCRIBE on that topic`; denied.Error() != want {
		t.Errorf("%q, want %q", denied, want)
	}
	if got := one.Describe(nil); got != nil {
		t.Errorf("Describe(nil) = %v", got)
	}
}

// TestTrimMethod: the method's name is removed, however often it is there, and nothing
// else.
func TestTrimMethod(t *testing.T) {
	t.Parallel()
	inner := errors.New("inner")
	twice := fmt.Errorf("kafka.(*Client).Fetch: %w", fmt.Errorf("kafka.(*Client).Metadata: %w", inner))
	if got := TrimMethod(twice); got != inner { //nolint:errorlint // it must be that very one
		t.Errorf("Bare = %v", got)
	}
	for _, err := range []error{nil, inner, errors.New("kafka.(*Client).Fetch: nothing inside")} {
		if got := TrimMethod(err); got != err { //nolint:errorlint // as above
			t.Errorf("Bare(%v) = %v", err, got)
		}
	}
}
