package datasets

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// migrate brings tables up to date. Who calls it sees to it that nobody else
// does at the same moment.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, folder string) error {
	dir, err := fs.Sub(migrations, "migrations/"+folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, db, dir, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	has, wants, err := p.GetVersions(ctx)
	switch {
	case err != nil:
		return err
	case has > wants:
		return errNewer
	case has == wants:
		return nil // nothing is written, so that reading beside a worker disturbs nobody
	}
	_, err = p.Up(ctx)
	return err
}
