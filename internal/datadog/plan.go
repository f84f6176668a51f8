package datadog

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// Action says what becomes of an object.
type Action string

// The actions.
const (
	Create Action = "create"
	Update Action = "update"
	Keep   Action = "keep"   // it is as it should be
	Orphan Action = "orphan" // made by this program, and no longer wanted
	Delete Action = "delete" // an orphan that is to go
	Copied Action = "copy"   // a copy that somebody made; never touched
)

// Change is one object of a plan.
type Change struct {
	Kind   Kind    `json:"kind"`
	Name   string  `json:"name"`
	Title  string  `json:"title"`
	Action Action  `json:"action"`
	ID     string  `json:"id,omitempty"` // Datadog's; empty before it is made
	Fields []Field `json:"fields,omitempty"`
	// Note says what a person should know.
	Note string `json:"note,omitempty"`
	Done bool   `json:"done,omitempty"` // Apply has done it

	body []byte
}

// Plan is what would change in one environment of an organisation.
type Plan struct {
	Env     string   `json:"env"`
	Site    string   `json:"site"`
	Changes []Change `json:"changes"`
	// PercentilesOff are metrics without percentiles, for which monitors and graphs ask:
	// these stay empty until they are turned on in Datadog.
	PercentilesOff []string `json:"percentiles_off,omitempty"`

	client *Client
}

// Compare returns the plan that makes Datadog have the objects. Objects are found by
// their name and, for monitors, by the environment; env is its name. With prune, what
// this program has made and no longer wants is to be deleted. Only kinds that are in
// kinds are looked at.
func Compare(ctx context.Context, c *Client, objects []Object, env string, kinds []Kind, prune bool) (*Plan, error) {
	p := &Plan{Env: env, Site: c.Site(), Changes: []Change{}, client: c}
	for _, kind := range kinds {
		var theirs []remote
		var err error
		if kind == Monitor {
			theirs, err = c.managedMonitors(ctx, env)
		} else {
			theirs, err = c.managedDashboards(ctx)
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", kind.Folder(), err)
		}
		ours := slices.DeleteFunc(slices.Clone(objects), func(o Object) bool { return o.Kind != kind })
		if err := p.match(ctx, ours, theirs, prune); err != nil {
			return nil, err
		}
	}
	if err := p.noteStrangers(ctx); err != nil {
		return nil, err
	}
	p.readPercentiles(ctx, objects)
	return p, nil
}

// match adds the changes of one kind.
func (p *Plan) match(ctx context.Context, ours []Object, theirs []remote, prune bool) error {
	found := map[string]*remote{}
	var rest []Change
	for i := range theirs {
		r := &theirs[i]
		c := Change{Kind: r.kind, Name: r.name, Title: r.title, Action: Orphan, ID: r.id}
		wanted := slices.ContainsFunc(ours, func(o Object) bool { return o.Name == r.name })
		switch first := found[r.name]; {
		case first != nil:
			c.Action, c.Note = Copied, "a copy of "+first.id+" with its tags: left alone"
			if r.kind == Dashboard {
				c.Note = "a copy of " + first.id + " with the last line of its description: left alone"
			}
			rest = append(rest, c)
			continue
		case wanted:
		case r.kind == Dashboard && slices.Contains(Names(Dashboard), r.name):
			c.Note = "left out here; a dashboard is that of all environments, so that another may want it: delete it in Datadog"
			rest = append(rest, c)
		case prune:
			c.Action = Delete
			rest = append(rest, c)
		default:
			c.Note = "made by evalworker and no longer wanted: --prune deletes it"
			rest = append(rest, c)
		}
		found[r.name] = r
	}
	for _, o := range ours {
		c := Change{Kind: o.Kind, Name: o.Name, Title: o.Title(), Action: Create, body: o.JSON()}
		if r := found[o.Name]; r != nil {
			if err := p.client.read(ctx, r); err != nil {
				return fmt.Errorf("read %s %s: %w", o.Kind, o.Name, err)
			}
			c.ID, c.Action, c.Fields = r.id, Keep, compare(o.Body, r.body)
			if len(c.Fields) > 0 {
				c.Action = Update
			}
		}
		p.Changes = append(p.Changes, c)
	}
	p.Changes = append(p.Changes, rest...)
	return nil
}

