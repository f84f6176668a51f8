package conn

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
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
		{one, method(&net.OpError{Op: "read", Net: "tcp", Addr: addr, Err: os.ErrDeadlineExceeded}), "broker 127.0.0.1:9092: no answer in time"},
		{one, method(&net.OpError{Op: "dial", Net: "tcp", Addr: addr, Err: os.ErrDeadlineExceeded}), "broker 127.0.0.1:9092 cannot be reached: no answer in time"},
		{one, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Name: "kafka", Err: "no such host"}}, "broker cannot be reached: lookup kafka: no such host"},
		{two, method(context.DeadlineExceeded), "brokers a:9092, b:9092: no answer in time"},
		{one, io.ErrNoProgress, "broker kafka:9092: what it answers is not Kafka; is the port right?"},
		{two, method(errors.New("other")), "brokers a:9092, b:9092: other"},
		{one, fmt.Errorf("commit partition 3: %w", kafka.NotEnoughReplicas), "broker kafka:9092: commit partition 3: fewer replicas of the partition are in sync than the topic wants: Not Enough Replicas (Kafka error 19); bring the brokers of the others back, or lower min.insync.replicas of the topic"},
		{one, fmt.Errorf("create topic: %w: Replication factor: 3 larger than available brokers: 1", kafka.InvalidReplicationFactor), "broker kafka:9092: create topic: the cluster has fewer brokers than the topic would have replicas: Invalid Replication Factor (Kafka error 38): Replication factor: 3 larger than available brokers: 1; create the topic by hand, or lower default.replication.factor of the brokers"},
		{one, errors.Join(kafka.NetworkException, kafka.NetworkException), "broker kafka:9092: the brokers have lost each other for a moment: Kafka error 13; if that lasts, look at the network between them"},
		{one, errors.Join(&net.OpError{Op: "dial", Addr: addr, Err: refused}, kafka.LeaderNotAvailable), "broker kafka:9092: dial 127.0.0.1:9092: connect: connection refused; the partition has no leader at the moment: Leader Not Available (Kafka error 5); if that lasts, bring the brokers of its replicas back"},
		{one, method(io.ErrUnexpectedEOF), "broker kafka:9092: the connection has ended in the middle of an answer; the next attempt makes a new one"},
	} {
		got := tt.cfg.Describe(tt.err)
		if got.Error() != tt.want {
			t.Errorf("Describe(%v) = %q, want %q", tt.err, got, tt.want)
		}
		if !errors.Is(got, tt.err) {
			t.Errorf("%q has lost %v", got, tt.err)
		}
	}
	if again := one.Describe(two.Describe(errors.New("x"))); again.Error() != "brokers a:9092, b:9092: x" {
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
	wrapped := one.ReadRefusal("events", denied)
	if wrapped.Error() != "publish: "+denied.Error() && wrapped.Error() != denied.Error() {
		t.Errorf("%q was explained twice", wrapped)
	}
	if got := one.Describe(nil); got != nil {
		t.Errorf("Describe(nil) = %v", got)
	}
}

// TestEveryCodeIsInWords: whatever a broker answers, the message says what is wrong and
// what to do; it shows the code's number only beside words.
func TestEveryCodeIsInWords(t *testing.T) {
	t.Parallel()
	const newest = 150 // the library knows those up to 106, and newer brokers have more
	generic := answer{problem: "Kafka refuses the request", mend: "the log of the broker says why"}
	cfg := Config{Brokers: []string{"kafka:9092"}}
	explained := make(map[kafka.Error]bool)
	for code := kafka.Error(-1); code <= newest; code++ {
		if code == 0 {
			continue
		}
		a := cfg.answer(code)
		explained[code] = a != generic
		text := cfg.Describe(fmt.Errorf("fetch: %w", code)).Error()
		number := fmt.Sprintf("Kafka error %d", int(code))
		if a.problem == "" || a.mend == "" || !strings.Contains(text, a.problem+": ") || !strings.HasSuffix(text, "; "+a.mend) || !strings.Contains(text, number) {
			t.Errorf("%d: %q", int(code), text)
		}
		if strings.ContainsAny(text, "[]\n") || strings.Contains(text, ": :") || strings.Contains(text, ": ;") {
			t.Errorf("%d: %q holds a bare number or nothing", int(code), text)
		}
		if !errors.Is(cfg.Describe(code), code) {
			t.Errorf("%d: the code is not in the chain", int(code))
		}
	}
	// The codes that a worker, an emitter or evalworker dlq can get.
	for _, code := range []kafka.Error{
		kafka.Unknown, kafka.OffsetOutOfRange, kafka.InvalidMessage, kafka.UnknownTopicOrPartition, kafka.LeaderNotAvailable, kafka.NotLeaderForPartition,
		kafka.RequestTimedOut, kafka.BrokerNotAvailable, kafka.ReplicaNotAvailable, kafka.MessageSizeTooLarge, kafka.OffsetMetadataTooLarge,
		kafka.NetworkException, kafka.GroupLoadInProgress, kafka.GroupCoordinatorNotAvailable, kafka.NotCoordinatorForGroup, kafka.InvalidTopic,
		kafka.RecordListTooLarge, kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend, kafka.IllegalGeneration, kafka.InconsistentGroupProtocol,
		kafka.InvalidGroupId, kafka.UnknownMemberId, kafka.InvalidSessionTimeout, kafka.RebalanceInProgress, kafka.InvalidCommitOffsetSize,
		kafka.TopicAuthorizationFailed, kafka.GroupAuthorizationFailed, kafka.ClusterAuthorizationFailed, kafka.InvalidTimestamp,
		kafka.UnsupportedSASLMechanism, kafka.IllegalSASLState, kafka.UnsupportedVersion, kafka.InvalidPartitionNumber, kafka.InvalidReplicationFactor,
		kafka.InvalidReplicaAssignment, kafka.InvalidConfiguration, kafka.NotController, kafka.UnsupportedForMessageFormat, kafka.PolicyViolation,
		kafka.TransactionalIDAuthorizationFailed, kafka.BrokerAuthorizationFailed, kafka.KafkaStorageError, kafka.LogDirNotFound, kafka.SASLAuthenticationFailed,
		kafka.NonEmptyGroup, kafka.GroupIdNotFound, kafka.FetchSessionIDNotFound, kafka.InvalidFetchSessionEpoch, kafka.ListenerNotFound, kafka.FencedLeaderEpoch,
		kafka.UnknownLeaderEpoch, kafka.UnsupportedCompressionType, kafka.OffsetNotAvailable, kafka.MemberIDRequired, kafka.GroupMaxSizeReached,
		kafka.FencedInstanceID, kafka.InvalidRecord, kafka.UnstableOffsetCommit, kafka.ThrottlingQuotaExceeded, kafka.UnacceptableCredential,
		kafka.PrincipalDeserializationFailure, kafka.UnknownTopicID, kafka.InconsistentTopicID, kafka.FetchSessionTopicIDError,
	} {
		if !explained[code] {
			t.Errorf("%d (%s) has no words of its own", int(code), code.Title())
		}
	}
	// What a client mends by joining, looking up or asking again is no refusal.
	for _, code := range []kafka.Error{kafka.NotEnoughReplicas, kafka.RebalanceInProgress, kafka.NotCoordinatorForGroup, kafka.UnknownTopicOrPartition, kafka.ThrottlingQuotaExceeded} {
		if AccessErrorIn(cfg.Explain(code)) != nil {
			t.Errorf("%d counts as a refusal", int(code))
		}
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
