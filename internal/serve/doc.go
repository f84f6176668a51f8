// Package serve holds what the worker's health server and the sidecar share: a bounded
// [Server]; a [Guard], which decides by bearer token what a request may see, or without
// a token which Host headers are allowed; and [Loopback], the rule for addresses that
// need no token.
//
// A server holds a bounded number of connections. At the bound it closes the one that has
// waited longest for its client, so that a probe is answered however many clients connect
// and send nothing.
//
// [HealthHandler] has the health endpoints, and [ListenHealth] serves them alone:
//
//	/livez    200 as long as the process can answer at all
//	/readyz   200 when every check passes, else 503 with one line per failing check
//	/statusz  the state as JSON: accounting, partitions, lag, drops
//	/metrics  all metrics, for Prometheus, unless configured otherwise
//	/debug/pprof/  profiles, only when configured
//
// A worker that is not ready still works: readiness is false while it joins the
// group, while the store is down and while it drains. Restarting it then would
// only cost repeats, which is why /livez looks at none of this.
//
// The endpoints show ids and counts, never content. The health server listens on
// loopback by default and needs a token to listen anywhere else. With one it
// answers:
//
//	            with the token   without, or with a wrong one
//	/livez      200 ok           200 ok
//	/readyz     200, or reasons  200 ok, or 503 not ready
//	/statusz    200              401
//	/metrics    200              401
//	/debug/...  200              401
//
// The probes of an orchestrator carry no secrets, and whether a worker is well need
// not be secret; the reasons why it is not may name brokers, users and files.
//
// There is no TLS here: a proxy in front is the place for it.
package serve