// noteStrangers says of new monitors that others have the same name.
func (p *Plan) noteStrangers(ctx context.Context) error {
	isNew := func(c Change) bool { return c.Kind == Monitor && c.Action == Create }
	if !slices.ContainsFunc(p.Changes, isNew) {
		return nil
	}
	others, err := p.client.strangers(ctx)
	if err != nil {
		return fmt.Errorf("read monitors: %w", err)
	}
	for i, c := range p.Changes {
		if id := others[c.Title]; isNew(c) && id != "" {
			p.Changes[i].Note = fmt.Sprintf("monitor %s has the same name and lacks the tag %s: it is not ours and left alone", id, tagManaged)
		}
	}
	return nil
}

// Count returns how many objects have an action.
func (p *Plan) Count(a Action) int {
	n := 0
	for _, c := range p.Changes {
		if c.Action == a {
			n++
		}
	}
	return n
}

// Differs reports whether Apply would change something.
func (p *Plan) Differs() bool { return p.Count(Create)+p.Count(Update)+p.Count(Delete) > 0 }

// Check has Datadog check the monitors that are new or change. The error names each one
// that is refused, and why.
func (p *Plan) Check(ctx context.Context) error {
	var refused []error
	for _, c := range p.Changes {
		if c.Kind != Monitor || c.Action != Create && c.Action != Update {
			continue
		}
		path := monitorPath
		if c.ID != "" {
			path += "/" + url.PathEscape(c.ID)
		}
		err := p.client.Do(ctx, Request{Method: http.MethodPost, Path: path + "/validate", Body: c.body, Repeatable: true, Needs: Monitor.permission(true)}, nil)
		if bad, ok := errors.AsType[*Error](err); ok && bad.Status == http.StatusBadRequest {
			refused = append(refused, fmt.Errorf("monitor %s: %s", c.Name, strings.Join(bad.Details, "; ")))
			continue
		}
		if err != nil {
			return fmt.Errorf("check monitor %s: %w", c.Name, err)
		}
	}
	if len(refused) == 0 {
		return nil
	}
	return fmt.Errorf("Datadog refuses what would be sent, so nothing is changed:\n%w", errors.Join(refused...)) //nolint:staticcheck // a name
}

// Apply does what the plan says, after Check. It calls done after each change. Its error
// says where it stopped; what is done stays, and a new plan holds the rest.
func (p *Plan) Apply(ctx context.Context, done func(Change)) error {
	if err := p.Check(ctx); err != nil {
		return err
	}
	count := 0
	for i := range p.Changes {
		c := &p.Changes[i]
		r := Request{Path: c.Kind.path(), Body: c.body, Needs: c.Kind.permission(true)}
		if c.ID != "" {
			r.Path += "/" + url.PathEscape(c.ID)
		}
		switch c.Action {
		case Create:
			r.Method = http.MethodPost
		case Update:
			r.Method = http.MethodPut
		case Delete:
			r.Method, r.Body = http.MethodDelete, nil
		default:
			continue
		}
		var made struct {
			ID any `json:"id"`
		}
		var out any
		if c.Action == Create {
			out = &made
		}
		err := p.client.Do(ctx, r, out)
		if err == nil && c.Action == Create && made.ID == nil {
			err = errNoID
		}
		if err != nil && (c.Action != Delete || statusOf(err) != http.StatusNotFound) {
			return fmt.Errorf("%s %s %s: %w; %d of %d changes are done, and the same command does the rest", c.Action, c.Kind, c.Name, err, count, p.Count(Create)+p.Count(Update)+p.Count(Delete))
		}
		if c.ID == "" {
			c.ID = idText(made.ID)
		}
		c.Done = true
		count++
		done(*c)
	}
	return nil
}

// statusOf returns the status with which Datadog refused a call; 0 for any other error.
func statusOf(err error) int {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Status
	}
	return 0
}

func idText(id any) string {
	if f, ok := id.(float64); ok {
		return fmt.Sprintf("%.0f", f)
	}
	return text(id)
}
