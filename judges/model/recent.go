package model

import "time"

// recentBuckets is in how many parts the window of recent calls moves.
const recentBuckets = 10

// recent counts the calls that ended over the last breakerWindow, and those that
// failed in a row however long it took.
type recent struct {
	since   time.Time
	buckets [recentBuckets]bucket
	row     int
}

// bucket counts the calls of a tenth of the window.
type bucket struct {
	nth          int64 // since the beginning
	made, failed int
}

func newRecent() recent { return recent{since: time.Now()} }

// nth is the number of the bucket of now.
func (r *recent) nth() int64 { return int64(time.Since(r.since) / (breakerWindow / recentBuckets)) }

// add counts a call that ended now.
func (r *recent) add(failed bool) {
	nth := r.nth()
	b := &r.buckets[nth%recentBuckets]
	if b.nth != nth {
		*b = bucket{nth: nth}
	}
	b.made++
	r.row++
	if failed {
		b.failed++
	} else {
		r.row = 0
	}
}

// sum gives the calls of the window, or the row of failures when it is longer:
// where calls last as long as the window and few can be open, few end in it.
func (r *recent) sum() (made, failed int) {
	oldest := r.nth() - recentBuckets
	for _, b := range r.buckets {
		if b.nth > oldest {
			made, failed = made+b.made, failed+b.failed
		}
	}
	if r.row > made {
		return r.row, r.row
	}
	return made, failed
}
