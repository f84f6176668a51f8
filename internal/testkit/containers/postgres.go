package containers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
	"github.com/testcontainers/testcontainers-go/modules/postgres"
)

// PostgresImage is the database server that tests run against.
const PostgresImage = "postgres:15"

const postgresPort = 5432

// Postgres is a database server in a container. It keeps its address and its
// committed data when it is killed and started again.
type Postgres struct {
	machine
	password  string
	encrypted bool
}

// StartPostgres starts a server and waits until it serves. The caller must Close it.
func StartPostgres(ctx context.Context) (*Postgres, error) {
	password := strings.ToLower(rand.Text()) // no part of it looks like a placeholder, such as DIR
	// Enough connections for many tests at once. Without a command of ours the module
	// would turn off fsync.
	return startPostgres(ctx, password, "postgres", "-c", "max_connections=300")
}

func startPostgres(ctx context.Context, password string, command ...string) (*Postgres, error) {
	p := &Postgres{password: password}
	box, port, err := newMachine(ctx, "database", p.answers)
	if err != nil {
		return nil, err
	}
	p.machine = box
	c, err := postgres.Run(ctx, PostgresImage,
		postgres.WithPassword(p.password),
		testcontainers.WithLogger(log.NewNoopLogger()),
		testcontainers.WithHostConfigModifier(bind(postgresPort, port)),
		testcontainers.WithCmd(command...),
	)
	if c != nil {
		p.container = c
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", PostgresImage, err), p.Close())
	}
	if err := p.await(ctx); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// Encrypt makes the server speak TLS only, with a certificate and its key in PEM.
func (p *Postgres) Encrypt(ctx context.Context, cert, key []byte) error {
	for path, content := range map[string][]byte{"/tmp/server.crt": cert, "/tmp/server.key": key} {
		if err := p.container.CopyToContainer(ctx, content, path, 0o600); err != nil {
			return p.wrap("copy to", err)
		}
	}
	const script = `cd "$PGDATA" && mv /tmp/server.crt /tmp/server.key . && chown postgres server.crt server.key &&
		sed -i 's/^host /hostssl /' pg_hba.conf && psql -U postgres -c 'ALTER SYSTEM SET ssl = on' -c 'SELECT pg_reload_conf()'`
	if _, err := p.Exec(ctx, "sh", "-c", script); err != nil {
		return err
	}
	p.encrypted = true
	return p.await(ctx)
}

// Standby starts a second server that replicates what the first one has and gets, with
// the same users. It serves reads only, until pg_promote is called there. The caller must
// Close it.
func (p *Postgres) Standby(ctx context.Context) (*Postgres, error) {
	const allow = `echo "host replication all all scram-sha-256" >>"$PGDATA/pg_hba.conf" && psql -U postgres -c 'SELECT pg_reload_conf()'`
	if _, err := p.Exec(ctx, "sh", "-c", allow); err != nil {
		return nil, err
	}
	address, err := p.container.ContainerIP(ctx)
	if err != nil {
		return nil, p.wrap("find the address of", err)
	}
	const follow = `if [ ! -s "$PGDATA/PG_VERSION" ]; then
			pg_basebackup --checkpoint=fast --write-recovery-conf -D "$PGDATA" -d "$0" && chown -R postgres "$PGDATA" && chmod 700 "$PGDATA" || exit 1
		fi
		exec gosu postgres postgres -c listen_addresses='*' -c max_connections=300`
	return startPostgres(ctx, p.password, "sh", "-c", follow, "host="+address+" user=postgres password="+p.password)
}

// URL returns the URL of the server's first database, with a superuser's password.
func (p *Postgres) URL() string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword("postgres", p.password), Host: p.addr, Path: "/postgres", RawQuery: "sslmode=disable",
	}
	if p.encrypted {
		u.RawQuery = "sslmode=require" // the certificate is not verified here
	}
	return u.String()
}

// Database creates an empty database and returns its URL.
func (p *Postgres) Database(ctx context.Context) (string, error) { return newDatabase(ctx, p.URL()) }

// answers runs a query, because a starting or recovering server accepts connections
// but rejects queries.
func (p *Postgres) answers(ctx context.Context, _ string) error {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	return execute(ctx, p.URL(), "SELECT 1")
}

// newDatabase creates a database on the server of a URL.
func newDatabase(ctx context.Context, server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil {
		return "", errors.New("the URL of the database server cannot be read") // the error would quote a password
	}
	name := "test_" + strings.ToLower(rand.Text()[:12])
	if err := execute(ctx, server, "CREATE DATABASE "+name); err != nil {
		return "", fmt.Errorf("make a database: %w", err)
	}
	u.Path = "/" + name
	return u.String(), nil
}

// dropDatabase removes a database that newDatabase created, even if it is still in
// use.
func dropDatabase(ctx context.Context, server, database string) error {
	u, err := url.Parse(database)
	if err != nil {
		return errors.New("the URL of the database cannot be read")
	}
	return execute(ctx, server, "DROP DATABASE IF EXISTS "+strings.TrimPrefix(u.Path, "/")+" WITH (FORCE)")
}

// execute runs a statement on a new connection.
func execute(ctx context.Context, server, statement string) (err error) {
	conn, err := pgx.Connect(ctx, server)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	_, err = conn.Exec(ctx, statement)
	return err
}
