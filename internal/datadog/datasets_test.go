package datadog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/evalworker/evalworker/internal/base/secret"
)

// datasetAPI is the part of Datadog's API that datasets need. It is used by one client.
type datasetAPI struct {
	t        *testing.T
	calls    []string
	project  string
	datasets []string
	records  map[string]bool // by their JSON
	// before answers a call in place of the API when it returns a status.
	before func(n int, r *http.Request) (status int, header http.Header)
}

func (a *datasetAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	a.serve(w, r)
	return w.Result(), nil
}

func (a *datasetAPI) serve(w http.ResponseWriter, r *http.Request) {
	a.calls = append(a.calls, r.Method+" "+r.URL.Path)
	if a.before != nil {
		if status, header := a.before(len(a.calls), r); status != 0 {
			for key := range header {
				w.Header().Set(key, header.Get(key))
			}
			w.WriteHeader(status)
			fmt.Fprint(w, `{"errors":[{"title":"Generic Error","detail":"as the test wants it"}]}`)
			return
		}
	}
	if r.URL.Host != "api.datadoghq.eu" || r.Header.Get("DD-API-KEY") != "api" || r.Header.Get("DD-APPLICATION-KEY") != "app" {
		a.t.Errorf("host %s, headers %v", r.URL.Host, r.Header)
	}
	var body struct {
		Data struct {
			Type       string
			Attributes struct {
				Name        string
				Deduplicate bool
				Records     []json.RawMessage
			}
		}
	}
	if r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			a.t.Error(err)
		}
	}
	in := body.Data.Attributes
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/api/v2/llm-obs/v1/projects" && body.Data.Type == "projects":
		a.project = in.Name // an existing one is returned as well
		fmt.Fprintf(w, `{"data":{"id":"p-1","type":"projects","attributes":{"name":%q,"created_at":"2026-01-01T00:00:00Z"}}}`, in.Name)
	case r.Method == http.MethodGet && r.URL.Path == "/api/v2/llm-obs/v1/p-1/datasets" && r.URL.Query().Get("page[cursor]") == "":
		fmt.Fprint(w, `{"data":[{"id":"d-0","type":"datasets","attributes":{"name":"failures of before"}}],"meta":{"after":"2"}}`)
	case r.Method == http.MethodGet && r.URL.Path == "/api/v2/llm-obs/v1/p-1/datasets":
		var list []string
		for _, name := range a.datasets {
			list = append(list, fmt.Sprintf(`{"id":"d-1","type":"datasets","attributes":{"name":%q}}`, name))
		}
		fmt.Fprintf(w, `{"data":[%s],"meta":{"after":null}}`, strings.Join(list, ","))
	case r.Method == http.MethodPost && r.URL.Path == "/api/v2/llm-obs/v1/p-1/datasets" && body.Data.Type == "datasets":
		a.datasets = append(a.datasets, in.Name)
		fmt.Fprintf(w, `{"data":{"id":"d-1","type":"datasets","attributes":{"name":%q}}}`, in.Name)
	case r.Method == http.MethodPost && r.URL.Path == "/api/v2/llm-obs/v1/p-1/datasets/d-1/records" && body.Data.Type == "records" && in.Deduplicate:
		var made []string
		for _, record := range in.Records {
			if !a.records[string(record)] {
				a.records[string(record)] = true
				made = append(made, fmt.Sprintf(`{"id":"r-%d","dataset_id":"d-1"}`, len(a.records)))
			}
		}
		fmt.Fprintf(w, `{"data":[{"records":[%s]}]}`, strings.Join(made, ","))
	default:
		a.t.Errorf("unexpected %s %s %+v", r.Method, r.URL, body)
		w.WriteHeader(http.StatusNotFound)
	}
}

func newDatasetAPI(t *testing.T) (*datasetAPI, *Client) {
	t.Helper()
	a := &datasetAPI{t: t, records: map[string]bool{}}
	access := Access{APIKey: secret.String("api"), AppKey: secret.String("app"), Site: "datadoghq.eu", URL: "https://api.datadoghq.eu"}
	return a, NewClient(access, a, nil)
}

func records(n int) []Record {
	out := make([]Record, n)
	for i := range out {
		out[i] = Record{Input: map[string]int{"input": i}, Metadata: map[string]any{"case_id": fmt.Sprint(i)}}
	}
	return out
}

// push is what the command does.
func push(t *testing.T, c *Client, records []Record) (created bool, taken, listed int, err error) {
	t.Helper()
	d, err := c.OpenDataset(t.Context(), "support", "failures")
	if err != nil {
		return false, 0, 0, err
	}
	done, err := d.Append(t.Context(), all(records))
	return d.Created, done.Taken, done.Listed, err
}

