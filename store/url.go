package store

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/regular"
	"github.com/evalworker/evalworker/internal/base/secret"
)

// exampleURL shows the form of a URL for a store that workers share.
const exampleURL = "postgres://USER@HOST/DATABASE"

// Remote reports whether the store is on a server, where workers can share it.
func (c Config) Remote() bool {
	scheme, _, ok := strings.Cut(c.URL, "://")
	return ok && (scheme == "postgres" || scheme == "postgresql")
}

// Separated returns c with the password of its URL moved to Password, so that the URL
// can be printed.
func (c Config) Separated() Config {
	if !c.Remote() {
		return c
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.User == nil {
		return c
	}
	password, has := u.User.Password()
	if !has {
		return c
	}
	u.User = url.User(u.User.Username())
	c.URL = u.String()
	if c.Password == "" {
		c.Password = secret.String(password)
	}
	return c
}

func (c Config) validateServer() fault.List {
	var fs fault.List
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		fs.Add("url", quoteURL(c.URL)+" cannot be read", "want "+exampleURL+", with characters other than letters and digits written as %XX")
		return fs
	case strings.Trim(u.Path, "/") == "" && u.Query().Get("dbname") == "" && u.Query().Get("database") == "":
		fs.Add("url", quoteURL(c.URL)+" names no database", "want "+exampleURL)
	}
	for _, option := range []string{"password", "sslpassword"} {
		if u.Query().Has(option) {
			fs.Add("url", "holds a "+option+" among its options", "want it in store.password_file")
			return fs
		}
	}
	if fs = append(fs, irregularFiles(u.Query())...); len(fs) > 0 {
		return fs
	}
	if _, err := pgx.ParseConfig(c.Separated().URL); err != nil {
		reason := err
		if inner := errors.Unwrap(err); inner != nil {
			reason = inner // the outer pgx error quotes the URL
		}
		fs.Add("url", fmt.Sprintf("%s cannot be used: %v", quoteURL(c.URL), reason), "want "+exampleURL)
	}
	return fs
}

// irregularFiles reports the files that a URL or PostgreSQL's own variables name and that
// the driver would open whatever they are: it would wait for the writer of a pipe.
func irregularFiles(options url.Values) fault.List {
	var fs fault.List
	for _, f := range []struct{ option, variable string }{
		{"sslrootcert", "PGSSLROOTCERT"}, {"sslcert", "PGSSLCERT"}, {"sslkey", "PGSSLKEY"}, {"passfile", "PGPASSFILE"}, {"servicefile", "PGSERVICEFILE"},
	} {
		path := cmp.Or(options.Get(f.option), os.Getenv(f.variable))
		info, err := os.Stat(path)
		if err != nil {
			continue // the driver says so, unless it is a word with a meaning of its own
		}
		if err := regular.Check(info.Mode()); err != nil {
			fs.Add("url", fmt.Sprintf("%s %s: %v", f.option, path, err), "want a file, in the URL or in "+f.variable)
		}
	}
	return fs
}

// quoteURL quotes a URL without its password. It removes too much rather than too
// little, because a text that is not a URL may hold a password too.
func quoteURL(raw string) string {
	before, rest, ok := strings.Cut(raw, "://")
	switch {
	case strings.ContainsAny(before, "@=") || mentionsPassword(before):
		return "the text" // a URL without its scheme, or a connection string of the form KEY=VALUE
	case !ok:
		return fmt.Sprintf("%q", raw)
	}
	if at := strings.LastIndexByte(rest, '@'); at >= 0 {
		if user, _, has := strings.Cut(rest[:at], ":"); has {
			rest = user + ":" + secret.String("x").String() + rest[at:]
		}
	}
	if mentionsPassword(rest) {
		rest, _, _ = strings.Cut(rest, "?")
	}
	return fmt.Sprintf("%q", before+"://"+rest)
}

func mentionsPassword(s string) bool {
	s = strings.ToLower(s)
	return strings.Contains(s, "pass") || strings.Contains(s, "pwd")
}
