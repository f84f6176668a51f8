package consumer

// Keys of structured log lines.
const (
	keyComponent  = "component"
	keyTopic      = "topic"
	keyGroup      = "group"
	keyGeneration = "generation"
	keyMember     = "member"
	keyPartition  = "partition"
	keyPartitions = "partitions"
	keyOffset     = "offset"
	keyCount      = "count"
	keyReason     = "reason"
	keyError      = "error"
	keyAttempts   = "attempts"
	keyDuration   = "duration"
	keyStack      = "stack"
)
