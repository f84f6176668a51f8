package sidecar

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/outage"
	"github.com/evalworker/evalworker/sidecar/spool"
)

func TestEventsAreSentInOrder(t *testing.T) {
	t.Parallel()
	w := start(t, Config{BatchEvents: 7}, spool.Config{}, func(c *cluster) { c.one = true })
	var want []string
	for i := range 20 {
		ids := []string{fmt.Sprint(i, "a"), fmt.Sprint(i, "b")}
		want = append(want, ids...)
		if status, body := w.send(t, "application/x-ndjson", lines(ids...)); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, body)
		}
	}
	if err := w.spool.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, w.cluster.ids()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	w.balance(t)
}

// TestEventsAreGathered: a lone event is sent at once; those that come within the next
// 10 ms are sent together, at their end; a full batch waits for nothing.
func TestEventsAreGathered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := build(t, Config{BatchEvents: 4}, spool.Config{})
		type call struct {
			at   time.Duration
			sent int // before it
		}
		var calls []call
		began := time.Now()
		w.cluster.block = func(context.Context) { calls = append(calls, call{time.Since(began), len(w.cluster.ids())}) }
		accept := func(n int) {
			for i := range n {
				if resp := (request{body: newEvent(fmt.Sprint(i))}).do(t, w.handler()); resp.Code != http.StatusAccepted {
					t.Fatal(resp.Code)
				}
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		var running sync.WaitGroup
		running.Go(func() { w.forward.run(ctx) })
		accept(1)
		synctest.Wait()
		accept(3)
		if err := w.spool.Drained(t.Context()); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		accept(1)
		synctest.Wait()
		accept(9) // two batches and one event
		if err := w.spool.Drained(t.Context()); err != nil {
			t.Fatal(err)
		}
		cancel()
		running.Wait()
		const ms = time.Millisecond
		want := []call{{0, 0}, {10 * ms, 1}, {1010 * ms, 4}, {1020 * ms, 5}, {1020 * ms, 9}, {1020 * ms, 13}}
		if diff := cmp.Diff(want, calls, cmp.AllowUnexported(call{})); diff != "" {
			t.Errorf("batches (-want +got):\n%s", diff)
		}
		if err := errors.Join(w.stop(), w.spool.Close()); err != nil {
			t.Error(err)
		}
	})
}

func TestKafkaDown(t *testing.T) {
	t.Parallel()
	tried := make(chan struct{})
	w := start(t, Config{}, spool.Config{}, func(c *cluster) { c.err, c.tried = errors.New("dial tcp: connection refused"), tried })
	if status, body := w.send(t, "application/json", newEvent("a")); status != http.StatusAccepted {
		t.Fatalf("%d %s", status, body)
	}
	<-tried
	st := w.Status()
	for !st.Kafka.Down { // the failure is noted right after the try
		st = w.Status()
	}
	if st.State != "kafka_down" || st.Kafka.LastError != "dial tcp: connection refused" || st.Spool.Events != 1 || st.Kafka.DownSince == nil {
		t.Errorf("Status = %+v", st)
	}
	if resp := (request{method: http.MethodGet, path: "/readyz"}).do(t, w.handler()); resp.Code != http.StatusOK {
		t.Errorf("not ready although the spool has room: %d", resp.Code)
	}
	w.cluster.down(nil)
	if err := w.spool.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	st = w.Status()
	if st.Kafka.Down || st.Kafka.LastError == "" || st.Events.Sent != 1 {
		t.Errorf("Status = %+v", st)
	}
	log := w.logs.String()
	for _, line := range []string{"kafka does not take events: they are kept in the spool", "kafka takes events again"} {
		if n := strings.Count(log, line); n != 1 {
			t.Errorf("%q is logged %d times:\n%s", line, n, log)
		}
	}
	w.balance(t)
}

