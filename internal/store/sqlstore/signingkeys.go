package sqlstore

import (
	"context"

	"github.com/gatehouse-auth/gatehouse/internal/store"
)

const (
	insertSigningKey = `INSERT INTO signing_keys (id, algorithm, key_use, sealed, created, retired, expires)
		VALUES (?, ?, ?, ?, ?, ?, ?)`
	countActive       = `SELECT COUNT(*) FROM signing_keys WHERE key_use = ? AND retired = ?`
	updateSigningKey  = `UPDATE signing_keys SET (algorithm, key_use, sealed, created, retired, expires) = (?, ?, ?, ?, ?, ?) WHERE id = ?`
	deleteSigningKey  = `DELETE FROM signing_keys WHERE id = ?`
	selectSigningKeys = `SELECT id, algorithm, key_use, sealed, created, retired, expires FROM signing_keys ORDER BY created, id`
)

// InsertSigningKey implements [store.SigningKeys]. The transaction holds the
// right to write before it looks, so that two processes cannot both find none.
func (d *database) InsertSigningKey(ctx context.Context, k store.SigningKey, unlessActive bool) error {
	if err := k.Check(); err != nil {
		return err
	}
	values := append([]any{k.ID}, encodeSigningKey(k)...)
	return d.write(ctx, "insert_signing_key", func(t *tx) error {
		if unlessActive {
			if n, err := t.number(countActive, k.Use, noTime); err != nil || n > 0 {
				return taken(err)
			}
		}
		_, err := t.exec(insertSigningKey, values...)
		return err
	})
}

// taken returns err, or where there is none, that something is there already.
func taken(err error) error {
	if err != nil {
		return err
	}
	return conflict()
}

// SigningKeys implements [store.SigningKeys].
func (d *database) SigningKeys(ctx context.Context) ([]store.SigningKey, error) {
	return many(ctx, d, "signing_keys", readSigningKey, selectSigningKeys)
}

// UpdateSigningKey implements [store.SigningKeys].
func (d *database) UpdateSigningKey(ctx context.Context, k store.SigningKey) error {
	if err := k.Check(); err != nil {
		return err
	}
	values := append(encodeSigningKey(k), k.ID)
	return d.write(ctx, "update_signing_key", func(t *tx) error {
		n, err := t.exec(updateSigningKey, values...)
		if err == nil && n == 0 {
			return absent()
		}
		return err
	})
}

// DeleteSigningKey implements [store.SigningKeys].
func (d *database) DeleteSigningKey(ctx context.Context, id string) error {
	return d.write(ctx, "delete_signing_key", func(t *tx) error {
		_, err := t.exec(deleteSigningKey, id)
		return err
	})
}

func encodeSigningKey(k store.SigningKey) []any {
	return []any{k.Algorithm, k.Use, blob(k.Sealed), millis(k.Created), millis(k.Retired), millis(k.Expires)}
}

func readSigningKey(r scanner) (k store.SigningKey, err error) {
	err = r.Scan(&k.ID, &k.Algorithm, &k.Use, &k.Sealed, (*timeColumn)(&k.Created), (*timeColumn)(&k.Retired), (*timeColumn)(&k.Expires))
	return k, err
}
