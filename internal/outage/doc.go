// Package outage remembers what is down, since when and why, and keeps a trouble
// that happens thousands of times from filling the log.
//
//	var kafka outage.Outage
//	if err := send(); err != nil {
//		if seen, ok := kafka.Fail(err); ok {
//			seen.On(log).Warn("kafka accepts no events", "error", err)
//		}
//	} else if since, told := kafka.End(); told {
//		log.Info("kafka accepts events again", "after", time.Since(since))
//	}
//
// An outage whose cause changes goes on, but the time that Now returns is that of the
// present cause, so that a message never pairs a new trouble with an old time.
//
// A [Limiter] alone is for trouble that has no end, such as refused requests. Both
// are usable as zero values, safe for concurrent use, and start no goroutine.
package outage
