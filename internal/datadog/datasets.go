package datadog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"

	api "github.com/DataDog/datadog-api-client-go/v2/api/datadog"

	"github.com/evalworker/evalworker/internal/base/fault"
)

// The operations of a dataset, by the names of Datadog's client.
const (
	opCreateProject = "v2.CreateLLMObsProject"
	opListDatasets  = "v2.ListLLMObsDatasets"
	opCreateDataset = "v2.CreateLLMObsDataset"
	opCreateRecords = "v2.CreateLLMObsDatasetRecords"
)

// DatasetOperations returns the names of the operations that a push needs.
func DatasetOperations() []string {
	return []string{opCreateProject, opListDatasets, opCreateDataset, opCreateRecords}
}

// CheckEnabled returns a fault for operations that Datadog's client calls unstable and
// that nobody has enabled by name, and for names that are none. flag is where names are
// given. An operation that becomes stable needs no name any more.
func CheckEnabled(enabled []string, flag string) fault.List {
	var fs fault.List
	cfg := api.NewConfiguration()
	for _, name := range enabled {
		if !slices.Contains(DatasetOperations(), name) {
			fs.Add(flag, fmt.Sprintf("unknown operation %q", name), fault.Suggest(name, DatasetOperations(), ""))
		}
	}
	missing := slices.DeleteFunc(DatasetOperations(), func(name string) bool {
		return slices.Contains(enabled, name) || !cfg.IsUnstableOperation(name)
	})
	if len(missing) > 0 {
		fs.Add(flag, "Datadog calls these operations unstable, and may change them without notice: "+strings.Join(missing, ", "),
			"enable them by name: "+flag+" "+strings.Join(missing, ","))
	}
	return fs
}

// Record is one record of a dataset. Datadog leaves out a record that the dataset has
// already, so it holds nothing that changes while the case stays the same.
type Record struct {
	Input          any             `json:"input"`
	ExpectedOutput json.RawMessage `json:"expected_output,omitempty"`
	Metadata       map[string]any  `json:"metadata,omitempty"`
}

// Dataset is a dataset of LLM Observability in a project.
type Dataset struct {
	client      *Client
	project, id string
	// Created says that there was none with its name.
	Created bool
}

// resource is an object of the API: one with an id in answers, and without in requests.
type resource struct {
	ID         string     `json:"id,omitempty"`
	Type       string     `json:"type"`
	Attributes attributes `json:"attributes"`
}

type attributes struct {
	Name        string `json:"name,omitempty"`
	Description string `json:"description,omitempty"`

	Deduplicate bool              `json:"deduplicate,omitempty"`
	Records     []json.RawMessage `json:"records,omitempty"`
}

type document struct {
	Data resource `json:"data"`
}

const projectsPath = "/api/v2/llm-obs/v1/projects"

var errNoID = errors.New("datadog: the answer has no id")

// OpenDataset returns the dataset with a name in a project, and makes what is missing.
func (c *Client) OpenDataset(ctx context.Context, project, name string) (*Dataset, error) {
	// Datadog returns the project of that name if there is one.
	p, err := c.create(ctx, projectsPath, resource{Type: "projects", Attributes: attributes{Name: project}}, true)
	if err != nil {
		return nil, fmt.Errorf("project %s: %w", project, err)
	}
	d := &Dataset{client: c, project: p}
	if d.id, err = c.findDataset(ctx, p, name); err != nil {
		return nil, fmt.Errorf("datasets of project %s: %w", project, err)
	}
	if d.id == "" {
		d.Created = true
		d.id, err = c.create(ctx, datasetsPath(p), resource{
			Type: "datasets", Attributes: attributes{Name: name, Description: "Failing requests that evalworker has kept as cases."},
		}, false)
		if err != nil {
			return nil, fmt.Errorf("dataset %s: %w", name, err)
		}
	}
	return d, nil
}

func datasetsPath(project string) string {
	return "/api/v2/llm-obs/v1/" + url.PathEscape(project) + "/datasets"
}

// create makes an object and returns its id.
func (c *Client) create(ctx context.Context, path string, r resource, repeatable bool) (string, error) {
	body, err := json.Marshal(document{r})
	if err != nil {
		return "", err
	}
	var made document
	if err := c.Do(ctx, Request{Method: http.MethodPost, Path: path, Body: body, Repeatable: repeatable}, &made); err != nil {
		return "", err
	}
	if made.Data.ID == "" {
		return "", errNoID
	}
	return made.Data.ID, nil
}

