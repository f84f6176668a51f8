package model

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxPause bounds how long one reply can hold back an endpoint's calls. A server
// that needs longer can ask again after that time.
const maxPause = 2 * time.Minute

// retryAfter returns the pause that the server asks for: by retry-after-ms, by
// Retry-After in seconds or as a date, else by the reset of a rate limit that is
// used up. 0: it asks for none.
func retryAfter(h http.Header, now time.Time) time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil {
		return boundedPause(ms / 1000)
	}
	if v := h.Get("Retry-After"); v != "" {
		if s, err := strconv.ParseFloat(v, 64); err == nil {
			return boundedPause(s)
		}
		if at, err := http.ParseTime(v); err == nil {
			return boundedPause(at.Sub(now).Seconds())
		}
	}
	var wait time.Duration
	for _, limit := range [...]string{"Requests", "Tokens"} {
		if strings.TrimSpace(h.Get("X-Ratelimit-Remaining-"+limit)) == "0" {
			wait = max(wait, resetDelay(h.Get("X-Ratelimit-Reset-"+limit)))
		}
	}
	return wait
}

// resetDelay parses the time to a limit's reset: 6m0s, 20ms, or plain seconds.
func resetDelay(v string) time.Duration {
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		return boundedPause(s)
	}
	d, _ := time.ParseDuration(v) // 0 on an error
	return boundedPause(d.Seconds())
}

// boundedPause returns seconds as a duration between 0 and maxPause.
func boundedPause(seconds float64) time.Duration {
	if math.IsNaN(seconds) || seconds <= 0 {
		return 0
	}
	return time.Duration(min(seconds, maxPause.Seconds()) * float64(time.Second))
}
