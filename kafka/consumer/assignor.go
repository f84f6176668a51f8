package consumer

import (
	"cmp"
	"encoding/json"
	"slices"
	"sync"

	"github.com/segmentio/kafka-go"
)

// assignorProtocol is a name that all members of a group must know, which is one
// reason why the group id must be evalworker's alone.
const assignorProtocol = "evalworker-sticky"

// claim is the user data of a member that joins: the partitions that it had, in the
// order in which it prefers to keep them, and in which generation it had them.
type claim struct {
	Generation int32 `json:"generation"`
	Partitions []int `json:"partitions"`
}

// assignor is a sticky kafka.GroupBalancer: members keep the partitions they had,
// so that work in progress goes on in place and only what must move is repeated.
//
// A member gets lo or lo+1 partitions, lo being the number of partitions divided
// by the members. It keeps what it claims up to that; when two claim the same
// partition, the newer generation wins, because the older claim comes from a
// member that was away. The rest goes, in order, to the member with the fewest.
//
// The members of a group may read different topics, though each deployment should have
// a group of its own: every change of one rebalances all.
type assignor struct {
	topic string

	mu       sync.Mutex
	claim    claim    // guarded by mu
	assigned int      // partitions of topic in the assignment that this member made; notLeader when another member did; guarded by mu
	foreign  []string // other topics that members of the group read; guarded by mu
}

const notLeader = -1

// setClaim sets what this member will claim when it joins again.
func (b *assignor) setClaim(generation int32, partitions []int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.claim = claim{Generation: generation, Partitions: slices.Clone(partitions)}
}

// leaderCount returns the number of the topic's partitions that this member assigned as
// the leader of this generation; ok is false when it is not the leader.
func (b *assignor) leaderCount() (partitions int, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.assigned, b.assigned != notLeader
}

// foreignTopics returns the other topics that members of the group read, as the leader
// saw them when it last assigned partitions.
func (b *assignor) foreignTopics() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.foreign
}

// ProtocolName returns the name that all members must agree on.
func (b *assignor) ProtocolName() string { return assignorProtocol }

// UserData returns this member's claim. kafka-go calls it at every join, and then
// AssignGroups if this member leads the new generation.
func (b *assignor) UserData() ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.assigned = notLeader
	return json.Marshal(b.claim)
}

// AssignGroups assigns the partitions. It is called in the leader only.
func (b *assignor) AssignGroups(members []kafka.GroupMember, partitions []kafka.Partition) kafka.GroupMemberAssignments {
	byTopic := make(map[string][]int)
	for _, p := range partitions {
		byTopic[p.Topic] = append(byTopic[p.Topic], p.ID)
	}
	var foreign []string
	for _, m := range members {
		foreign = append(foreign, m.Topics...)
	}
	foreign = slices.DeleteFunc(foreign, func(topic string) bool { return topic == b.topic })
	slices.Sort(foreign)
	b.mu.Lock()
	b.assigned, b.foreign = len(byTopic[b.topic]), slices.Compact(foreign)
	b.mu.Unlock()
	out := make(kafka.GroupMemberAssignments, len(members))
	for _, m := range members {
		out[m.ID] = make(map[string][]int)
	}
	for topic, ids := range byTopic {
		slices.Sort(ids)
		for member, kept := range assign(claimants(members, topic), ids) {
			out[member][topic] = kept
		}
	}
	return out
}

// claimant is a member with its claim.
type claimant struct {
	member string
	claim
}

// claimants returns the members that read a topic, in the order in which their claims
// count: the newest generation first, then the larger claim.
func claimants(members []kafka.GroupMember, topic string) []claimant {
	var out []claimant
	for _, m := range members {
		if !slices.Contains(m.Topics, topic) {
			continue
		}
		c := claimant{member: m.ID}
		if json.Unmarshal(m.UserData, &c.claim) != nil {
			c.claim = claim{} // an unreadable claim counts as none
		}
		out = append(out, c)
	}
	slices.SortFunc(out, func(a, b claimant) int {
		return cmp.Or(
			-cmp.Compare(a.Generation, b.Generation),
			-cmp.Compare(len(a.Partitions), len(b.Partitions)),
			cmp.Compare(a.member, b.member),
		)
	})
	return out
}

// assign returns the partitions of each member.
func assign(members []claimant, partitions []int) map[string][]int {
	if len(members) == 0 {
		return nil
	}
	free := make(map[int]bool, len(partitions))
	for _, id := range partitions {
		free[id] = true
	}
	out := make(map[string][]int, len(members))
	lo, extra := len(partitions)/len(members), len(partitions)%len(members)
	for _, m := range members {
		var keep []int
		for _, id := range m.Partitions {
			if free[id] {
				keep = append(keep, id)
				delete(free, id) // a claim may name a partition twice
			}
		}
		quota := lo
		if len(keep) > lo && extra > 0 {
			quota++
			extra--
		}
		if len(keep) > quota {
			for _, id := range keep[quota:] {
				free[id] = true
			}
			keep = keep[:quota]
		}
		out[m.member] = keep
	}
	for _, id := range partitions {
		if !free[id] {
			continue
		}
		fewest := slices.MinFunc(members, func(a, b claimant) int {
			return cmp.Compare(len(out[a.member]), len(out[b.member]))
		})
		out[fewest.member] = append(out[fewest.member], id)
	}
	return out
}
