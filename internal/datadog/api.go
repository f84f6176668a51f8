package datadog

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	api "github.com/DataDog/datadog-api-client-go/v2/api/datadog"

	"github.com/evalworker/evalworker/internal/base/backoff"
	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/secret"
	"github.com/evalworker/evalworker/internal/datadog/site"
)

// Environment variables with which the API is reached. Keys have no flags, because
// other users of a machine see the flags of a process.
const (
	EnvAPIKey = "DD_API_KEY"
	EnvAppKey = "DD_APP_KEY"
	EnvSite   = site.Variable
	EnvHost   = "DD_HOST" // URL of the API in place of the site's, as for Datadog's Terraform provider
)

// Access says where the API is and who asks.
type Access struct {
	APIKey, AppKey secret.String
	Site           string // such as datadoghq.eu
	URL            string // of the API, without a slash at its end
}

// AccessFrom reads the environment. The error is of type fault.List and names every
// variable that is missing or wrong.
func AccessFrom(getenv func(string) string) (Access, error) {
	var faults fault.List
	key := func(name, what string) secret.String {
		value := strings.TrimSpace(getenv(name))
		switch {
		case value == "":
			faults.Add(name, "not set", "want "+what+", from Organization Settings in Datadog")
		case strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }):
			faults.Add(name, "holds characters that no key has", "want the key alone")
		}
		return secret.String(value)
	}
	a := Access{APIKey: key(EnvAPIKey, "an API key"), AppKey: key(EnvAppKey, "an application key")}
	var ok bool
	if a.Site, ok = site.Of(getenv(EnvSite)); !ok {
		faults.Add(EnvSite, fmt.Sprintf("%q is no site", a.Site), site.Want+"; "+EnvHost+" is for the URL of anything else")
	}
	a.URL = "https://api." + a.Site
	if host := strings.TrimRight(getenv(EnvHost), "/"); host != "" {
		u, err := url.Parse(host)
		switch {
		case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "":
			faults.Add(EnvHost, "no URL of an API", "want a URL such as https://api.datadoghq.eu")
		case u.Scheme != "https" && (u.Scheme != "http" || !secret.Loopback(u.Hostname())):
			faults.Add(EnvHost, fmt.Sprintf("keys would travel to %s without encryption", u.Host), "want https://")
		}
		a.URL = host
	}
	return a, faults.Err()
}

// Bounds of one call.
const (
	requestTimeout = 30 * time.Second
	maxAttempts    = 4
	maxPause       = 65 * time.Second // limits of requests begin anew each minute at the latest
	maxResponse    = 32 << 20
)

// Client calls Datadog's API. It is safe for concurrent use.
type Client struct {
	access Access
	client *api.APIClient
	pauses backoff.Backoff
	notice func(string)
}

// NewClient returns a client. A nil transport is that of the standard library; notice, if
// it is not nil, is told in one line why a call waits.
func NewClient(access Access, transport http.RoundTripper, notice func(string)) *Client {
	cfg := api.NewConfiguration()
	cfg.UserAgent = "evalworker"
	cfg.RetryConfiguration.EnableRetry = false // Do repeats only what does no harm twice
	cfg.HTTPClient = &http.Client{
		Transport: transport, Timeout: requestTimeout,
		// The keys are headers that Go would send on to whatever host a redirect names.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if notice == nil {
		notice = func(string) {}
	}
	return &Client{access, api.NewAPIClient(cfg), backoff.Backoff{Min: time.Second, Max: 8 * time.Second}, notice}
}

// Site returns where the client calls: the site, or the URL that stands in its place.
func (c *Client) Site() string {
	if c.access.URL == "https://api."+c.access.Site {
		return c.access.Site
	}
	return c.access.URL
}

// Request is one call.
type Request struct {
	Method, Path string
	Query        url.Values
	Body         []byte // JSON, which is sent as it is; nil: none
	// Repeatable says that a POST does nothing more when it is sent twice. It is then sent
	// again after an error of the server; GET, PUT and DELETE always are.
	Repeatable bool
	// Needs is the permission of the application key without which the call is refused.
	Needs string
}

// Error is the answer to a call that Datadog refused.
type Error struct {
	Request Request
	Site    string
	Status  int
	Details []string // what Datadog says
}

// Error returns the call, the status and what mends it.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %d %s", e.Request.Method, e.Request.Path, e.Status, http.StatusText(e.Status))
	if len(e.Details) > 0 {
		b.WriteString(": " + strings.Join(e.Details, "; "))
	}
	switch {
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden && e.Request.Needs == "":
		fmt.Fprintf(&b, "; %s does not take %s with %s: both have to be keys of one organisation there, and %s says which site that is", e.Site, EnvAPIKey, EnvAppKey, EnvSite)
	case e.Status == http.StatusForbidden:
		fmt.Fprintf(&b, "; the application key in %s needs the permission %s, and both keys have to be of %s (%s)", EnvAppKey, e.Request.Needs, e.Site, EnvSite)
	case e.Status == http.StatusTooManyRequests:
		b.WriteString("; Datadog limits requests: try again in a minute")
	case e.Status >= http.StatusInternalServerError || e.Status < 300:
		b.WriteString(e.Request.doubt())
	case e.Status >= 300 && e.Status < 400:
		fmt.Fprintf(&b, "; %s sends to another address, where keys are not taken: is %s right?", e.Site, EnvSite)
	}
	return b.String()
}

