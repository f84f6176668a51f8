package consumer

// place says where to begin reading a partition.
type startPoint struct {
	start int64
	// beyond: the offset to go on at lies beyond the end. Start is then as the
	// policy says, and may be lower.
	beyond bool
	// deleted: messages from the offset to go on at up to start are no more.
	deleted bool
}

// placeIn finds where to go on in a partition with the given bounds, when next
// is the offset to fetch next.
//
// kafka-go would say nothing in either case: it jumps over what retention has
// deleted, and waits for ever at an offset beyond the end.
func findStart(next int64, b logBounds, policy OutOfRange) startPoint {
	switch {
	case next == unknownOffset:
		return startPoint{start: b.first}
	case next < b.first:
		return startPoint{start: b.first, deleted: true}
	case next > b.last && policy == OutOfRangeLast:
		return startPoint{start: b.last, beyond: true}
	case next > b.last:
		return startPoint{start: b.first, beyond: true}
	}
	return startPoint{start: next}
}
