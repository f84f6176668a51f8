package consumer

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/segmentio/kafka-go"
)

const testTopic = "events"

func member(id string, generation int32, partitions ...int) kafka.GroupMember {
	data, err := json.Marshal(claim{generation, partitions})
	if err != nil {
		panic(err) // a struct of numbers always marshals
	}
	return kafka.GroupMember{ID: id, Topics: []string{testTopic}, UserData: data}
}

func topicPartitions(n int) []kafka.Partition {
	var out []kafka.Partition
	for id := range n {
		out = append(out, kafka.Partition{Topic: testTopic, ID: id})
	}
	return out
}

func TestAssignor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		members    []kafka.GroupMember
		partitions int
		want       map[string][]int
	}{
		{"one member has all", []kafka.GroupMember{member("a", 0)}, 3, map[string][]int{"a": {0, 1, 2}}},
		{
			"a newcomer gets its share and no more moves",
			[]kafka.GroupMember{member("a", 3, 0, 1, 2, 3), member("b", 0)},
			4,
			map[string][]int{"a": {0, 1}, "b": {2, 3}},
		},
		{
			"a member left and the others keep theirs",
			[]kafka.GroupMember{member("a", 4, 4, 5), member("c", 4, 0, 1)},
			6,
			map[string][]int{"a": {4, 5, 2}, "c": {0, 1, 3}},
		},
		{
			"the newer claim wins",
			[]kafka.GroupMember{member("was away", 3, 0, 1), member("went on", 7, 1, 0)},
			4,
			map[string][]int{"went on": {1, 0}, "was away": {2, 3}},
		},
		{
			"back first after an outage: what was just taken is given up",
			[]kafka.GroupMember{member("back first", 4, 4, 5, 6, 7, 0, 1, 2, 3), member("back later", 2, 0, 1, 2, 3)},
			8,
			map[string][]int{"back first": {4, 5, 6, 7}, "back later": {0, 1, 2, 3}},
		},
		{
			"an odd number stays with the one who has it",
			[]kafka.GroupMember{member("a", 5, 0), member("b", 5, 1, 2)},
			3,
			map[string][]int{"a": {0}, "b": {1, 2}},
		},
		{
			"more members than partitions",
			[]kafka.GroupMember{member("a", 5, 1), member("b", 0), member("c", 5, 0)},
			2,
			map[string][]int{"a": {1}, "b": nil, "c": {0}},
		},
		{
			"the topic grew",
			[]kafka.GroupMember{member("a", 5, 0, 1), member("b", 5, 2, 3)},
			8,
			map[string][]int{"a": {0, 1, 4, 6}, "b": {2, 3, 5, 7}},
		},
		{
			"a claim of partitions that are gone, and one twice",
			[]kafka.GroupMember{member("a", 5, 9, 0, 0), member("b", 5, 1)},
			2,
			map[string][]int{"a": {0}, "b": {1}},
		},
		{
			"user data that is none",
			[]kafka.GroupMember{{ID: "a", Topics: []string{testTopic}, UserData: []byte("{")}, member("b", 5, 1)},
			2,
			map[string][]int{"a": {0}, "b": {1}},
		},
		{"no partitions", []kafka.GroupMember{member("a", 5, 0)}, 0, map[string][]int{"a": nil}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := assignor{topic: testTopic}
			assigned := b.AssignGroups(tt.members, topicPartitions(tt.partitions))
			got := make(map[string][]int)
			for id, topics := range assigned {
				got[id] = topics[testTopic]
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("assignment (-want +got):\n%s", diff)
			}
			if n, leader := b.leaderCount(); !leader || n != tt.partitions {
				t.Errorf("seen = %d, %v, want %d", n, leader, tt.partitions)
			}
		})
	}
}

func TestAssignorMemberOfAnotherTopic(t *testing.T) {
	t.Parallel()
	b := assignor{topic: testTopic}
	stranger := kafka.GroupMember{ID: "x", Topics: []string{"other"}}
	got := b.AssignGroups([]kafka.GroupMember{member("a", 0), stranger}, topicPartitions(2))
	want := kafka.GroupMemberAssignments{"a": {testTopic: {0, 1}}, "x": {}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("assignment (-want +got):\n%s", diff)
	}
}

func TestAssignorClaimTravels(t *testing.T) {
	t.Parallel()
	b := assignor{topic: testTopic}
	owned := []int{4, 7}
	b.setClaim(12, owned)
	owned[0] = 99 // the balancer has its own copy
	data, err := b.UserData()
	if err != nil {
		t.Fatal(err)
	}
	var got claim
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(claim{12, []int{4, 7}}, got); diff != "" {
		t.Errorf("claim (-want +got):\n%s", diff)
	}
	if _, leader := b.leaderCount(); leader {
		t.Error("a member that is joining leads already")
	}
}

// FuzzAssignor: each partition has exactly one owner, and no member has two more
// than another.
func FuzzAssignor(f *testing.F) {
	f.Add(uint8(8), []byte{3, 0, 1, 2, 0xff, 5, 2, 3, 0xff})
	f.Add(uint8(3), []byte{0xff, 0xff, 0xff, 0xff})
	f.Add(uint8(16), []byte{})
	f.Fuzz(func(t *testing.T, partitions uint8, claims []byte) {
		members := []kafka.GroupMember{member("first", 1)}
		for i, part := range split(claims, 0xff) {
			if i == 32 || len(part) == 0 {
				continue
			}
			var owned []int
			for _, id := range part[1:] {
				owned = append(owned, int(id))
			}
			members = append(members, member(string(rune('A'+i)), int32(part[0]), owned...))
		}
		b := assignor{topic: testTopic}
		assigned := b.AssignGroups(members, topicPartitions(int(partitions)))
		var all []int
		fewest, most := int(partitions), 0
		for _, topics := range assigned {
			all = append(all, topics[testTopic]...)
			fewest, most = min(fewest, len(topics[testTopic])), max(most, len(topics[testTopic]))
		}
		slices.Sort(all)
		if len(all) != int(partitions) || len(slices.Compact(all)) != int(partitions) {
			t.Fatalf("%d partitions, assigned %v", partitions, assigned)
		}
		if most-fewest > 1 {
			t.Fatalf("one member has %d, another %d", most, fewest)
		}
	})
}

func split(b []byte, sep byte) [][]byte {
	var out [][]byte
	for len(b) > 0 {
		i := slices.Index(b, sep)
		if i < 0 {
			return append(out, b)
		}
		out, b = append(out, b[:i]), b[i+1:]
	}
	return out
}