// findDataset returns the id of the dataset with a name; empty when there is none. Of
// several the oldest counts, which is the last of the list.
func (c *Client) findDataset(ctx context.Context, project, name string) (id string, err error) {
	query := url.Values{"filter[name]": {name}}
	for range maxPages {
		var page struct {
			Data []resource `json:"data"`
			Meta struct {
				After string `json:"after"`
			} `json:"meta"`
		}
		if err := c.Do(ctx, Request{Method: http.MethodGet, Path: datasetsPath(project), Query: query}, &page); err != nil {
			return "", err
		}
		if page.Data == nil {
			return "", errNoList
		}
		for _, d := range page.Data {
			if d.Attributes.Name == name { // the filter may find more
				id = cmp.Or(d.ID, id)
			}
		}
		if page.Meta.After == "" {
			return id, nil
		}
		query.Set("page[cursor]", page.Meta.After)
	}
	return "", fmt.Errorf("more than %d pages have this name in theirs", maxPages)
}

// Bounds of one request with records. Datadog documents none.
const (
	maxRecords      = 500
	maxRecordsBytes = 2 << 20
)

// Appended is what became of records.
type Appended struct {
	Taken   int // by Datadog
	Listed  int // of these, those that its answers list as changed
	Refused []Refusal
}

// Refusal is a record that Datadog does not take, whatever is sent with it.
type Refusal struct {
	Record json.RawMessage
	Err    error
}

// maxRefusals is how many records may be refused before the fault is looked for elsewhere.
const maxRefusals = 10

// Append sends records, in requests within bounds, and holds those of one request at a
// time. What is refused as a whole is sent in halves, so that a record which Datadog does
// not take keeps no other one back; [maxRefusals] of them end it. So does the first error
// of another kind, of records or of a request; the same call again stores the rest, because
// Datadog leaves out what is there.
func (d *Dataset) Append(ctx context.Context, records iter.Seq2[Record, error]) (Appended, error) {
	var done Appended
	var batch []json.RawMessage
	size := 0
	for r, err := range records {
		if err != nil {
			return done, err
		}
		raw, err := json.Marshal(r)
		if err != nil {
			return done, fmt.Errorf("record: %w", err)
		}
		if len(batch) == maxRecords || len(batch) > 0 && size+len(raw) > maxRecordsBytes {
			if err := d.append(ctx, batch, &done); err != nil {
				return done, err
			}
			batch, size = nil, 0
		}
		batch, size = append(batch, raw), size+len(raw)
	}
	if len(batch) == 0 {
		return done, nil
	}
	return done, d.append(ctx, batch, &done)
}

// append sends one request, and what is refused as a whole in halves.
func (d *Dataset) append(ctx context.Context, batch []json.RawMessage, done *Appended) error {
	listed, err := d.appendTogether(ctx, batch)
	switch status := statusOf(err); {
	case err == nil:
		done.Taken, done.Listed = done.Taken+len(batch), done.Listed+listed
		return nil
	case status != http.StatusRequestEntityTooLarge && status != http.StatusBadRequest && status != http.StatusUnprocessableEntity:
		return err
	case len(batch) == 1:
		done.Refused = append(done.Refused, Refusal{batch[0], err})
		if len(done.Refused) == maxRefusals {
			return fmt.Errorf("%d records are refused, so the fault is hardly in one of them; the last time: %w", maxRefusals, err)
		}
		return nil
	}
	half := len(batch) / 2
	if err := d.append(ctx, batch[:half], done); err != nil {
		return err
	}
	return d.append(ctx, batch[half:], done)
}

func (d *Dataset) appendTogether(ctx context.Context, batch []json.RawMessage) (listed int, err error) {
	body, err := json.Marshal(document{resource{Type: "records", Attributes: attributes{Deduplicate: true, Records: batch}}})
	if err != nil {
		return 0, err
	}
	var answer struct {
		Data []struct {
			Records []json.RawMessage `json:"records"`
		} `json:"data"`
	}
	err = d.client.Do(ctx, Request{
		Method: http.MethodPost, Path: datasetsPath(d.project) + "/" + url.PathEscape(d.id) + "/records", Body: body, Repeatable: true,
	}, &answer)
	for _, a := range answer.Data {
		listed += len(a.Records)
	}
	return listed, err
}
