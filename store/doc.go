// Package store is the database in which a worker keeps what has to outlive it:
// SQLite in a file, or PostgreSQL for a fleet.
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
// The store knows which tables there are and how long their rows are kept, and
// nothing of what they mean: the packages that own the tables bring the
// statements. SQL is written with $1 for arguments, which both databases read;
// where they differ, [Tx.Dialect] says which one it is.
//
// # Adding a table
//
// A table is one migration for each database, with the same name and number, in
// migrations/sqlite and migrations/postgres, and a row in the table of retention.go. A
// test fails when one of them is missing.
//
// # Guarantees
//
// One goroutine writes. It commits the changes that wait at the same time in one
// transaction, because a commit costs one flush to disk however many rows it holds.
// [Store.Write] returns after the change is on disk, or with an error; then nothing of
// it is written, except when the caller's context ended first or the database hung.
// A change that the database rejects does not take the others of its transaction with
// it. A caller whose time runs out while the database fails learns why it fails.
//
// [Batch] is for changes that many callers make: those of one transaction are applied
// with one call, which can use one statement for all and lock rows in one order.
//
// Opening brings the tables up to date. A store from a newer program is refused.
//
// # One worker or many
//
// A SQLite file belongs to one worker: [Store.Claim] refuses a second one. Another
// process may read it at any time, and write when it is its turn.
//
// In PostgreSQL any number of workers write at once. A transaction that the database
// ends because of another one is tried again. A transaction and each statement of it
// end with [Config.Timeout], even when the worker that began it hangs. The worker that
// starts first creates the tables, under an advisory lock. That lock, and prepared
// statements, need a session: a pooler in between has to pool by session.
package store
