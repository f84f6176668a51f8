// Package health is the worker's HTTP server for those who run it.
//
//	/livez    200 as long as the process can answer at all
//	/readyz   200 when every check passes, else 503 with one line a failing check
//	/statusz  the worker's state as JSON: accounting, partitions, lag, drops
//	/debug/pprof/  profiles, only when configured
//
// A worker that is not ready still works: readiness turns false while it joins
// the group, while the store is down and while it drains. Restarting it then
// would only cost repeats, which is why /livez does not look at any of this.
//
// The server listens on loopback by default. It serves ids and counts, never
// content.
package health
