package app

import "runtime"

// heapFloor is what a worker's heap may hold of garbage at the least before it is
// collected.
const heapFloor = 24 << 20

// SteadyHeap keeps a worker from collecting garbage all the time, until release.
// What lives of its heap is some 7 MB, and each event that it evaluates leaves
// several KB of garbage, so that under load the collector would run all the time:
// without the floor, validating costs a tenth more CPU. Memory that is asked for
// and never touched counts for the collector as alive and is no resident memory;
// with more that lives, it matters less and less.
func SteadyHeap() (release func()) {
	floor := make([]byte, heapFloor)
	return func() { runtime.KeepAlive(floor) }
}
