package model

import "time"

// recentBuckets is in how many parts the window of recent calls moves.
const windowBuckets = 10

// recent counts the calls that ended over the last breakerWindow, and those that
// failed in a row however long it took.
type failureWindow struct {
	since   time.Time
	buckets [windowBuckets]bucket
	streak  int
}

// bucket counts the calls of a tenth of the window.
type bucket struct {
	number        int64 // since the beginning
	calls, failed int
}

func newFailureWindow() failureWindow { return failureWindow{since: time.Now()} }

// nth is the number of the bucket of now.
func (r *failureWindow) bucketNumber() int64 {
	return int64(time.Since(r.since) / (breakerWindow / windowBuckets))
}

// add counts a call that ended now.
func (r *failureWindow) add(failed bool) {
	nth := r.bucketNumber()
	b := &r.buckets[nth%windowBuckets]
	if b.number != nth {
		*b = bucket{number: nth}
	}
	b.calls++
	r.streak++
	if failed {
		b.failed++
	} else {
		r.streak = 0
	}
}

// sum gives the calls of the window, or the row of failures when it is longer:
// where calls last as long as the window and few can be open, few end in it.
func (r *failureWindow) counts() (made, failed int) {
	oldest := r.bucketNumber() - windowBuckets
	for _, b := range r.buckets {
		if b.number > oldest {
			made, failed = made+b.calls, failed+b.failed
		}
	}
	if r.streak > made {
		return r.streak, r.streak
	}
	return made, failed
}