// all returns records as a sequence without an error.
func all(records []Record) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// TestRefusedRecord: a record that Datadog does not take keeps no other one back, and many
// of them end the push.
func TestRefusedRecord(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		bad   []int // records that are refused
		taken int
		err   string
	}{
		"one":                  {[]int{0}, maxRecords + 9, ""},
		"one in each request":  {[]int{77, maxRecords + 9}, maxRecords + 8, ""},
		"one less than enough": {[]int{1, 2, 3, 4, 5, 6, 7, 8, 9}, maxRecords + 1, ""},
		"all":                  {nil, 0, "10 records are refused, so the fault is hardly in one of them; the last time: "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, c := newDatasetAPI(t)
			a.before = func(_ int, r *http.Request) (int, http.Header) {
				if !strings.HasSuffix(r.URL.Path, "/records") {
					return 0, nil
				}
				body, err := io.ReadAll(r.Body)
				if err != nil {
					t.Error(err)
				}
				r.Body = io.NopCloser(bytes.NewReader(body))
				refused := tt.bad == nil || slices.ContainsFunc(tt.bad, func(i int) bool {
					return bytes.Contains(body, fmt.Appendf(nil, `"case_id":"%d"`, i))
				})
				if refused {
					return http.StatusBadRequest, nil
				}
				return 0, nil
			}
			d, err := c.OpenDataset(t.Context(), "support", "failures")
			if err != nil {
				t.Fatal(err)
			}
			done, err := d.Append(t.Context(), all(records(maxRecords+10)))
			if done.Taken != tt.taken || (err == nil) != (tt.err == "") || err != nil && !strings.HasPrefix(err.Error(), tt.err) {
				t.Errorf("%d taken, %v", done.Taken, err)
			}
			for i, r := range done.Refused {
				if tt.bad != nil && !bytes.Contains(r.Record, fmt.Appendf(nil, `"case_id":"%d"`, tt.bad[i])) || statusOf(r.Err) != http.StatusBadRequest {
					t.Errorf("refused: %s, %v", r.Record, r.Err)
				}
			}
			if want := len(tt.bad); want > 0 && len(done.Refused) != want {
				t.Errorf("%d refused, want %d", len(done.Refused), want)
			}
		})
	}
}

// TestPushTwice: the first push makes the dataset, the second one stores nothing new, and
// one more case is one more record.
func TestPushTwice(t *testing.T) {
	t.Parallel()
	a, c := newDatasetAPI(t)
	for i, step := range []struct {
		records, stored int
		created         bool
	}{{maxRecords + 2, maxRecords + 2, true}, {maxRecords + 2, 0, false}, {maxRecords + 3, 1, false}} {
		created, taken, listed, err := push(t, c, records(step.records))
		if err != nil || created != step.created || taken != step.records || listed != step.stored {
			t.Errorf("push %d: created %t, %d taken, %d stored, %v", i+1, created, taken, listed, err)
		}
	}
	first := []string{
		"POST /api/v2/llm-obs/v1/projects", "GET /api/v2/llm-obs/v1/p-1/datasets", "GET /api/v2/llm-obs/v1/p-1/datasets", "POST /api/v2/llm-obs/v1/p-1/datasets",
		"POST /api/v2/llm-obs/v1/p-1/datasets/d-1/records", "POST /api/v2/llm-obs/v1/p-1/datasets/d-1/records",
	}
	if diff := cmp.Diff(first, a.calls[:len(first)]); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	if len(a.records) != maxRecords+3 || a.project != "support" || !cmp.Equal(a.datasets, []string{"failures"}) {
		t.Errorf("%d records, project %q, datasets %q", len(a.records), a.project, a.datasets)
	}
}

// TestAppendBounds: a request stays below 2 MiB, except that a record is never cut.
func TestAppendBounds(t *testing.T) {
	t.Parallel()
	a, c := newDatasetAPI(t)
	var sizes []int64
	a.before = func(_ int, r *http.Request) (int, http.Header) {
		if strings.HasSuffix(r.URL.Path, "/records") {
			sizes = append(sizes, r.ContentLength)
		}
		return 0, nil
	}
	large := Record{Input: strings.Repeat("x", 3<<20)}
	half := Record{Input: strings.Repeat("y", maxRecordsBytes/2)}
	if _, taken, _, err := push(t, c, []Record{half, large, half}); err != nil || taken != 3 {
		t.Fatalf("%d taken, %v", taken, err)
	}
	if len(sizes) != 3 {
		t.Errorf("requests of %v bytes", sizes)
	}
}

