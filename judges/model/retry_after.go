package model

import (
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxPause bounds how long one reply can silence an endpoint. A server that
// wants more is asked again after that time, and can say so again.
const maxPause = 2 * time.Minute

// pauseOf gives how long the server asks to be left alone: by retry-after-ms,
// by Retry-After in seconds or as a date, else by the reset of whichever rate
// limit is used up. 0: it does not say.
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

// reset reads a time to a limit's reset: 6m0s, 20ms, or plain seconds.
func resetDelay(v string) time.Duration {
	if s, err := strconv.ParseFloat(v, 64); err == nil {
		return boundedPause(s)
	}
	d, err := time.ParseDuration(v)
	if err != nil {
		return 0
	}
	return boundedPause(d.Seconds())
}

// pause gives seconds as a duration between 0 and maxPause.
func boundedPause(seconds float64) time.Duration {
	if math.IsNaN(seconds) || seconds <= 0 {
		return 0
	}
	if seconds >= maxPause.Seconds() {
		return maxPause
	}
	return time.Duration(seconds * float64(time.Second))
}
