package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

// Latest implements [store.Changes].
func (d *database) Latest(ctx context.Context) (int64, error) {
	return one(ctx, d, "latest_change", readNumber, d.flavour.sequence)
}

// Since implements [store.Changes].
func (d *database) Since(ctx context.Context, after int64, limit int) ([]store.Change, error) {
	page, err := store.Page{Limit: limit}.Bounds()
	if err != nil {
		return nil, err
	}
	return many(ctx, d, "changes", readChange,
		`SELECT seq, realm, kind, id, at FROM changes WHERE seq > ? ORDER BY seq LIMIT ?`, after, page.Limit)
}

// Wait implements [store.Changes]. It is not observed: how long it takes says
// nothing of the store.
func (d *database) Wait(ctx context.Context, after int64) error {
	return d.flavour.failure(d.engine.wait(ctx, after))
}

// Subscribe implements [store.Changes]. fn runs where the commit was made: it
// must not write to this store, nor wait for one who does.
func (d *database) Subscribe(fn func([]store.Change)) (cancel func()) {
	return d.engine.subscribe(fn)
}

// Record implements [store.Changes]. The sequence and the instant are the
// store's.
func (d *database) Record(ctx context.Context, c store.Change) error {
	return d.write(ctx, "record_change", func(t *tx) error { return t.record(c.Realm, c.Kind, c.ID) })
}

// TrimChanges implements [store.Changes].
func (d *database) TrimChanges(ctx context.Context, before store.Time, limit int) (int, error) {
	if err := step(limit); err != nil {
		return 0, err
	}
	return result(ctx, d, "trim_changes", func(t *tx) (int, error) {
		if err := t.lock(noteTrimmed); err != nil {
			return 0, err
		}
		n, err := t.exec(`DELETE FROM changes WHERE seq IN
			(SELECT seq FROM changes WHERE at < ? ORDER BY at, seq LIMIT ?)`, millis(before), limit)
		return int(n), err
	})
}

// noteTrimmed keeps the newest sequence beyond its row. SQLite does so itself.
const noteTrimmed = `UPDATE changes_trimmed SET seq = GREATEST(seq, (SELECT MAX(seq) FROM changes))`

func readChange(r scanner) (c store.Change, err error) {
	err = r.Scan(&c.Seq, &c.Realm, (*string)(&c.Kind), &c.ID, (*timeColumn)(&c.At))
	return c, err
}

func readNumber(r scanner) (n int64, err error) {
	err = r.Scan(&n)
	return n, err
}
