//go:build go1.26

package emitter

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/segmentio/kafka-go"
)

// TestAnswersAreInWords: whatever code a broker answers a write with, the error says what
// is wrong and what to do, and a refusal names the topic.
func TestAnswersAreInWords(t *testing.T) {
	t.Parallel()
	for code, want := range map[kafka.Error]string{
		kafka.TopicAuthorizationFailed: `Kafka does not let a client without a login write to the topic llm.requests.completed: Topic Authorization Failed (Kafka error 29); grant it WRITE and DESCRIBE on that topic`,
		kafka.NotEnoughReplicas:        "write 1 event to llm.requests.completed/0: broker b1:9092: fewer replicas of the partition are in sync than the topic wants: Not Enough Replicas (Kafka error 19); bring the brokers of the others back, or lower min.insync.replicas of the topic",
		kafka.PolicyViolation:          "write 1 event to llm.requests.completed/0: broker b1:9092: a policy of the cluster forbids this: Policy Violation (Kafka error 44); create the topic as the policy demands, or have the policy changed (create.topic.policy.class.name)",
		kafka.MessageSizeTooLarge:      "write 1 event to llm.requests.completed/0: broker b1:9092: the message is larger than the topic accepts: Message Size Too Large (Kafka error 10); raise max.message.bytes of the topic, or publish less",
	} {
		synctest.Test(t, func(t *testing.T) {
			p := publisherOn(t, &cluster{answer: func([]record) kafka.Error { return code }}, Config{})
			out, err := p.Publish(t.Context(), []EncodedEvent{encodedAs("a")})
			for _, r := range out.Rejected {
				err = r.Err
			}
			if err == nil || err.Error() != want || !errors.Is(err, code) {
				t.Errorf("%d: %v\nwant %s", int(code), err, want)
			}
			if errors.Is(err, ErrNoAccess) != strings.Contains(want, "grant") {
				t.Errorf("%d: a refusal: %v", int(code), errors.Is(err, ErrNoAccess))
			}
		})
	}
}
