package app

import "runtime"

// heapFloor is what a worker's heap may hold of garbage at the least before it is
// collected.
const heapFloor = 24 << 20

// SteadyHeap keeps a worker from collecting garbage all the time, until release.
// What lives of its heap is some 7 MB, and it allocates tens of KB for an event
// that it evaluates, so the collector would run eighty times a second and take a
// tenth of the CPU. Memory that is asked for and never touched counts for the collector as
// alive and is no resident memory; with more that lives, it matters less and less.
func SteadyHeap() (release func()) {
	floor := make([]byte, heapFloor)
	return func() { runtime.KeepAlive(floor) }
}
