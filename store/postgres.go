package store

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// postgres is the engine of a database on a server, which workers share.
type postgres struct{ cfg Config }

// migrateTimeout bounds the wait for another worker's migration and the migration
// itself.
const migrateTimeout = 5 * time.Minute

// migrateLock is the number of the advisory lock under which tables are changed:
// "evalwork" in ASCII. Each database has its own.
const migrateLock = 0x6576616c776f726b

// applicationName is what connections are called unless the URL says otherwise.
const applicationName = "evalworker"

func (*postgres) dialect() Dialect { return PostgreSQL }

func (p *postgres) open(context.Context, bool) (*sql.DB, error) {
	db, err := p.openPool(p.cfg.Timeout)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(p.cfg.MaxConnections)
	db.SetMaxIdleConns(p.cfg.MaxConnections)
	db.SetConnMaxLifetime(p.cfg.ConnectionLifetime)
	db.SetConnMaxIdleTime(p.cfg.ConnectionLifetime)
	return db, nil
}

func (*postgres) closed() error { return nil }

func (*postgres) hasTable(ctx context.Context, db querier, name string) (exists bool, err error) {
	// A table that the user may not read is none to him, except the one that says what
	// the others are: the error about it says which right is missing.
	err = db.QueryRowContext(ctx, `SELECT to_regclass($1) IS NOT NULL AND ($1 = 'goose_db_version' OR has_table_privilege(to_regclass($1), 'SELECT'))`, name).Scan(&exists)
	return exists, err
}

// alone calls fn under a lock, with connections of their own whose statements may take
// longer than a write.
func (p *postgres) alone(ctx context.Context, _ *sql.DB, fn func(context.Context, *sql.DB) error) (err error) {
	db, err := p.openPool(migrateTimeout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(2) // one holds the lock, the other works

	connectCtx, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	conn, err := db.Conn(connectCtx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	migrateCtx, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	// This blocks until the lock is free, where goose's own lock would poll each
	// second. The lock ends with the connection, whatever happens to this process.
	if _, err := conn.ExecContext(migrateCtx, `SELECT pg_advisory_lock($1)`, int64(migrateLock)); err != nil {
		return err
	}
	return fn(migrateCtx, db)
}

// openPool returns a pool of connections on which a statement may take up to timeout.
// Rows that a hanging worker has locked are released after that time.
func (p *postgres) openPool(timeout time.Duration) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(p.cfg.URL)
	if err != nil {
		return nil, err
	}
	if p.cfg.Password != "" {
		cfg.Password = p.cfg.Password.Reveal()
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = applicationName
	}
	if cfg.ConnectTimeout == 0 {
		// For each address, so that one that does not answer leaves time for the others.
		cfg.ConnectTimeout = p.cfg.Timeout / time.Duration(len(cfg.Fallbacks)+2)
	}
	ms := strconv.FormatInt(max(timeout.Milliseconds(), 1), 10)
	// A wait for a lock ends before the whole write does, so that the error says what was
	// waited for.
	lock := strconv.FormatInt(max(timeout.Milliseconds()*4/5, 1), 10)
	// A database may have a stricter isolation as its default. Workers that write the
	// same rows would then end each other's transactions instead of waiting.
	session := "SET statement_timeout = " + ms + "; SET lock_timeout = " + lock + "; SET idle_in_transaction_session_timeout = " + ms +
		"; SET default_transaction_isolation = 'read committed'"
	return stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.PgConn().Exec(ctx, session).ReadAll() // poolers reject these as startup parameters
		return err
	})), nil
}

// Codes of PostgreSQL (https://www.postgresql.org/docs/current/errcodes-appendix.html).
// Two characters denote a class of codes.
const (
	classData          = "22"
	classIntegrity     = "23"
	classAuthorization = "28"
	classUnsupported   = "0A"
	classLimit         = "54"
	codeNoDatabase     = "3D000"
	codeNoSchema       = "3F000"
	codeForbidden      = "42501"
	classSyntax        = "42"
	codeNoTable        = "42P01"
	codeOnlyReads      = "25006"
	codeDiskFull       = "53100"
	codeTooMany        = "53300"
	codeLockTime       = "55P03"
	codeCancelled      = "57014"
	codeShutdown       = "57P01" // an administrator ended the connection
	codeCrash          = "57P02"
	codeNotYet         = "57P03" // starting or stopping
	codeSerialization  = "40001"
	codeDeadlock       = "40P01"
)

// sqlState returns the code of an error that the server sent, else "".
func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

