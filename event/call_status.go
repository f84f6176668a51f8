package event

import "strings"

// Words for a status that a request or a call has in another form.
const (
	callError   = "error"
	callSuccess = "success"
)

// Failed reports whether the call's status says that it failed: one of a closed list
// of words, or an HTTP status of 400 or above. An unknown status is not a failure,
// because a word for success that is not known yet would count against the model.
func (c *ToolCall) Failed() bool {
	s := foldStatus(c.Status)
	switch s {
	case callError, "errored", "failed", "failure", "fail", "exception", "crashed", "invalid", "incomplete",
		"timeout", "timedout", "deadlineexceeded", "expired",
		"denied", "permissiondenied", "accessdenied", "outputdenied", "executiondenied", "rejected", "refused", "unauthorized", "forbidden",
		"cancelled", "canceled", "aborted", "killed", "interrupted",
		"outputerror", "toolerror", "executionerror", "servererror", "statuscodeerror", "unavailable", "ratelimited", "resourceexhausted":
		return true
	}
	class := httpClass(s)
	return class == '4' || class == '5'
}

// Pending reports whether the call's status says that it has not ended: its arguments
// may still grow, and nobody knows how it ends.
func (c *ToolCall) Pending() bool {
	switch foldStatus(c.Status) {
	case "pending", "running", "inprogress", "queued", "waiting", "scheduled", "submitted", "requested",
		"started", "starting", "processing", "executing", "working", "streaming", "searching", "interpreting", "calling", "generating",
		"inputstreaming", "inputavailable", "partialcall", "call", "requiresaction", "inputrequired",
		"approvalrequested", "approvalresponded", "awaitingapproval":
		return true
	}
	return false
}

// Succeeded reports whether the call's status says that it succeeded, and so that the
// tool exists.
func (c *ToolCall) Succeeded() bool { return isSuccess(foldStatus(c.Status)) }

// isSuccess reports whether a folded status is a word for success.
func isSuccess(s string) bool {
	switch s {
	case callSuccess, "succeeded", "successful", "ok", "okay", "completed", "complete", "done", "finished", "executed", "passed", "pass",
		"outputavailable", "result", "statuscodeok":
		return true
	}
	return httpClass(s) == '2'
}

// TimedOut reports whether the request's status or error type says that it timed out, in
// the words of any library: timeout, APITimeoutError, ETIMEDOUT, DEADLINE_EXCEEDED, or the
// HTTP statuses 408 and 504. A status of success has the last word: it was an earlier
// attempt that timed out then.
func (e *Event) TimedOut() bool {
	if e.Status == callSuccess || e.Status == "" && e.ErrorType == "" {
		return false
	}
	status := foldStatus(e.Status)
	return !isSuccess(status) && (isTimeout(status) || isTimeout(foldStatus(e.ErrorType)))
}

// isTimeout reports whether a folded status, or a class of errors, is a timeout.
func isTimeout(s string) bool {
	for _, word := range [...]string{"timeout", "timedout", "deadlineexceeded"} {
		if strings.Contains(s, word) {
			return true
		}
	}
	s = strings.TrimSuffix(s, ".0")
	return s == "408" || s == "504"
}

// foldStatus returns a status without regard to case, spaces, _ and -.
func foldStatus(s string) string {
	if s == "" || s == callError || s == callSuccess {
		return s
	}
	return strings.ReplaceAll(foldName(strings.TrimSpace(s)), " ", "")
}

// httpClass returns the first digit of an HTTP status; 0 for anything else.
func httpClass(s string) byte {
	s = strings.TrimSuffix(s, ".0")
	if len(s) != 3 || strings.Trim(s, "0123456789") != "" {
		return 0
	}
	return s[0]
}
