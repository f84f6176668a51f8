package store

import (
	"context"
	"database/sql"
	"embed"
	"io/fs"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*/*.sql
var migrations embed.FS

// migrate brings tables up to date. The caller ensures that no other process does
// so at the same time, or tries again.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, folder Dialect) error {
	dir, err := fs.Sub(migrations, "migrations/"+string(folder))
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
		return nil // write nothing, so that a reader does not disturb the worker
	}
	_, err = p.Up(ctx)
	return err
}