func TestWhatKafkaNeverTakesIsSetAside(t *testing.T) {
	t.Parallel()
	w := start(t, Config{}, spool.Config{AsideBytes: 150}, nil)
	refused := "{\"event\":\"llm_request_completed\",\n \"request_id\":\"refuse-1\", \"output\":\"private\"}"
	for _, body := range []string{newEvent("a"), refused, newEvent("b"), newEvent("refuse-2"), newEvent("refuse-3"), newEvent("c")} {
		if status, answer := w.send(t, "application/json", body); status != http.StatusAccepted {
			t.Fatalf("%d %s", status, answer)
		}
	}
	if err := w.stop(); err != nil { // sends what is spooled
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"a", "b", "c"}, w.cluster.ids()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	got, err := os.ReadFile(filepath.Join(w.dir, "rejected.ndjson"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"event":"llm_request_completed","request_id":"refuse-1","output":"private"}` + "\n" + newEvent("refuse-2") + "\n"
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("rejected.ndjson (-want +got):\n%s", diff)
	}
	if e := w.Status().Events; e.SetAside != 2 || e.Discarded != 1 {
		t.Errorf("%+v", e)
	}
	log := w.logs.String()
	if !strings.Contains(log, "refuse-1") || !strings.Contains(log, "refuse-3") || strings.Contains(log, "private") {
		t.Errorf("the log has to name ids and nothing of the content:\n%s", log)
	}
	w.balance(t)
}

func TestAFullSpool(t *testing.T) {
	t.Parallel()
	w := start(t, Config{MaxBodyBytes: 8000, Grace: time.Millisecond}, spool.Config{MaxBytes: 1 << 16}, func(c *cluster) { c.err = errors.New("away") })
	var accepted []string
	for i := 0; ; i++ {
		id := fmt.Sprintf("%d-%s", i, strings.Repeat("x", 500))
		resp := request{body: newEvent(id), header: asJSON}.do(t, w.handler())
		if resp.Code == http.StatusTooManyRequests {
			if resp.Header().Get("Retry-After") != "5" {
				t.Errorf("Retry-After %q", resp.Header().Get("Retry-After"))
			}
			break
		}
		if resp.Code != http.StatusAccepted || i > 300 {
			t.Fatalf("event %d: %d", i, resp.Code)
		}
		accepted = append(accepted, id)
	}
	if st := w.Status(); st.State != "spool_full" || st.Requests.TooMany != 1 || st.Spool.UsedPercent > 100 {
		t.Errorf("Status = %+v", st)
	}
	if resp := (request{method: http.MethodGet, path: "/readyz"}).do(t, w.handler()); resp.Code != http.StatusServiceUnavailable {
		t.Errorf("ready with a full spool: %d", resp.Code)
	}
	w.cluster.down(nil)
	if err := w.spool.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(accepted, w.cluster.ids()); diff != "" {
		t.Errorf("sent (-want +got):\n%s", diff)
	}
	if resp := (request{body: newEvent("more")}).do(t, w.handler()); resp.Code != http.StatusAccepted {
		t.Errorf("after it was drained: %d", resp.Code)
	}
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(w.logs.String(), "spool is full") {
		t.Error("the log does not say that the spool is full")
	}
}

func TestADiskThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	w := build(t, Config{}, spool.Config{})
	if err := os.RemoveAll(w.dir); err != nil {
		t.Fatal(err)
	}
	resp := request{body: newEvent("a")}.do(t, w.handler())
	var got answer
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if resp.Code != http.StatusServiceUnavailable || got.Error != "the spool cannot be written: no such file or directory" {
		t.Errorf("%d, %+v", resp.Code, got)
	}
	if st := w.Status(); st.State != "disk_trouble" || st.Spool.LastError == "" {
		t.Errorf("Status = %+v", st)
	}
	if resp := (request{method: http.MethodGet, path: "/readyz"}).do(t, w.handler()); resp.Code != http.StatusServiceUnavailable {
		t.Errorf("ready: %d", resp.Code)
	}
	if err := os.MkdirAll(w.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if resp := (request{body: newEvent("a")}).do(t, w.handler()); resp.Code != http.StatusAccepted || w.Status().State != "ok" {
		t.Errorf("after the disk is well again: %d, %s", resp.Code, w.Status().State)
	}
	if !strings.Contains(w.logs.String(), "spool can be written again") {
		t.Errorf("the log does not say that it is over:\n%s", w.logs.String())
	}
}

// TestADiskThatHoldsUpTheForwarderIsSeen: events are still accepted, but the status
// must show that none is sent.
func TestADiskThatHoldsUpTheForwarderIsSeen(t *testing.T) {
	t.Parallel()
	w := start(t, Config{Grace: time.Millisecond}, spool.Config{}, nil)
	path := filepath.Join(w.dir, "rejected.ndjson")
	if err := os.Mkdir(path, 0o700); err != nil { // no file can be written there
		t.Fatal(err)
	}
	if code, answer := w.send(t, "application/json", newEvent("refuse")); code != http.StatusAccepted {
		t.Fatal(code, answer)
	}
	for w.Status().Spool.LastError == "" { // only the status shows it
		runtime.Gosched()
	}
	if code, answer := w.send(t, "application/json", newEvent("a")); code != http.StatusAccepted {
		t.Fatal(code, answer)
	}
	if st := w.Status(); st.State != "disk_trouble" || !strings.Contains(st.Spool.LastError, "set records aside") {
		t.Errorf("state %q, last error %q", st.State, st.Spool.LastError)
	}
	if resp := (request{method: http.MethodGet, path: "/readyz"}).do(t, w.handler()); resp.Code != http.StatusOK {
		t.Errorf("not ready although events are taken: %d %s", resp.Code, resp.Body)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := w.spool.Drained(t.Context()); err != nil {
		t.Fatal(err)
	}
	for w.Status().State != "ok" { // the position is written right after
		runtime.Gosched()
	}
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	w.balance(t)
	if log := w.logs.String(); !strings.Contains(log, "rejected.ndjson cannot be written") || !strings.Contains(log, "spool can be read and written again") {
		t.Errorf("the log does not say that it began, or that it is over:\n%s", log)
	}
}

func TestRequestsAtWorkAreBounded(t *testing.T) {
	t.Parallel()
	w := build(t, Config{Concurrency: 1}, spool.Config{})
	if w.intake.enter() != nil {
		t.Fatal("the gate is closed")
	}
	if resp := (request{body: newEvent("a")}).do(t, w.handler()); resp.Code != http.StatusTooManyRequests {
		t.Errorf("a request too many: %d", resp.Code)
	}
	w.intake.leave()
	if resp := (request{body: newEvent("a")}).do(t, w.handler()); resp.Code != http.StatusAccepted || w.Status().Requests.InFlight != 0 {
		t.Errorf("%d, %d in flight", resp.Code, w.Status().Requests.InFlight)
	}
}

// TestStopKeepsWhatCannotBeSent: a stop without Kafka keeps what is spooled, and the
// next start sends it.
func TestStopKeepsWhatCannotBeSent(t *testing.T) {
	t.Parallel()
	w := start(t, Config{Grace: 10 * time.Millisecond}, spool.Config{}, func(c *cluster) { c.err = errors.New("away") })
	if status, _ := w.send(t, "application/json", newEvent("a")); status != http.StatusAccepted {
		t.Fatal(status)
	}
	if err := w.stop(); err != nil {
		t.Errorf("Run = %v, want nil: nothing is lost", err)
	}
	if resp := (request{body: newEvent("late")}).do(t, w.handler()); resp.Code != http.StatusServiceUnavailable {
		t.Errorf("a request after the stop: %d", resp.Code)
	}
	if !strings.Contains(w.logs.String(), "stays in the spool") {
		t.Errorf("the log does not say so:\n%s", w.logs)
	}
	w.balance(t)
	if err := w.spool.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := spool.Open(spool.Config{Dir: w.dir}, w.log)
	if err != nil {
		t.Fatal(err)
	}
	b, err := again.Next(t.Context(), spool.Limits{Records: 9, Bytes: 999})
	if err != nil || len(b.Records) != 1 || string(b.Records[0].Data) != newEvent("a") {
		t.Errorf("the next start finds %+v, %v", b, err)
	}
	if err := again.Close(); err != nil {
		t.Error(err)
	}
}

// TestStopDoesNotWaitForAHungCluster: a stop cuts a write off that does not end.
func TestStopDoesNotWaitForAHungCluster(t *testing.T) {
	t.Parallel()
	entered := make(chan struct{}, 1)
	w := start(t, Config{Grace: 10 * time.Millisecond}, spool.Config{}, func(c *cluster) {
		c.block = func(ctx context.Context) {
			entered <- struct{}{}
			<-ctx.Done()
		}
		c.err = context.Canceled
	})
	if status, _ := w.send(t, "application/json", newEvent("a")); status != http.StatusAccepted {
		t.Fatal(status)
	}
	<-entered
	if err := w.stop(); err != nil {
		t.Error(err)
	}
	w.balance(t)
}

func TestAPortThatIsTaken(t *testing.T) {
	t.Parallel()
	w := build(t, Config{}, spool.Config{})
	_, err := New(t.Context(), Config{Listen: w.Addr()}, w.deps)
	if err == nil || !strings.Contains(err.Error(), w.Addr()) {
		t.Errorf("New = %v", err)
	}
	if _, err := New(t.Context(), Config{MaxBodyBytes: 1 << 40}, w.deps); err == nil {
		t.Error("a body larger than the spool is no fault")
	}
}

func TestLastingError(t *testing.T) {
	t.Parallel()
	var o outage.Outage
	if got := currentError(&o); got != "none" {
		t.Errorf("before: %q", got)
	}
	o.Fail(errors.New("away"))
	if got := currentError(&o); got != "away" {
		t.Errorf("while it lasts: %q", got)
	}
	o.End()
	if got := currentError(&o); got != "none" {
		t.Errorf("when it is over: %q", got)
	}
}
