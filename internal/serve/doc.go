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
// content. To listen anywhere else it needs a bearer token, and with one it
// answers like this:
//
//	            with the token   without, or with a wrong one
//	/livez      200 ok           200 ok
//	/readyz     200, or reasons  200 ok, or 503 not ready
//	/statusz    200              401
//	/debug/...  200              401
//
// The probes of an orchestrator carry no secrets, and whether a worker is well is
// none; why it is not may name brokers, users and files.
//
// Requests are bounded in size and time, and connections in number.
package serve