// TestAppendHoldsOneRequest: records are sent as they come, and an error of theirs ends it.
func TestAppendHoldsOneRequest(t *testing.T) {
	t.Parallel()
	a, c := newDatasetAPI(t)
	d, err := c.OpenDataset(t.Context(), "support", "failures")
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the store is gone")
	done, err := d.Append(t.Context(), func(yield func(Record, error) bool) {
		for i, r := range records(3 * maxRecords) {
			if held := i - len(a.records); held > maxRecords {
				t.Fatalf("%d records are held", held)
			}
			if !yield(r, nil) {
				return
			}
		}
		yield(Record{}, broken)
	})
	if !errors.Is(err, broken) || done.Taken != 2*maxRecords || len(a.records) != 2*maxRecords {
		t.Errorf("%d taken, %d stored, %v", done.Taken, len(a.records), err)
	}
}

// TestPushFails: what Datadog refuses ends the push with what mends it; limits and errors
// of the server are waited for; and after half a push the next one stores the rest.
func TestPushFails(t *testing.T) {
	t.Parallel()
	always := func(status int) func(int, *http.Request) (int, http.Header) {
		return func(int, *http.Request) (int, http.Header) { return status, nil }
	}
	second := 0
	for name, tt := range map[string]struct {
		before func(n int, r *http.Request) (int, http.Header)
		taken  int
		err    string // empty: none
		after  int    // records in Datadog after one more push without errors
	}{
		"forbidden":                    {always(http.StatusForbidden), 0, "does not take DD_API_KEY with DD_APP_KEY", 700},
		"limited for good":             {always(http.StatusTooManyRequests), 0, "try again in a minute", 700},
		"server fails for good":        {always(http.StatusBadGateway), 0, "502 Bad Gateway", 700},
		"limited once, with its reset": {once(http.StatusTooManyRequests, http.Header{"X-Ratelimit-Reset": {"7"}}), 700, "", 700},
		"server fails once":            {once(http.StatusInternalServerError, nil), 700, "", 700},
		"too large as a whole": {func() func(int, *http.Request) (int, http.Header) {
			twice := 0
			return func(_ int, r *http.Request) (int, http.Header) {
				if twice++; strings.HasSuffix(r.URL.Path, "/records") && twice < 7 { // after four calls that open the dataset
					return http.StatusRequestEntityTooLarge, nil
				}
				return 0, nil
			}
		}(), 700, "", 700},
		"half a push": {func(_ int, r *http.Request) (int, http.Header) {
			if strings.HasSuffix(r.URL.Path, "/records") {
				if second++; second == 2 {
					return http.StatusConflict, nil
				}
			}
			return 0, nil
		}, maxRecords, "as the test wants it", 700},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a, c := newDatasetAPI(t)
				a.before = tt.before
				_, taken, _, err := push(t, c, records(700))
				if taken != tt.taken || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%d taken, %v; want %d and %q", taken, err, tt.taken, tt.err)
				}
				a.before = nil
				if _, taken, listed, err := push(t, c, records(700)); err != nil || taken != 700 || listed != 700-tt.taken || len(a.records) != tt.after {
					t.Errorf("again: %d taken, %d stored, %d in all, %v", taken, listed, len(a.records), err)
				}
			})
		})
	}
}

// once answers the first call for records with a status.
func once(status int, header http.Header) func(int, *http.Request) (int, http.Header) {
	done := false
	return func(_ int, r *http.Request) (int, http.Header) {
		if done || !strings.HasSuffix(r.URL.Path, "/records") {
			return 0, nil
		}
		done = true
		return status, header
	}
}

// TestCheckEnabled: operations have to be enabled by name, and the fault is a line to copy.
func TestCheckEnabled(t *testing.T) {
	t.Parallel()
	all := DatasetOperations()
	if fs := CheckEnabled(all, "--enable"); len(fs) != 0 {
		t.Errorf("faults: %v", fs)
	}
	fs := CheckEnabled(all[:1], "--enable")
	if len(fs) != 1 || fs[0].Path != "--enable" || !strings.HasSuffix(fs[0].Expected, "--enable "+strings.Join(all[1:], ",")) {
		t.Errorf("faults: %+v", fs)
	}
	if fs := CheckEnabled(append(all, "v2.CreateLLMObsRecords"), "--enable"); len(fs) != 1 || !strings.Contains(fs[0].Expected, "v2.CreateLLMObs") {
		t.Errorf("faults: %+v", fs)
	}
}
