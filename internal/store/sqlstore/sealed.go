package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	// walkStep is how many rows one query of a walk looks at: few enough for
	// the time that a call has, whether any of them has something sealed or
	// not.
	walkStep = 2000

	walkSealed       = `SELECT realm, id, sealed FROM sessions WHERE (realm, id) > (?, ?) ORDER BY realm, id LIMIT ?`
	resealSession    = `UPDATE sessions SET sealed = ? WHERE realm = ? AND id = ? AND sealed = ?`
	resealSigningKey = `UPDATE signing_keys SET sealed = ? WHERE id = ? AND sealed = ?`
	countCodes       = `SELECT COUNT(*) FROM identifiers WHERE code IS NOT NULL`
)

// WalkSealed implements [store.SealedSessions].
func (d *database) WalkSealed(ctx context.Context, each func(store.SealedRow) error) error {
	var last store.SealedRow
	for {
		rows, err := many(ctx, d, "walk_sealed", readSealed, walkSealed, last.Realm, last.ID, walkStep)
		if err != nil {
			return err
		}
		for _, row := range rows {
			if len(row.Sealed) == 0 {
				continue
			}
			if err := each(row); err != nil {
				return err
			}
		}
		if len(rows) < walkStep {
			return nil
		}
		last = rows[len(rows)-1]
	}
}

func readSealed(r scanner) (row store.SealedRow, err error) {
	err = r.Scan(&row.Realm, &row.ID, &row.Sealed)
	return row, err
}

// ResealSession implements [store.SealedSessions].
func (d *database) ResealSession(ctx context.Context, row store.SealedRow, sealed []byte) error {
	return d.swap(ctx, "reseal_session", resealSession, blob(sealed), row.Realm, row.ID, blob(row.Sealed))
}

// ResealSigningKey implements [store.SealedKeys].
func (d *database) ResealSigningKey(ctx context.Context, id string, old, sealed []byte) error {
	return d.swap(ctx, "reseal_signing_key", resealSigningKey, blob(sealed), id, blob(old))
}

// swap runs an update of one row that must still be as the query says.
func (d *database) swap(ctx context.Context, op, query string, args ...any) error {
	return d.write(ctx, op, func(t *tx) error {
		n, err := t.exec(query, args...)
		if err == nil && n == 0 {
			err = conflict()
		}
		return err
	})
}

// CountCodes implements [store.SealedKeys].
func (d *database) CountCodes(ctx context.Context) (int, error) {
	n, err := one(ctx, d, "count_codes", readNumber, countCodes)
	return int(n), err
}
