package datadog

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Tags by which a monitor is found again, and the mark of a dashboard, whose tags may
// only name teams.
const (
	tagManaged = "managed_by:evalworker"
	tagID      = "evalworker_id:"
	tagEnv     = "env:"
)

// Bounds of listing.
const (
	pageSize = 100
	maxPages = 500
)

const (
	monitorPath   = "/api/v1/monitor"
	dashboardPath = "/api/v1/dashboard"
)

// remote is a monitor or dashboard as Datadog has it.
type remote struct {
	kind  Kind
	id    string // Datadog's
	name  string // the value of its evalworker_id
	title string
	made  string         // what sorts by the time when it was made
	body  map[string]any // nil: not read yet
}

// permission returns what the application key needs to read or to write a kind.
func (k Kind) permission(write bool) string {
	if write {
		return k.Folder() + "_write"
	}
	return k.Folder() + "_read"
}

func (k Kind) path() string {
	if k == Dashboard {
		return dashboardPath
	}
	return monitorPath
}

// errNoList stops what would otherwise make all objects once more.
var errNoList = errors.New("datadog: the answer has no list")

// pages calls read with each page of a list until one is not full.
func pages(read func(page int) (size int, err error)) error {
	for page := range maxPages {
		if n, err := read(page); err != nil || n < pageSize {
			return err
		}
	}
	return fmt.Errorf("Datadog lists more than %d objects", maxPages*pageSize) //nolint:staticcheck // a name
}

// listMonitors returns the monitors that answer a query of the list.
func (c *Client) listMonitors(ctx context.Context, key, value string) ([]map[string]any, error) {
	var all []map[string]any
	seen := map[string]bool{}
	err := pages(func(page int) (int, error) {
		query := url.Values{key: {value}, "page": {strconv.Itoa(page)}, "page_size": {strconv.Itoa(pageSize)}}
		var found []json.RawMessage
		if err := c.Do(ctx, Request{Method: http.MethodGet, Path: monitorPath, Query: query, Needs: Monitor.permission(false)}, &found); err != nil {
			return 0, err
		}
		if found == nil {
			return 0, errNoList
		}
		for _, raw := range found {
			m, err := decode(raw)
			if err != nil {
				return 0, fmt.Errorf("list monitors: %w", err)
			}
			if id := fmt.Sprint(m["id"]); !seen[id] { // one that was made meanwhile moves others to the next page
				seen[id] = true
				all = append(all, m)
			}
		}
		return len(found), nil
	})
	return all, err
}

// managedMonitors returns the monitors that this program has made for an environment,
// oldest first.
func (c *Client) managedMonitors(ctx context.Context, env string) ([]remote, error) {
	all, err := c.listMonitors(ctx, "monitor_tags", tagManaged)
	if err != nil {
		return nil, err
	}
	var out []remote
	for _, m := range all {
		tags := tagsOf(m)
		if !slices.Contains(tags, tagManaged) || !slices.Contains(tags, tagEnv+strings.ToLower(env)) {
			continue
		}
		for _, t := range tags {
			if name, ok := strings.CutPrefix(t, tagID); ok {
				id := fmt.Sprint(m["id"])
				out = append(out, remote{Monitor, id, name, text(m["name"]), fmt.Sprintf("%20s", id), m})
				break
			}
		}
	}
	sortRemotes(out)
	return out, nil
}

// strangers returns the ids of monitors that this program has not made, by their name.
func (c *Client) strangers(ctx context.Context) (map[string]string, error) {
	all, err := c.listMonitors(ctx, "name", strings.TrimSpace(namePrefix))
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, m := range all {
		if !slices.Contains(tagsOf(m), tagManaged) {
			out[text(m["name"])] = fmt.Sprint(m["id"])
		}
	}
	return out, nil
}

// managedDashboards returns the dashboards whose description ends with the mark, oldest
// first. Their bodies are not read.
func (c *Client) managedDashboards(ctx context.Context) ([]remote, error) {
	var out []remote
	err := pages(func(page int) (int, error) {
		query := url.Values{"count": {strconv.Itoa(pageSize)}, "start": {strconv.Itoa(page * pageSize)}}
		var answer struct {
			Dashboards []struct {
				ID          string `json:"id"`
				Title       string `json:"title"`
				Description string `json:"description"`
				CreatedAt   string `json:"created_at"`
			} `json:"dashboards"`
		}
		if err := c.Do(ctx, Request{Method: http.MethodGet, Path: dashboardPath, Query: query, Needs: Dashboard.permission(false)}, &answer); err != nil {
			return 0, err
		}
		if answer.Dashboards == nil {
			return 0, errNoList
		}
		for _, d := range answer.Dashboards {
			known := slices.ContainsFunc(out, func(r remote) bool { return r.id == d.ID })
			if name := markOf(d.Description); name != "" && !known {
				out = append(out, remote{Dashboard, d.ID, name, d.Title, d.CreatedAt + d.ID, nil})
			}
		}
		return len(answer.Dashboards), nil
	})
	sortRemotes(out)
	return out, err
}

// read fetches the body of a dashboard.
func (c *Client) read(ctx context.Context, r *remote) error {
	if r.body != nil {
		return nil
	}
	var raw json.RawMessage
	err := c.Do(ctx, Request{Method: http.MethodGet, Path: r.kind.path() + "/" + url.PathEscape(r.id), Needs: r.kind.permission(false)}, &raw)
	if err != nil {
		return err
	}
	r.body, err = decode(raw)
	return err
}

func sortRemotes(all []remote) {
	slices.SortFunc(all, func(a, b remote) int { return cmp.Compare(a.made, b.made) })
}

// markOf returns the name in the last line of a dashboard's description; empty when it
// has none.
func markOf(description string) string {
	description = strings.TrimSpace(description)
	last := strings.TrimSpace(description[strings.LastIndexByte(description, '\n')+1:])
	name, ok := strings.CutPrefix(last, tagID)
	if !ok || strings.ContainsAny(name, " \t") {
		return ""
	}
	return name
}

func tagsOf(body map[string]any) []string {
	list, _ := body["tags"].([]any)
	out := make([]string, 0, len(list))
	for _, t := range list {
		out = append(out, strings.ToLower(text(t)))
	}
	return out
}
