// Package stats turns sampled verdicts into rates that account for the sampling:
// weighted estimates, their intervals, and tests of whether one prompt version fails
// more often than another. It is pure: no I/O, no clock and no random source, and it
// imports no other package of ours.
//
// # What is kept
//
// A [Cell] holds the sufficient statistics of one series of verdicts in a few
// numbers. Cells merge by addition, in any order, so that workers, minutes and
// dimensions can be rolled up, and they are plain JSON. A [Table] holds cells by
// prompt, version and evaluator, and keeps the verdicts of one trace or session
// together while they come in.
//
// # What is estimated
//
// A verdict that was sampled with probability p represents w = 1/p events. The pass
// rate is the Hajek estimate, sum(w*y) / sum(w) over the decided verdicts: the rate
// among all events, not only among the sampled ones. Errors, not_applicable and
// cannot_judge are counted but do not enter the rate.
//
// Weights cost precision, and so do verdicts that share a cause: five steps of one
// agent that fail together are little more than one failure. n verdicts have the
// information of [Cell.EffectiveSize] independent verdicts with equal weights, and
// that size enters the exact interval ([Cell.PassRate]) and the test ([Worse]). With
// equal weights and units of one verdict it is n, and the methods are those of
// textbooks.
//
// What weights cannot tell is that all events of a low sampling rate were left out. A
// caller that knows every event, sampled or not, counts it with [Table.Expect]; then
// events that no verdict stands for widen the interval, and most of them unseen leave
// no rate ([Cell.Unseen]). A caller that does not gets the rate of the events that had
// a chance to be seen.
//
// # What is compared
//
// [Compare] asks of each version whether it fails more often than the one before it,
// and than all others together. It avoids false alarms: the test is exact for equal
// weights however few the failures, p-values are adjusted for the number of
// comparisons, and neither a broken nor an unusually good neighbour makes a healthy
// version suspect. It returns what was not compared too, with the reason, and the
// smallest drop that the data would have shown: "nothing found" is no comfort without
// it.
//
// # What this package does not claim
//
// Rates describe the evaluators' verdicts, including a judge's mistakes. Versions
// are compared as if their events were exchangeable: a version that serves only
// hard requests looks worse, and on those it is. A p-value is valid for one look at
// the data: testing the same growing table every minute raises more false alarms
// than alpha promises.
package stats
