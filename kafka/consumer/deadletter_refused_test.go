package consumer

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
	createAPI "github.com/segmentio/kafka-go/protocol/createtopics"
	metadataAPI "github.com/segmentio/kafka-go/protocol/metadata"
	produceAPI "github.com/segmentio/kafka-go/protocol/produce"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/event"
	"github.com/evalworker/evalworker/internal/base/conn"
)

// letterBroker stands for a broker that answers each request about the topic of dead
// letters with a code; 0 accepts it.
type letterBroker struct {
	lookUp, create kafka.Error
	write          func(letter kafka.Record) kafka.Error
	letters        []string // that were offered: key, value, and what was left out
}

func (b *letterBroker) RoundTrip(_ context.Context, _ net.Addr, req kafka.Request) (kafka.Response, error) {
	switch r := req.(type) {
	case *metadataAPI.Request:
		t := metadataAPI.ResponseTopic{Name: r.TopicNames[0], ErrorCode: int16(b.lookUp)}
		if b.lookUp == 0 {
			t.Partitions = make([]metadataAPI.ResponsePartition, 1)
		}
		return &metadataAPI.Response{Topics: []metadataAPI.ResponseTopic{t}}, nil
	case *createAPI.Request:
		return &createAPI.Response{Topics: []createAPI.ResponseTopic{{Name: r.Topics[0].Name, ErrorCode: int16(b.create), ErrorMessage: "said the broker"}}}, nil
	case *produceAPI.Request:
		p := &r.Topics[0].Partitions[0]
		record, err := p.RecordSet.Records.ReadRecord()
		if err != nil {
			return nil, err
		}
		b.letters = append(b.letters, shown(*record))
		return &produceAPI.Response{Topics: []produceAPI.ResponseTopic{{
			Topic: r.Topics[0].Topic, Partitions: []produceAPI.ResponsePartition{{ErrorCode: int16(b.write(*record))}},
		}}}, nil
	}
	return nil, fmt.Errorf("%T", req)
}

// shown returns key, value, the message's own headers and HeaderTruncated of a letter.
func shown(r kafka.Record) string {
	key, _ := kafka.ReadAll(r.Key)
	value, _ := kafka.ReadAll(r.Value)
	out := fmt.Sprintf("%s=%s", key, value)
	for _, h := range r.Headers {
		switch {
		case h.Key == HeaderTruncated:
			out += " without " + string(h.Value)
		case !strings.HasPrefix(h.Key, HeaderPrefix):
			out += " " + h.Key
		}
	}
	return out
}

func lettersTo(t *testing.T, b *letterBroker) *Consumer {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Topic = "events"
	c, err := New(cfg, Deps{Handle: new(notebook).Handle})
	if err != nil {
		t.Fatal(err)
	}
	c.letters.client.Transport = b
	return c
}

// TestARefusedDeadLetterSaysWhatToMend: the message names the topic of dead letters, and a
// missing permission counts as a refusal.
func TestARefusedDeadLetterSaysWhatToMend(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		lookUp, create, write kafka.Error
		want                  string
		refusal               bool
	}{
		"no permission to describe": {kafka.TopicAuthorizationFailed, 0, 0, "publish dead letter to events.dead: Kafka does not let a client without a login write to the topic events.dead: Topic Authorization Failed (Kafka error 29); grant it WRITE and DESCRIBE on that topic", true},
		"no permission to write":    {0, 0, kafka.TopicAuthorizationFailed, "publish dead letter to events.dead: Kafka does not let a client without a login write to the topic events.dead: Topic Authorization Failed (Kafka error 29); grant it WRITE and DESCRIBE on that topic", true},
		"no permission to create":   {kafka.UnknownTopicOrPartition, kafka.TopicAuthorizationFailed, 0, "publish dead letter to events.dead: Kafka does not let a client without a login create the topic events.dead, which does not exist: Topic Authorization Failed (Kafka error 29); create it, or grant CREATE on it", true},
		"nor on the cluster":        {kafka.UnknownTopicOrPartition, kafka.ClusterAuthorizationFailed, 0, "publish dead letter to events.dead: Kafka does not let a client without a login create the topic events.dead, which does not exist: Cluster Authorization Failed (Kafka error 31); create it, or grant CREATE on it", true},
		"too many replicas":         {kafka.UnknownTopicOrPartition, kafka.InvalidReplicationFactor, 0, "publish dead letter to events.dead: broker localhost:9092: create topic: the cluster has fewer brokers than the topic would have replicas: Invalid Replication Factor (Kafka error 38): said the broker; create the topic by hand, or lower default.replication.factor of the brokers", false},
		"a policy":                  {kafka.UnknownTopicOrPartition, kafka.PolicyViolation, 0, "publish dead letter to events.dead: broker localhost:9092: create topic: a policy of the cluster forbids this: Policy Violation (Kafka error 44): said the broker; create the topic as the policy demands, or have the policy changed (create.topic.policy.class.name)", false},
		"replicas that are behind":  {0, 0, kafka.NotEnoughReplicas, "publish dead letter to events.dead: broker localhost:9092: fewer replicas of the partition are in sync than the topic wants: Not Enough Replicas (Kafka error 19); bring the brokers of the others back, or lower min.insync.replicas of the topic", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := lettersTo(t, &letterBroker{lookUp: tt.lookUp, create: tt.create, write: func(kafka.Record) kafka.Error { return tt.write }})
			err := c.letters.publish(t.Context(), &event.Message{Key: []byte("k")}, eval.Permanent(eval.ReasonMalformed, errors.New("x")), 1)
			if err == nil || err.Error() != tt.want {
				t.Errorf("%v\nwant %s", err, tt.want)
			}
			if refused := conn.AccessErrorIn(err) != nil; refused != tt.refusal || c.noteRefusal(err) != refused {
				t.Errorf("a refusal: %v, want %v", refused, tt.refusal)
			}
		})
	}
}

// TestADeadLetterKeepsWhatFits: each attempt leaves out the least that may be too much.
func TestADeadLetterKeepsWhatFits(t *testing.T) {
	t.Parallel()
	whole := event.Message{Key: []byte("k"), Value: []byte("v"), Headers: []event.Header{{Key: "h"}}}
	bare := event.Message{Key: whole.Key, Value: whole.Value}
	for name, tt := range map[string]struct {
		m     event.Message
		fault error
		fits  int // the attempt that the broker accepts
		want  []string
	}{
		"whole":                    {whole, errors.New("no event"), 1, []string{"k=v h"}},
		"no value":                 {whole, errors.New("no event"), 2, []string{"k=v h", "k= h without value"}},
		"nothing":                  {whole, errors.New("no event"), 3, []string{"k=v h", "k= h without value", "= without value,headers"}},
		"not read":                 {event.Message{}, errUnread, 1, []string{"= without value,headers"}},
		"headers not read":         {bare, errHeaders, 1, []string{"k=v without headers"}},
		"headers not read, no fit": {bare, errHeaders, 2, []string{"k=v without headers", "= without value,headers"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := &letterBroker{}
			b.write = func(kafka.Record) kafka.Error {
				if len(b.letters) < tt.fits {
					return kafka.MessageSizeTooLarge
				}
				return 0
			}
			c := lettersTo(t, b)
			if err := c.letters.publish(t.Context(), &tt.m, eval.Permanent(eval.ReasonTooLarge, tt.fault), 0); err != nil {
				t.Error(err)
			}
			if diff := cmp.Diff(tt.want, b.letters); diff != "" {
				t.Errorf("letters (-want +got):\n%s", diff)
			}
		})
	}
}
