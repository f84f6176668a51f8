package datasets

import (
	"context"
	"strconv"
	"strings"

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
	for len(ids) > 0 {
		n := min(len(ids), maxFormer)
		known, err := store.Query(ctx, tx, scanFormer, `SELECT id, prompt_name FROM cases WHERE id IN (`+placeholders(n)+`)`, ids[:n]...)
		if err != nil {
			return err
		}
		for _, former := range known {
			for _, rec := range byID[former.id] {
				if rec.promptName == former.promptName {
					rec.id = former.id
				}
			}
		}
		ids = ids[n:]
	}
	return nil
}

type former struct{ id, promptName string }

func scanFormer(row store.Row) (f former, err error) {
	err = row.Scan(&f.id, &f.promptName)
	return f, err
}

// placeholders returns the list of the first n arguments of a query.
func placeholders(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("$" + strconv.Itoa(i+1))
	}
	return b.String()
}