func inClass(code string, classes ...string) bool {
	for _, c := range classes {
		if strings.HasPrefix(code, c) {
			return true
		}
	}
	return false
}

// unavailable reports whether a retry may help. It cannot when the server has answered
// and a person has to change something.
func (*postgres) unavailable(err error) bool {
	if _, old := errors.AsType[*VersionError](err); old || err == nil {
		return false
	}
	return !errors.Is(err, ErrNoStore) && !untrusted(err) &&
		!inClass(sqlState(err), classAuthorization, codeNoDatabase, codeNoSchema, classSyntax, classUnsupported, classData)
}

func (*postgres) forbidden(err error) bool { return sqlState(err) == codeForbidden }

// untrusted reports whether verifying the server's certificate failed.
func untrusted(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

func (p *postgres) explain(err error) error {
	switch code := sqlState(err); {
	case err == nil:
		return nil
	case untrusted(err):
		return fmt.Errorf("the server's certificate is not trusted: see sslrootcert and the host in store.url: %w", singleLineError{err})
	case inClass(code, classAuthorization):
		return fmt.Errorf("the server refuses the user or its password: see store.url and store.password_file: %w", singleLineError{err})
	case code == codeNoDatabase:
		return fmt.Errorf("the server has no such database: create it, or name another in store.url: %w", singleLineError{err})
	case code == codeForbidden && strings.Contains(err.Error(), " for table "):
		return fmt.Errorf("the user may not use a table: commands that read need GRANT SELECT ON ALL TABLES IN SCHEMA, a worker INSERT, UPDATE and DELETE too: %w", singleLineError{err})
	case code == codeForbidden || code == codeNoSchema:
		return fmt.Errorf("the user may not create or use tables there: make it the owner of the database or its schema: %w", singleLineError{err})
	case code == codeNoTable:
		return fmt.Errorf("a table of the store is gone: bring it back from a backup: %w", singleLineError{err})
	case code == codeLockTime:
		return fmt.Errorf("another session holds a lock on a table or its rows: see pg_locks and pg_blocking_pids: %w", singleLineError{err})
	case errors.Is(err, pgconn.ErrReadOnlyConnection):
		return fmt.Errorf("of the servers in store.url none takes writes, those that answer are read-only: promote one: %w", singleLineError{err})
	case code == codeOnlyReads:
		return fmt.Errorf("the server is read-only: name the primary in store.url, or all servers with target_session_attrs=read-write: %w", singleLineError{err})
	case code == codeShutdown || code == codeCrash || code == codeNotYet:
		return fmt.Errorf("the server is stopping or starting: %w", singleLineError{err})
	case code == codeDiskFull:
		return fmt.Errorf("the server has no space left: %w", singleLineError{err})
	case code == codeTooMany:
		return fmt.Errorf("no connection left, of the server or of this role, as it says: raise that limit, or lower store.max_connections: %w", singleLineError{err})
	case code == codeCancelled:
		return fmt.Errorf("took longer than store.timeout: %w", singleLineError{err})
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the server has not answered in time: %w", singleLineError{err})
	}
	return singleLineError{err}
}

// general reports whether an error concerns the whole store: all errors do, except
// those about values that the server does not accept.
func (p *postgres) general(err error) bool {
	return !inClass(sqlState(err), classData, classIntegrity, classLimit)
}

// lost reports whether a server said that it ends or only serves reads, or a connection
// ended without a word.
func (*postgres) lost(err error) bool {
	if code := sqlState(err); err == nil || code != "" {
		return code == codeOnlyReads || code == codeShutdown || code == codeCrash || code == codeNotYet
	}
	if _, ok := errors.AsType[net.Error](err); ok && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}

func (p *postgres) retryable(err error) bool {
	return inClass(sqlState(err), codeSerialization, codeDeadlock)
}

// singleLineError is an error whose text fits on one line of a log or a probe.
type singleLineError struct{ error }

// ownPort is this machine's end of a connection in the text of an error. It is another one
// for each connection, and probes should say the same while the trouble is the same.
var ownPort = regexp.MustCompile(`\b(tcp[46]?|unix) [^\s>]+->`)

// Error returns the text with each run of white space replaced by one space, and without
// the number of the port that a connection had on this machine.
func (e singleLineError) Error() string {
	return ownPort.ReplaceAllString(strings.Join(strings.Fields(e.error.Error()), " "), "$1 ")
}

func (e singleLineError) Unwrap() error { return e.error }
