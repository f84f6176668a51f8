package datasets

import (
	"context"
	"crypto/tls"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

// postgres is a database on a server, which workers share.
type postgres struct{ cfg Config }

// migrateTimeout bounds the wait for a worker that changes the tables, and the
// change itself.
const migrateTimeout = 5 * time.Minute

// migrateLock is the advisory lock of who changes the tables: "evalwork" as a
// number. It is one a database.
const migrateLock = 0x6576616c776f726b

func (p *postgres) connect(ctx context.Context, create bool) (_ *sql.DB, err error) {
	if err := p.prepare(ctx, create); err != nil {
		if !refused(err) && ctx.Err() == nil {
			err = fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
		return nil, err
	}
	db, err := p.pool(p.cfg.Timeout)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(p.cfg.MaxConnections)
	db.SetMaxIdleConns(p.cfg.MaxConnections)
	db.SetConnMaxLifetime(p.cfg.ConnectionLifetime)
	db.SetConnMaxIdleTime(p.cfg.ConnectionLifetime)
	return db, nil
}

// prepare brings the tables up to date, over connections of its own whose
// statements may take longer than a write.
func (p *postgres) prepare(ctx context.Context, create bool) (err error) {
	db, err := p.pool(migrateTimeout)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(2) // the lock's, and the one that works

	soon, cancel := context.WithTimeout(ctx, p.cfg.Timeout)
	defer cancel()
	conn, err := db.Conn(soon)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if !create {
		var there bool
		if err := conn.QueryRowContext(soon, `SELECT to_regclass('goose_db_version') IS NOT NULL AND to_regclass('cases') IS NOT NULL`).Scan(&there); err != nil {
			return err
		}
		if !there {
			return fmt.Errorf("%w: a worker, or evalworker eval, makes it; name another with --store or --config", ErrNoStore)
		}
	}
	long, cancel := context.WithTimeout(ctx, migrateTimeout)
	defer cancel()
	// Waits, where goose's own lock would ask again each second; it ends with the
	// connection, whatever becomes of this process.
	if _, err := conn.ExecContext(long, `SELECT pg_advisory_lock($1)`, int64(migrateLock)); err != nil {
		return err
	}
	return migrate(long, db, goose.DialectPostgres, "postgres")
}

// pool gives connections whose statements may take so long. What a worker that
// hangs has locked is free again after that time.
func (p *postgres) pool(timeout time.Duration) (*sql.DB, error) {
	cfg, err := pgx.ParseConfig(p.cfg.URL)
	if err != nil {
		return nil, err
	}
	if p.cfg.Password != "" {
		cfg.Password = p.cfg.Password.Reveal()
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "evalworker"
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = p.cfg.Timeout
	}
	ms := strconv.FormatInt(max(timeout.Milliseconds(), 1), 10)
	// Under a stricter isolation, which a database may have for its default, workers
	// that fail alike would end each other's transactions instead of waiting.
	session := "SET statement_timeout = " + ms + "; SET idle_in_transaction_session_timeout = " + ms +
		"; SET default_transaction_isolation = 'read committed'"
	return stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.PgConn().Exec(ctx, session).ReadAll() // and not as startup parameters, which poolers refuse
		return err
	})), nil
}

// Codes of PostgreSQL (https://www.postgresql.org/docs/current/errcodes-appendix.html);
// those of two characters are classes.
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
	codeOnlyReads      = "25006"
	codeDiskFull       = "53100"
	codeTooMany        = "53300"
	codeCancelled      = "57014"
	codeSerialization  = "40001"
	codeDeadlock       = "40P01"
)

// state gives the code of an error of the server's, else "".
func state(err error) string {
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

// refused reports whether trying again cannot help: the server has answered, and
// somebody has to change something.
func refused(err error) bool {
	return errors.Is(err, ErrNoStore) || errors.Is(err, errNewer) || untrusted(err) ||
		inClass(state(err), classAuthorization, codeNoDatabase, codeNoSchema, classSyntax, classUnsupported, classData)
}

// untrusted reports whether the server's certificate is not good.
func untrusted(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

func (p *postgres) explain(err error) error {
	switch code := state(err); {
	case err == nil:
		return nil
	case untrusted(err):
		return fmt.Errorf("the server's certificate is not trusted: see sslrootcert and the host in store.url: %w", oneLine{err})
	case inClass(code, classAuthorization):
		return fmt.Errorf("the server refuses the user or its password: see store.url and store.password_file: %w", oneLine{err})
	case code == codeNoDatabase:
		return fmt.Errorf("the server has no such database: make it, or name another in store.url: %w", oneLine{err})
	case code == codeForbidden || code == codeNoSchema:
		return fmt.Errorf("the user may not make or use tables there: let it own the database or its schema: %w", oneLine{err})
	case code == codeOnlyReads:
		return fmt.Errorf("the server only reads: name the primary in store.url: %w", oneLine{err})
	case code == codeDiskFull:
		return fmt.Errorf("the server has no space left: %w", oneLine{err})
	case code == codeTooMany:
		return fmt.Errorf("the server has no connection left: raise its limit, or lower store.max_connections: %w", oneLine{err})
	case code == codeCancelled:
		return fmt.Errorf("took longer than store.timeout: %w", oneLine{err})
	}
	return oneLine{err}
}

// general reports whether an error is the store's: all are but those of values
// that the server does not take.
func (p *postgres) general(err error) bool {
	return !inClass(state(err), classData, classIntegrity, classLimit)
}

func (p *postgres) again(err error) bool {
	return inClass(state(err), codeSerialization, codeDeadlock)
}

// oneLine is an error as a log and a probe print it.
type oneLine struct{ error }

// Error gives the text on one line.
func (e oneLine) Error() string { return strings.Join(strings.Fields(e.error.Error()), " ") }

// Unwrap gives the error.
func (e oneLine) Unwrap() error { return e.error }
