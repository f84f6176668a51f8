package broker

import "fmt"

// CreateTopic makes a topic; it is an error when the topic exists.
func (b *Broker) CreateTopic(name string, partitions int32) error {
	if err := b.cluster.CreateTopic(name, partitions, nil); err != nil {
		return fmt.Errorf("create topic %s: %w", name, err)
	}
	return nil
}

// DeleteTopic removes a topic with its messages and with the offsets that
// groups have committed for it.
func (b *Broker) DeleteTopic(name string) error {
	if err := b.cluster.DeleteTopic(name); err != nil {
		return fmt.Errorf("delete topic %s: %w", name, err)
	}
	return nil
}

// DeleteRecords removes the messages of a partition below an offset, as
// retention does.
func (b *Broker) DeleteRecords(topic string, partition int32, before int64) error {
	if err := b.cluster.DeleteRecords(topic, partition, before); err != nil {
		return fmt.Errorf("delete records of %s/%d: %w", topic, partition, err)
	}
	return nil
}

// CommittedOffset gives what a group has committed for a partition, with the
// metadata of the commit; ok is false when there is nothing.
func (b *Broker) CommittedOffset(group, topic string, partition int32) (offset int64, metadata string, ok bool) {
	info := b.cluster.GroupInfo(group)
	if info == nil {
		return 0, "", false
	}
	commit, ok := info.Commits[topic][partition]
	return commit.Offset, commit.Metadata, ok
}

// Members gives the number of members that a group has now.
func (b *Broker) Members(group string) int {
	info := b.cluster.GroupInfo(group)
	if info == nil {
		return 0
	}
	return len(info.Members)
}
