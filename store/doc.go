// Package store is the database for data that has to outlive a worker: SQLite in a
// file, or PostgreSQL for a fleet.
//
//	s, err := store.Open(ctx, cfg)
//	...
//	defer s.Close()
//	err = s.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
//		_, err := tx.Exec(ctx, `UPDATE cases SET status = $1 WHERE id = $2`, status, id)
//		return err
//	})
//	ids, err := store.Query(ctx, s, scanID, `SELECT id FROM cases WHERE status = $1`, status)
//
// The store knows which tables exist and how long their rows are kept, but not what
// they mean: the packages that own the tables provide the statements. SQL uses $1
// for arguments, which both databases accept; where they differ, [Tx.Dialect] names
// the database.
//
// # Adding a table
//
// A table needs one migration for each database, with the same name and number, in
// migrations/sqlite and migrations/postgres, and a row in the table of
// retention.go. A test fails when one of them is missing.
//
// # Guarantees
//
// One goroutine writes. It commits all waiting changes in one transaction, because
// a commit costs one flush to disk however many rows it holds. [Store.Write]
// returns after the change is on disk, or with an error; then nothing of it is
// written, except when the caller's context ended first or the database hung. A
// change that the database rejects does not make the others of its transaction
// fail. A caller that times out while the database fails learns why it fails.
//
// [Batch] is for changes that many callers make: all changes of one transaction are
// applied with one call, which can use one statement for all and lock rows in one
// order.
//
// # Versions
//
// [Open] brings the tables up to date; [OpenExisting], for commands that read, leaves
// them as they are and needs no more than the right to read. A store holds which
// programs may still read it and write to it ([Versions]), so that a migration that only
// adds something leaves older programs at work. One that may not use it gets a
// [VersionError].
//
// # One worker or many
//
// A SQLite file belongs to one worker: [Store.Claim] fails for a second one.
// Another process may read it at any time, and write when it is its turn.
//
// In PostgreSQL any number of workers write at once. A transaction that the database
// aborts because of another one is tried again. A transaction and each of its
// statements end after [Config.Timeout], even when the worker that began it hangs.
// When the server closes a connection or becomes a standby, all connections are replaced
// and the transaction is made again; callers learn of it when that has failed for a
// second. A commit whose answer was lost is made again as well, so a change must be one
// that may be made twice.
// The worker that starts first creates the tables, under an advisory lock. That
// lock and prepared statements need a session, so a pooler in between has to pool
// by session.
package store
