package conn

import (
	"fmt"

	"github.com/segmentio/kafka-go"
)

// answer says what an error code of a broker means for an operator.
type answer struct {
	problem string // what is wrong
	mend    string // what to do, or that nothing is to be done
	// access: the request fails until someone mends something, so it is an AccessError.
	access bool
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

// answer returns what a code means for this client. Every code has a problem and a mend.
func (c Config) answer(code kafka.Error) answer {
	for _, known := range []func(kafka.Error) answer{c.accessAnswer, recordAnswer, topicAnswer, groupAnswer, passingAnswer} {
		if a := known(code); a.problem != "" {
			return a
		}
	}
	return answer{problem: "Kafka refuses the request", mend: "the log of the broker says why"}
}

// accessAnswer explains the codes about logins and permissions.
func (c Config) accessAnswer(code kafka.Error) answer {
	refused := func(problem, mend string) answer { return answer{problem, mend, true} }
	who := c.SASL.identity()
	switch code {
	case kafka.SASLAuthenticationFailed:
		return refused("Kafka refuses the login by "+who, c.SASL.remedy())
	case kafka.UnsupportedSASLMechanism:
		return refused("Kafka does not offer the login by "+c.SASL.Mechanism, "set sasl.mechanism to one that the brokers offer")
	case kafka.IllegalSASLState:
		if c.SASL.Mechanism == "" {
			return refused("Kafka wants a login", "set sasl.mechanism")
		}
		return refused("Kafka wants no login at this address", "set brokers to their SASL listener, or leave sasl.mechanism out")
	case kafka.UnacceptableCredential, kafka.DelegationTokenExpired, kafka.DelegationTokenNotFound, kafka.DelegationTokenAuthorizationFailed:
		return refused("Kafka does not accept the credential of "+who, "give it a valid one")
	case kafka.PrincipalDeserializationFailure:
		return refused("the brokers cannot pass the identity of "+who+" on to each other", "mend principal.builder.class of the brokers")
	case kafka.TopicAuthorizationFailed:
		return refused("Kafka does not let "+who+" use the topic",
			"grant it READ and DESCRIBE on the topic, WRITE on the topic of dead letters; for publishing, WRITE")
	case kafka.GroupAuthorizationFailed:
		return refused("Kafka does not let "+who+" use the group", "grant it READ on the consumer group")
	case kafka.ClusterAuthorizationFailed, kafka.BrokerAuthorizationFailed:
		return refused("Kafka does not let "+who+" do this", "grant it the operation on the cluster")
	case kafka.TransactionalIDAuthorizationFailed:
		return refused("Kafka does not let "+who+" use the transactional id", "grant it WRITE on that id")
	}
	return answer{}
}

// recordAnswer explains the codes about what is written.
func recordAnswer(code kafka.Error) answer {
	switch code {
	case kafka.MessageSizeTooLarge:
		return answer{problem: "the message is larger than the topic accepts", mend: "raise max.message.bytes of the topic, or publish less"}
	case kafka.RecordListTooLarge:
		return answer{problem: "the messages are larger together than a segment of the topic", mend: "raise segment.bytes of the topic, or publish less"}
	case kafka.InvalidRecord:
		return answer{problem: "the topic does not accept the message", mend: "give it a key, which a compacted topic wants, or set cleanup.policy of the topic to delete"}
	case kafka.InvalidMessage:
		return answer{problem: "the message has arrived damaged, or the topic is compacted and the message has no key", mend: "set cleanup.policy of the topic to delete, or look for a network or a disk that damages data"}
	case kafka.InvalidTimestamp:
		return answer{problem: "the time of the message is outside of what the topic accepts", mend: "raise message.timestamp.before.max.ms or message.timestamp.after.max.ms of the topic, or mend this machine's clock"}
	case kafka.UnsupportedCompressionType:
		return answer{problem: "the topic or the broker does not accept this compression", mend: "choose another; zstd needs brokers of version 2.1"}
	case kafka.UnsupportedForMessageFormat:
		return answer{problem: "the topic keeps messages in an old format, without headers", mend: "set message.format.version of the topic to 2.0 or later"}
	case kafka.UnsupportedVersion:
		return answer{problem: "the broker does not know this version of the request", mend: "update the brokers"}
	case kafka.NotEnoughReplicas, kafka.NotEnoughReplicasAfterAppend:
		return answer{problem: "fewer replicas of the partition are in sync than the topic wants", mend: "bring the brokers of the others back, or lower min.insync.replicas of the topic"}
	case kafka.KafkaStorageError, kafka.LogDirNotFound:
		return answer{problem: "the broker cannot use its disk", mend: "mend the disk, or move the partition to another broker"}
	case kafka.ThrottlingQuotaExceeded:
		return answer{problem: "a quota of the cluster is used up for now", mend: "raise the quota of this client, or wait"}
	}
	return answer{}
}

// topicAnswer explains the codes about topics and partitions.
func topicAnswer(code kafka.Error) answer {
	switch code {
	case kafka.UnknownTopicOrPartition:
		return answer{problem: "the topic, or this partition of it, does not exist", mend: "create it, or name another topic"}
	case kafka.InvalidTopic:
		return answer{problem: "the name of the topic is not allowed", mend: "use letters, digits, dots, - and _, 249 at most; internal topics cannot be used"}
	case kafka.PolicyViolation:
		return answer{problem: "a policy of the cluster forbids this", mend: "create the topic as the policy demands, or have the policy changed (create.topic.policy.class.name)"}
	case kafka.InvalidReplicationFactor:
		return answer{problem: "the cluster has fewer brokers than the topic would have replicas", mend: "create the topic by hand, or lower default.replication.factor of the brokers"}
	case kafka.InvalidPartitionNumber:
		return answer{problem: "a topic cannot have this number of partitions", mend: "create the topic by hand, or mend num.partitions of the brokers"}
	case kafka.InvalidConfiguration, kafka.InvalidReplicaAssignment:
		return answer{problem: "the topic cannot be created with these settings", mend: "create the topic by hand"}
	case kafka.OffsetOutOfRange:
		return answer{problem: "the partition does not hold this offset", mend: "reading goes on where kafka.out_of_range says; if that repeats, raise retention.ms of the topic"}
	case kafka.ListenerNotFound:
		return answer{problem: "the leader of the partition has no listener like the one that was asked", mend: "give every broker the same listeners (advertised.listeners)"}
	case kafka.LeaderNotAvailable, kafka.BrokerNotAvailable, kafka.ReplicaNotAvailable, kafka.PreferredLeaderNotAvailable, kafka.EligibleLeadersNotAvailable:
		return answer{problem: "the partition has no leader at the moment", mend: "if that lasts, bring the brokers of its replicas back"}
	case kafka.UnknownTopicID, kafka.InconsistentTopicID, kafka.FetchSessionTopicIDError:
		return answer{problem: "the topic was deleted or created again", mend: "the next attempt looks it up; if that repeats, create the topic"}
	}
	return answer{}
}

// groupAnswer explains the codes about consumer groups and commits.
func groupAnswer(code kafka.Error) answer {
	switch code {
	case kafka.GroupMaxSizeReached:
		return answer{"the consumer group is full", "run fewer workers, or raise group.max.size on the brokers", true}
	case kafka.InconsistentGroupProtocol:
		return answer{"another program is in the consumer group, with an assignment of its own", "give evalworker a group that nothing else uses (kafka.group)", true}
	case kafka.InvalidGroupId:
		return answer{"the name of the consumer group is not allowed", "set kafka.group to another", true}
	case kafka.InvalidSessionTimeout:
		return answer{"the brokers do not allow this session timeout", "set kafka.session_timeout between group.min.session.timeout.ms and group.max.session.timeout.ms of the brokers", true}
	case kafka.FencedInstanceID:
		return answer{"another member of the consumer group has the same group.instance.id", "give evalworker a group that nothing else uses (kafka.group)", true}
	case kafka.GroupCoordinatorNotAvailable, kafka.NotCoordinatorForGroup, kafka.GroupLoadInProgress:
		return answer{problem: "the coordinator of the consumer group is not available, or it has moved", mend: "if that lasts, bring the brokers that hold __consumer_offsets back"}
	case kafka.IllegalGeneration, kafka.UnknownMemberId, kafka.RebalanceInProgress, kafka.MemberIDRequired:
		return answer{problem: "the consumer group has gone on without this member", mend: "it joins again; if that repeats, raise kafka.session_timeout"}
	case kafka.OffsetMetadataTooLarge, kafka.InvalidCommitOffsetSize:
		return answer{problem: "the commit is larger than the brokers accept", mend: "raise offset.metadata.max.bytes of the brokers"}
	case kafka.UnstableOffsetCommit:
		return answer{problem: "a transaction on the group's offsets has not ended", mend: "the next attempt waits for it; if that lasts, end the program that began it"}
	case kafka.GroupIdNotFound:
		return answer{problem: "the consumer group does not exist", mend: "check its name (kafka.group)"}
	case kafka.NonEmptyGroup, kafka.GroupSubscribedToTopic:
		return answer{problem: "the consumer group has members", mend: "stop the workers first"}
	}
	return answer{}
}

// passingAnswer explains the codes that pass as soon as the client asks again.
func passingAnswer(code kafka.Error) answer {
	switch code {
	case kafka.NotLeaderForPartition, kafka.FencedLeaderEpoch, kafka.UnknownLeaderEpoch:
		return answer{problem: "another broker leads the partition now", mend: "the next attempt looks it up; if that lasts, look for a broker that is cut off from the others"}
	case kafka.OffsetNotAvailable:
		return answer{problem: "the new leader of the partition does not know its end yet", mend: "it is asked again; if that lasts, bring the brokers of its replicas back"}
	case kafka.RequestTimedOut:
		return answer{problem: "the brokers did not finish the request in time", mend: "if that lasts, look for brokers under load and replicas that are behind"}
	case kafka.NetworkException, kafka.NotController:
		return answer{problem: "the brokers have lost each other for a moment", mend: "if that lasts, look at the network between them"}
	case kafka.FetchSessionIDNotFound, kafka.InvalidFetchSessionEpoch:
		return answer{problem: "the broker has forgotten what it was asked for", mend: "it is asked again; if that repeats, report it"}
	case kafka.Unknown:
		return answer{problem: "the broker has failed and does not say why", mend: "its log does"}
	}
	return answer{}
}