func (r Request) again() bool { return r.Method != http.MethodPost || r.Repeatable }

// Do makes a call and decodes the answer into out, unless that is nil. It waits while
// Datadog limits requests, and repeats what the server or the network failed at, a few
// times and within two or three minutes. What Datadog refuses is an error of type *Error.
func (c *Client) Do(ctx context.Context, r Request, out any) error {
	for attempt := 1; ; attempt++ {
		status, header, body, err := c.once(ctx, r)
		if err == nil && status < 300 {
			return c.decode(r, status, body, out)
		}
		pause, why := c.pauses.Delay(attempt), "does not answer"
		again := r.again()
		if err == nil {
			switch {
			case status == http.StatusTooManyRequests:
				pause, why, again = resetOf(header, pause), "limits requests", true
			case status >= http.StatusInternalServerError:
				why = fmt.Sprintf("answers %d", status)
			default:
				again = false
			}
			err = &Error{Request: r, Site: c.Site(), Status: status, Details: details(body)}
		} else {
			err = fmt.Errorf("%s %s: %w%s", r.Method, r.Path, bare(err), r.doubt())
		}
		if !again || attempt == maxAttempts || pause > maxPause || ctx.Err() != nil {
			return err
		}
		c.notice(fmt.Sprintf("%s %s: trying again in %v", c.Site(), why, pause.Round(time.Second)))
		if !backoff.Wait(ctx, pause) {
			return errors.Join(context.Cause(ctx), err)
		}
	}
}

// doubt returns what to say of a failed call that may have had its effect.
func (r Request) doubt() string {
	if r.again() {
		return ""
	}
	return "; it may have been done all the same"
}

// decode decodes the answer to a call that was not refused. An answer that says nothing, or
// tells of errors, is no success whatever its status: a list that is missing would look
// like one without objects, and all of them would be made once more.
func (c *Client) decode(r Request, status int, body []byte, out any) error {
	if bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
		if said := details(body); len(said) > 0 {
			return &Error{Request: r, Site: c.Site(), Status: status, Details: said}
		}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("%s %s: the answer is not what was expected: %w%s", r.Method, r.Path, err, r.doubt())
	}
	return nil
}

// once sends a request once.
func (c *Client) once(ctx context.Context, r Request) (status int, header http.Header, body []byte, err error) {
	headers := map[string]string{"Accept": "application/json"}
	ctx = context.WithValue(ctx, api.ContextAPIKeys, map[string]api.APIKey{
		"apiKeyAuth": {Key: c.access.APIKey.Reveal()}, "appKeyAuth": {Key: c.access.AppKey.Reveal()},
	})
	api.SetAuthKeys(ctx, &headers, [2]string{"apiKeyAuth", "DD-API-KEY"}, [2]string{"appKeyAuth", "DD-APPLICATION-KEY"})
	var payload any // a nil []byte in it would count as a body
	if r.Body != nil {
		headers["Content-Type"] = "application/json"
		payload = r.Body
	}
	req, err := c.client.PrepareRequest(ctx, c.access.URL+r.Path, r.Method, payload, headers, r.Query, nil, nil)
	if err != nil {
		return 0, nil, nil, err
	}
	resp, err := c.client.CallAPI(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxResponse+1))
	if err == nil && len(body) > maxResponse {
		err = fmt.Errorf("the answer is longer than %d MiB", maxResponse>>20)
	}
	return resp.StatusCode, resp.Header, body, err
}

// bare returns the part of an error that does not repeat the address.
func bare(err error) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		return u.Err
	}
	return err
}

// resetOf returns after how long a limit of requests begins anew, or pause when the
// answer does not say.
func resetOf(header http.Header, pause time.Duration) time.Duration {
	seconds, err := strconv.ParseFloat(header.Get("X-Ratelimit-Reset"), 64)
	if err != nil || seconds < 0 || seconds > 1e6 {
		return pause
	}
	return max(time.Duration(seconds*float64(time.Second)), time.Second)
}

// details returns what the body of an error says, in any of the forms that the API has.
func details(body []byte) []string {
	var form struct {
		Errors []json.RawMessage `json:"errors"`
		Error  string            `json:"error"`
	}
	if json.Unmarshal(body, &form) != nil {
		text, _, _ := bytes.Cut(bytes.TrimSpace(body), []byte("\n"))
		if len(text) == 0 || text[0] == '<' { // the page of a proxy
			return nil
		}
		return []string{clip(string(text))}
	}
	var out []string
	for _, raw := range form.Errors {
		var text string
		var object struct{ Title, Detail string }
		if json.Unmarshal(raw, &text) != nil && json.Unmarshal(raw, &object) == nil {
			text = cmp.Or(object.Detail, object.Title)
		}
		if text != "" {
			out = append(out, clip(text))
		}
	}
	if form.Error != "" {
		out = append(out, clip(form.Error))
	}
	return out
}

// clip bounds a text of a server, and keeps it on one line.
func clip(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > 400 {
		return string(runes[:400]) + "..."
	}
	return s
}
