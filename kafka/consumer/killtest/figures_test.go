package killtest

import (
	"slices"
	"time"
)

// record is one evaluation.
type record struct {
	worker    string
	partition int
	id        int
	at        time.Time
}

// figures are the results of a run.
type figures struct {
	lost                        int
	byKill, byRebalance, byStop int // events evaluated more than once, by what caused it
	atStake                     int // what A finished in its last commit intervals
	takeover                    time.Duration
}

func (f figures) repeated() int { return f.byKill + f.byRebalance + f.byStop }

func computeFigures(events int, records []record, killed, stopped time.Time, stake time.Duration) figures {
	var f figures
	byID := make(map[int][]record, events)
	var lastOfA time.Time
	ownedByA := make(map[int]time.Time) // partition to A's last evaluation
	for _, rec := range records {
		byID[rec.id] = append(byID[rec.id], rec)
		if rec.worker == "A" && rec.at.After(lastOfA) {
			lastOfA = rec.at
		}
		if rec.worker == "A" && killed.Sub(rec.at) < time.Second {
			ownedByA[rec.partition] = rec.at
		}
	}
	f.lost = events - len(byID)
	for _, rec := range records {
		if rec.worker == "A" && lastOfA.Sub(rec.at) < stake {
			f.atStake++
		}
	}
	for _, each := range byID {
		if len(each) < 2 {
			continue
		}
		slices.SortFunc(each, func(x, y record) int { return x.at.Compare(y.at) })
		switch first := each[0]; {
		case first.worker == "A" && killed.Sub(first.at) < time.Second && each[1].at.After(killed):
			f.byKill++
		case first.worker == "B" && stopped.Sub(first.at) < time.Second:
			f.byStop++
		default:
			f.byRebalance++
		}
	}
	firstAfter := make(map[int]time.Time)
	for _, rec := range records {
		if _, of := ownedByA[rec.partition]; of && rec.worker != "A" && rec.at.After(killed) {
			if at, ok := firstAfter[rec.partition]; !ok || rec.at.Before(at) {
				firstAfter[rec.partition] = rec.at
			}
		}
	}
	for _, at := range firstAfter {
		f.takeover = max(f.takeover, at.Sub(killed))
	}
	return f
}

// count returns the numbers of events that were never evaluated, and of evaluations
// that were not the first of their event.
func count(events int, records []record) (lost, repeated int) {
	seen := make(map[int]bool, events)
	for _, rec := range records {
		if seen[rec.id] {
			repeated++
		}
		seen[rec.id] = true
	}
	return events - len(seen), repeated
}
