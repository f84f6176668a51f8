package model

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/evalworker/evalworker/eval"
	"github.com/evalworker/evalworker/internal/base/fault"
)

// Listing is what a server says of its models.
type Listing struct {
	Known bool // the server lists its models
	Found bool // this one is among them, or the server knows it by its name
	// Until is the day on which the server stops serving the model; zero: it says none.
	Until time.Time
	Names []string // of the models that it lists
}

const (
	maxListing    = 8 << 20 // bytes
	maxName       = 200     // bytes of a name that is shown to a person
	listTimeout   = 30 * time.Second
	pathOfListing = "/models"
)

// catalogue asks a server for its models.
type catalogue struct {
	http   *http.Client
	server string // base URL
	key    string
	model  string
	none   bool // the kind of server has no list
}

func (c *catalogue) host() string {
	u, err := url.Parse(c.server)
	if err != nil {
		return ""
	}
	return u.Host
}

func (c *catalogue) listing(ctx context.Context) Listing {
	if c.none {
		return Listing{}
	}
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	l := readListing(c.get(ctx, pathOfListing), c.model)
	if l.Found {
		return l
	}
	parts := strings.Split(c.model, "/")
	for i, p := range parts {
		parts[i] = url.PathEscape(p)
	}
	var one map[string]json.RawMessage
	if json.Unmarshal(c.get(ctx, pathOfListing+"/"+strings.Join(parts, "/")), &one) == nil && (text(one["id"]) != "" || text(one["name"]) != "") {
		l.Found, l.Until = true, shutdown(one)
	}
	return l
}

// get returns the body of a success, or nil. A failure is not a fault: a key may judge that
// may not list.
func (c *catalogue) get(ctx context.Context, path string) []byte {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.server+path, http.NoBody)
	if err != nil {
		return nil
	}
	if c.key != "" {
		req.Header.Set("Authorization", "Bearer "+c.key)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxListing))
	if err != nil || !succeeded(resp.StatusCode) {
		return nil
	}
	return body
}

// readListing reads a list of models: {"data":[..]}, {"models":[..]} or the list alone.
func readListing(body []byte, name string) Listing {
	var list []map[string]json.RawMessage
	if json.Unmarshal(body, &list) != nil {
		var wrapped struct {
			Data   []map[string]json.RawMessage `json:"data"`
			Models []map[string]json.RawMessage `json:"models"`
		}
		if json.Unmarshal(body, &wrapped) != nil {
			return Listing{}
		}
		list = slices.Concat(wrapped.Data, wrapped.Models)
	}
	l := Listing{Known: len(list) > 0}
	for _, m := range list {
		for _, id := range []string{text(m["id"]), text(m["name"])} {
			if id == "" || len(id) > maxName || strings.ContainsFunc(id, func(r rune) bool { return !unicode.IsPrint(r) }) {
				continue
			}
			l.Names = append(l.Names, id)
			if id == name || strings.TrimPrefix(id, "models/") == name {
				l.Found, l.Until = true, shutdown(m)
			}
		}
	}
	return l
}

// shutdown returns the day on which a model ends, under the names that OpenAI, Mistral,
// OpenRouter and others give it; the earliest counts.
func shutdown(m map[string]json.RawMessage) (earliest time.Time) {
	for _, name := range []string{
		"shutdown_date", "shutdown_at", "retirement_date", "expiration_date", "sunset_date", "end_of_life", "deprecation_date", "deprecation",
	} {
		if day := date(m[name]); !day.IsZero() && (earliest.IsZero() || day.Before(earliest)) {
			earliest = day
		}
	}
	return earliest
}

// date reads a day, a time or seconds since 1970; the zero time for anything else.
func date(raw json.RawMessage) time.Time {
	if seconds, err := strconv.ParseInt(string(raw), 10, 64); err == nil && seconds > 1e9 && seconds < 1e11 {
		return time.Unix(seconds, 0).UTC()
	}
	s := text(raw)
	for _, layout := range []string{time.DateOnly, time.RFC3339, time.DateTime, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// unavailableMend says what to do about a server that cannot be reached or does not work.
func unavailableMend(f failure) string {
	switch {
	case f.status != 0:
		return "the server answers, but not with a completion: look at it, or name another one"
	case f.class == className:
		return "want a name that can be resolved, or mend the DNS of this machine"
	case f.class == classEnded:
		return "want a server with a valid certificate: whoever runs it has to renew it, unless the clock of this machine is wrong"
	case f.class == classEarly:
		return "want a certificate that is valid today: look at the clocks of the server and of this machine"
	case f.class == classForName:
		return "want the name that the server's certificate is for"
	case f.class == classInvalid:
		return "want a server with a valid certificate"
	case f.class == classSigned:
		return "want a server whose authority this machine knows: add its certificate to the system's, or name the file in SSL_CERT_FILE"
	}
	return "want the address of a server that runs"
}

// FaultOf says which setting of a model to mend after a call that failed, relative to
// the model's entry.
func FaultOf(err error) fault.Fault {
	f := asFailure(err)
	key := f.mend
	f.mend = ""
	problem := f.Error()
	if problem == "" {
		problem = string(eval.ReasonOf(err))
	}
	path, expected := "", ""
	switch eval.ReasonOf(err) {
	case eval.ReasonAuth:
		path, expected = "key_file", "set key_file, api_key or "+envAPIKey+" to a key of this server that may use the model"
		if key == envAPIKey {
			expected = "set " + envAPIKey + ", whose key is in use, or key_file to a key of this server that may use the model"
		}
		problem = "the key is refused: " + problem
	case eval.ReasonQuota:
		path, expected = "key_file", "the account behind the key has no credit left: add some, or name another key"
		problem = "the quota is used up: " + problem
	case eval.ReasonUnavailable:
		path, expected = "base_url", unavailableMend(f)
	case eval.ReasonTimeout:
		path, expected = "timeout", "want a longer time, or a faster model"
	case eval.ReasonRateLimited:
		path, expected = "requests_per_minute", "try again later, or fewer calls"
	case eval.ReasonTruncated:
		path, expected = "max_tokens", "want more tokens, and reasoning: true for a model that thinks first"
	case eval.ReasonUnparsable:
		path, expected, problem = "model", "want a model that follows the answer format", "answers, but not in the form that judges read"
	case eval.ReasonBadRequest:
		path, expected = "model", "want settings that this server takes"
		if f.status == http.StatusNotFound {
			expected = "want a model that the server has, and base_url with its /v1"
		}
	case eval.ReasonLocal:
		path, expected = "concurrency", "want fewer calls at once, or a higher limit of this machine, such as that of open files (ulimit -n)"
	case eval.ReasonRefused, eval.ReasonContentFilter:
		path, expected = "model", "want a model that judges such content"
	case eval.ReasonBreakerOpen:
		path, expected = "base_url", "want the address of a server that runs"
	default:
		path, expected = "model", "want a model that answers"
	}
	if path == "key_file" && strings.HasSuffix(key, "api_key") {
		path = "api_key"
	}
	return fault.Fault{Path: path, Problem: problem, Expected: expected}
}
