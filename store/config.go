package store

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/evalworker/evalworker/internal/base/fault"
	"github.com/evalworker/evalworker/internal/base/secret"
)

// Config says where the database is and how it is used.
type Config struct {
	// URL of the store: sqlite:FILE, sqlite::memory: for one that ends with the
	// process, or postgres://USER@HOST/DATABASE for one that workers share. FILE is
	// relative to the configuration's file, or else to the working directory. Parts
	// that a postgres URL omits come from PostgreSQL's own variables (PGPASSWORD,
	// PGSSLMODE). HOST may be a list, and with the option
	// target_session_attrs=read-write the one that takes writes is used.
	URL string `yaml:"url" doc:"Database: sqlite:FILE for one worker, with FILE relative to this file; postgres://USER@HOST/DATABASE for a fleet, with all servers of a cluster as HOST,HOST and ?target_session_attrs=read-write."`
	// Password for PostgreSQL; it takes precedence over one in the URL.
	Password secret.String `yaml:"password" doc:"Password for PostgreSQL. A file (password_file) is the better place; empty: the URL's, PGPASSWORD, or ~/.pgpass."`
	// PasswordFile holds the password. The loader of the configuration reads it
	// into Password.
	PasswordFile string `yaml:"password_file" doc:"File that holds the password, relative to this file; password must then be empty."`
	// MaxConnections bounds the connections of one process to PostgreSQL, 1 to 1000.
	MaxConnections int `yaml:"max_connections" doc:"Connections of one worker to PostgreSQL."`
	// ConnectionLifetime bounds the life of a connection to PostgreSQL, so that
	// connections spread over servers that are added.
	ConnectionLifetime time.Duration `yaml:"connection_lifetime" doc:"Age at which a connection to PostgreSQL is replaced. A failover is noticed at once, whatever it is."`
	// MaxExemplars bounds the requests that package datasets keeps of one case, 1 to 1000.
	MaxExemplars int `yaml:"max_exemplars" doc:"Requests kept of one case, that is, of similar failures."`
	// Keep bounds what workers keep.
	Keep Keep `yaml:"keep" doc:"What is kept of failures; all of them, unless a bound is set."`
	// Timeout bounds one write, each statement of it, and connecting. One address of
	// several may take half of it at most, unless the URL has a connect_timeout.
	Timeout time.Duration `yaml:"timeout" doc:"Time for one write, and for connecting."`
	// Build is the version of the running program, such as v1.2.3. The store remembers by
	// which one its tables were changed, for a person who wonders. It is set by the program.
	Build string `yaml:"-"`
}

// Keep bounds what is kept of failures. One worker of a fleet deletes the oldest, every
// hour; the zero value keeps all. A case that a person has confirmed or dismissed stays,
// with its exemplars.
type Keep struct {
	// Age is how long a failure is kept, by the time of its event (occurred_at); 0: for ever.
	Age time.Duration `yaml:"age" doc:"Time for which a failure is kept, by the time of its event, such as 2160h; 0 keeps all. Confirmed and dismissed cases stay."`
	// Rows bounds the failures, of which there is a row each; 0: no bound.
	Rows int `yaml:"rows" doc:"Failures that are kept, the latest ones; 0 keeps all."`
}

// bounded reports whether anything is ever deleted.
func (k Keep) bounded() bool { return k.Age > 0 || k.Rows > 0 }

// DefaultConfig returns the configuration of the file evalworker.db.
func DefaultConfig() Config {
	return Config{
		URL: sqliteScheme + "evalworker.db", MaxConnections: 4, ConnectionLifetime: 30 * time.Minute,
		MaxExemplars: 5, Timeout: 10 * time.Second,
	}
}

const (
	sqliteScheme = "sqlite:"  // prefix of a SQLite store's URL
	memoryFile   = ":memory:" // a store that exists only as long as its Store
)

// Bounds of the configuration. All exemplars of a case are read at once.
const (
	maxExemplars   = 1000
	maxConnections = 1000
	minKeep        = time.Hour // an event that comes again within it must not count twice
)

// Validate returns all faults of c. They quote no password.
func (c Config) Validate() fault.List {
	var fs fault.List
	if c.Remote() {
		fs = append(fs, c.validateServer()...)
	} else {
		fs = append(fs, c.validateFile()...)
	}
	if c.MaxConnections < 1 || c.MaxConnections > maxConnections {
		fs.Add("max_connections", fmt.Sprintf("%d is out of range", c.MaxConnections), fmt.Sprintf("want 1 to %d", maxConnections))
	}
	if c.ConnectionLifetime <= 0 {
		fs.Add("connection_lifetime", fmt.Sprintf("%s is no bound", c.ConnectionLifetime), "want a duration above zero, such as 30m")
	}
	if c.MaxExemplars < 1 || c.MaxExemplars > maxExemplars {
		fs.Add("max_exemplars", fmt.Sprintf("%d is out of range", c.MaxExemplars), fmt.Sprintf("want 1 to %d", maxExemplars))
	}
	if c.Keep.Age < 0 || c.Keep.Age > 0 && c.Keep.Age < minKeep {
		fs.Add("keep.age", fmt.Sprintf("%s is out of range", c.Keep.Age), "want 1h or more, or 0 to keep all")
	}
	if c.Keep.Rows < 0 {
		fs.Add("keep.rows", fmt.Sprintf("%d is out of range", c.Keep.Rows), "want 1 or more, or 0 to keep all")
	}
	if c.Timeout <= 0 {
		fs.Add("timeout", fmt.Sprintf("%s is no bound", c.Timeout), "want a duration above zero, such as 10s")
	}
	return fs
}

func (c Config) validateFile() fault.List {
	var fs fault.List
	want := "want sqlite:FILE, such as " + DefaultConfig().URL
	switch path, ok := strings.CutPrefix(c.URL, sqliteScheme); {
	case !ok:
		fs.Add("url", quoteURL(c.URL)+" is no store", want+", or "+exampleURL)
	case path == "" || strings.HasPrefix(path, "//") || strings.ContainsRune(path, 0):
		fs.Add("url", quoteURL(c.URL)+" names no file", want)
	}
	return fs
}

// In returns c with the file of a SQLite store in a folder, if its path is relative. An
// empty folder is the working directory. A URL with a fault stays as it is.
func (c Config) In(folder string) Config {
	file := c.file()
	if folder == "" || c.Remote() || len(c.validateFile()) > 0 || file == memoryFile || filepath.IsAbs(file) {
		return c
	}
	c.URL = sqliteScheme + filepath.Join(folder, file)
	return c
}

// file returns the path of the database file, or memoryFile.
func (c Config) file() string { return strings.TrimPrefix(c.URL, sqliteScheme) }
