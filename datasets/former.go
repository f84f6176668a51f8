package datasets

import (
	"context"
	"slices"

	"github.com/evalworker/evalworker/store"
)

// maxFormer bounds the ids of one query; SQLite takes 32,766 arguments.
const maxFormer = 1000

// continueFormer gives records the ids of cases that earlier builds have written, so
// that a case goes on with its count and status. The ids of those builds did not
// contain the prompt; a case is continued by failures of the prompt that it has. While
// workers of both kinds run, the two may begin one case each for the same failure;
// each failure counts once all the same.
func continueFormer(ctx context.Context, tx *store.Tx, records []record) error {
	byID := map[string][]*record{}
	var ids []any
	for i := range records {
		id := records[i].formerID
		if byID[id] == nil {
			ids = append(ids, id)
		}
		byID[id] = append(byID[id], &records[i])
	}
	keep := func(row store.Row) error {
		var id, promptName string
		err := row.Scan(&id, &promptName)
		for _, rec := range byID[id] {
			if rec.promptName == promptName {
				rec.id = id
			}
		}
		return err
	}
	for some := range slices.Chunk(ids, maxFormer) {
		if err := store.Each(ctx, tx, keep, `SELECT id, prompt_name FROM cases WHERE id IN (`+placeholders(len(some))+`)`, some...); err != nil {
			return err
		}
	}
	return nil
}
